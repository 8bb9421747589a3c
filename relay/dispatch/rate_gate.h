// rate_gate.h - private to the dispatcher: which messages wait since enough was sent already.
#ifndef RELAY_DISPATCH_RATE_GATE_H
#define RELAY_DISPATCH_RATE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/rate_limit.h"

#define RATE_LIMITED "rate_limited" // the reason of what waits for a token

struct dispatcher;
struct job;

// True: it may go as far as rate limits are concerned. False: it is put back until a token comes.
bool rate_gate_pass(struct dispatcher *dispatcher, struct job *job);
// Of a job that leaves memory: a token for which nothing was sent is another's.
void rate_gate_leave(struct dispatcher *dispatcher, const struct job *job);
// May any message of that lane go? Else it is looked at again at *ret_at_ms (CLOCK_BOOTTIME; may
// be NULL).
bool rate_gate_is_open(const struct dispatcher *dispatcher, enum lane lane, int64_t *ret_at_ms);
// Where limits were changed since the last run: what waits under the old ones is asked again, some
// at each call until all is.
void rate_gate_reconsider(struct dispatcher *dispatcher, int64_t now_ms);

#endif
