// composer_child.h - one composer process as the core sees it: it loads, is asked one thing at a
// time, answers, and ends.
//
// Belongs to the thread of its event loop. Those at work are composers.h's, one that is being
// tried is composer_trial.h's; a composer that is waited for is composer_session.h's.
#ifndef RELAY_CHILDREN_COMPOSER_CHILD_H
#define RELAY_CHILDREN_COMPOSER_CHILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/event_loop.h"

struct child;

enum composer_state { COMPOSER_LOADING, COMPOSER_IDLE, COMPOSER_BUSY };

// What happens to a composer. None may destroy it but ended(); composer_child_kill() is allowed.
struct composer_events {
    void (*ready)(void *context); // LOADING -> IDLE
    // BUSY -> IDLE; header is the frame `composed` or `failed` with the id of what it was asked,
    // good during the call. One that says anything else is killed.
    void (*answered)(void *context, const json_t *header, const struct frame *frame);
    // It is gone; state still says what it was at. Called once; the callee destroys it there.
    void (*ended)(void *context, const struct error *err);
};

// Fields are for reading.
struct composer_child {
    enum composer_state state;
    int64_t since_ms;      // CLOCK_BOOTTIME: when the state began
    int64_t limit_ms;      // LOADING, BUSY: when it is killed
    bool killed;           // it is not heard any more, and its end is to come
    bool timed_out;        // it was killed for that
    int64_t for_ms;        // LOADING, BUSY: what it was given
    int chances;           // how often it may be given that again
    bool is_late;          // it was
    int64_t cpu_before_ms; // processor time it had used when it was started or asked
    json_t *asked_id;      // BUSY: the id of what it was asked
    json_t *ready;         // the frame, once it came
    json_t *faults;        // an array of {where, what}: why it could not load; else NULL
    const struct composer_events *events;
    void *context;
    struct child *child;
};

// Starts the program at path and sends it init. events must outlive the composer. NULL on failure.
struct composer_child *composer_child_start(struct event_loop *loop, const char *path,
                                            const json_t *init,
                                            const struct composer_events *events, void *context,
                                            struct error *err);
// Kills it without a word to ended(). Not from within ready() and answered(). NULL is a no-op.
void composer_child_destroy(struct composer_child *composer);
// ended() comes later, and nothing else before it.
void composer_child_kill(struct composer_child *composer);

// From now on somebody else is told.
void composer_child_hand_over(struct composer_child *composer, const struct composer_events *events,
                              void *context);

// Processor time that it has used so far; 0 where the kernel does not say.
int64_t composer_child_cpu_ms(const struct composer_child *composer);

// May it be asked?
bool composer_child_is_free(const struct composer_child *composer);

// IDLE -> BUSY; header has an id. It is killed where it has not answered in for_ms; but where it
// is the machine that lets it wait, it has that again, for four seconds or once: while it has used
// less than half of for_ms of a processor. False: too large for a frame.
bool composer_child_ask(struct composer_child *composer, const json_t *header, const void *blob,
                        size_t blob_size, int64_t for_ms, struct error *err);

// Of the time since it was asked what is to be held against that: not what it waited for longer
// while the machine had no time for it.
int64_t composer_child_cost_ms(const struct composer_child *composer, int64_t took_ms);

// Kills it where its time is over. To be called when composer_child_next_ms() has come.
void composer_child_tick(struct composer_child *composer, int64_t now_ms);
int64_t composer_child_next_ms(const struct composer_child *composer);

#endif
