// retry.h - pure: when to try a message again.
#ifndef RELAY_DISPATCH_RETRY_H
#define RELAY_DISPATCH_RETRY_H

#include <stdint.h>

#include "queue/queue.h"

// The pause after a message's attempt number `attempts` (1 is the first), in milliseconds, by
// the schedule of its lane (design §6, Retry). jitter is any number; it spreads the result by a
// tenth up or down, so that what failed together does not come back together.
int64_t retry_delay_ms(enum lane lane, int attempts, uint32_t jitter);

// When to try next, in the clock of now_ms: never past deadline_ms, where the message expires.
int64_t retry_at_ms(enum lane lane, int attempts, uint32_t jitter, int64_t now_ms,
                    int64_t deadline_ms);

#endif
