// pace.h - pure: the rate at which a smarthost takes messages: never more than count in any
// period_ms, by a list of when the last ones were started.
//
// Not rate_limit.h's buckets: those let a burst through and refill evenly meanwhile, which is kind
// to people; a provider counts, and refuses what is over.
#ifndef RELAY_SMARTHOSTS_PACE_H
#define RELAY_SMARTHOSTS_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/rate_limit.h"

#define PACE_COUNT_MAX 100000

struct pace {
    const struct rates *rates; // all hold together
    size_t size;               // the largest count
    int64_t *started_ms;       // a ring: that of start number n is at n % size
    size_t count;              // of starts
};

// rates is borrowed and must outlive it; none: no limit. False without memory.
bool pace_init(struct pace *pace, const struct rates *rates);
void pace_finish(struct pace *pace);

// How many may be started now, but no more than most. Moments are of a clock that does not jump.
size_t pace_free(const struct pace *pace, size_t most, int64_t now_ms);
void pace_started(struct pace *pace, int64_t now_ms);
// One that was started then has not come to anything, and does not count.
void pace_taken_back(struct pace *pace, int64_t started_ms);
// When the next one may be started.
int64_t pace_next_ms(const struct pace *pace);

#endif
