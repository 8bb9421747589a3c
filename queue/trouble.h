// trouble.h - a disk that can be written, and cannot, and can again: who is told, and how soon the
// next attempt is made.
//
// Trouble that comes back soon after it was over is likely to do so again: each time the pause
// before all is said to be well is twice as long, so that a nearly full disk does not make the
// relay accept and refuse by turns. And it is told once a minute at most; its end is told to
// whoever was told that it began. All moments are CLOCK_MONOTONIC, in ms. One thread at a time.
#ifndef QUEUE_TROUBLE_H
#define QUEUE_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

struct trouble {
    void (*tell)(void *context, const struct error *err); // NULL: it is over
    void *context;
    bool is_on, is_told;
    struct error err; // is_on: what it began with
    int64_t told_at_ms, over_at_ms;
    int64_t pause_ms; // is_on: so long the disk is given before it may count as well again
};

// tell may be NULL.
void trouble_init(struct trouble *trouble, void (*tell)(void *context, const struct error *err),
                  void *context, int64_t now_ms);

void trouble_begin(struct trouble *trouble, const struct error *err, int64_t now_ms);
void trouble_end(struct trouble *trouble, int64_t now_ms);
// Tells of trouble that was held back and still goes on.
void trouble_tick(struct trouble *trouble, int64_t now_ms);

#endif
