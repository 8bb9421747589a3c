// sink.h - an SMTP server that takes everything at once and enters arrivals in a ledger.
//
// One thread, non-blocking; PIPELINING is offered. A recipient is the number of its message,
// see ledger.h.
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/ledger.h"
#include "relay/base/error.h"

struct sink;

// Listens on 127.0.0.1:port. NULL on failure. The ledger is borrowed.
struct sink *sink_start(uint16_t port, struct ledger *ledger, struct error *err);
void sink_stop(struct sink *sink); // NULL is a no-op

#endif
