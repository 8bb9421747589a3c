// ledger.h - what became of each message of a run: when it was posted, answered, and arrived.
//
// A message is its number, which its recipient carries: b00000042@bench.test. Any thread may
// call any function; each number is posted by one thread.
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;

struct ledger *ledger_create(size_t count); // NULL: no memory
void ledger_destroy(struct ledger *ledger);

int64_t ledger_now_ns(void);
void ledger_posted(struct ledger *ledger, size_t number);
void ledger_answered(struct ledger *ledger, size_t number);
void ledger_arrived(struct ledger *ledger, size_t number);

// Waits until every number has arrived or timeout_ms has passed. False: some have not.
bool ledger_wait(struct ledger *ledger, int64_t timeout_ms);

struct ledger_result {
    double accept_p50_us, accept_p99_us; // from the POST to its answer
    double arrive_p50_us, arrive_p99_us; // from the POST to the end of its mail at the smarthost
    double seconds; // from the first POST, or arrival where nothing is posted, to the last arrival
    size_t lost, repeated;
};
// Not while anything is under way. False: no memory.
bool ledger_sum(const struct ledger *ledger, struct ledger_result *ret_result);

#endif
