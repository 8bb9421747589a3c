// clients.h - so many clients, each with a kept HTTP connection, that POST one after the other.
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/ledger.h"
#include "relay/base/error.h"

struct clients_plan {
    uint16_t port;       // of the relay on 127.0.0.1
    const char *key;     // X-Api-Key
    const char *pattern; // see payload.h
    unsigned run;
    size_t clients, messages; // messages in all
    int64_t interval_ms;      // between two of one client; 0: as fast as they are answered
};

// Blocks until every message was answered. ERR_TEMPORARY where one was not answered 200.
bool clients_run(const struct clients_plan *plan, struct ledger *ledger, struct error *err);

#endif
