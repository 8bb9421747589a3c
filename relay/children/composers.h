// composers.h - the composer processes: one, and a second under load.
//
// Takes payloads to compose and canonical mails to render, gives each to an idle composer (one
// at a time each; enum compose_turn says who goes first), and tells how it went. Kills a composer
// that takes longer than a second over a payload, or a fifth of that where it is a last resort, and
// starts anew what dies. New settings are tried in a composer beside those at work
// before it takes their place. Belongs to the thread of its event loop.
#ifndef RELAY_CHILDREN_COMPOSERS_H
#define RELAY_CHILDREN_COMPOSERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/children/compose_request.h"
#include "relay/children/samples.h"
#include "relay/event_loop.h"

struct composers;

enum compose_end {
    COMPOSED,          // header is the `composed` frame
    COMPOSE_FAILED,    // the composer says so: header is the `failed` frame
    COMPOSE_DIED,      // it killed its composer: header is NULL
    COMPOSE_TIMED_OUT, // its composer was killed for taking too long: header is NULL
};

struct composers_handlers {
    // A composer is free for it. The last moment to make a COMPOSE_PAYLOAD a COMPOSE_FALLBACK.
    void (*choose)(void *context, struct compose_request *request);
    void (*done)(void *context, struct compose_request *request, enum compose_end end,
                 const json_t *header, const struct frame *frame);
    // A composer that was at work has ended for a reason that is not a payload's (or cannot
    // start); for the log.
    void (*trouble)(void *context, const struct error *err);
    // What keeps a composer from doing harm, arrays of texts: at the start, after a reload, and
    // where a later composer's differ.
    void (*confined)(void *context, const json_t *in_force, const json_t *missing);
    void *context;
};

// Starts the first composer, which is the program at that path, and waits until it has loaded
// everything. init: the header of `init` (docs/protocol.md), copied. Faults it finds in templates
// or normalisers are in *err (the first of them) and, all of them, in ret_faults (a
// JSON array of {where, what}; may be NULL). NULL on failure.
struct composers *composers_create(struct event_loop *loop, const char *program, const json_t *init,
                                   const struct composers_handlers *handlers, json_t **ret_faults,
                                   struct error *err);
void composers_destroy(struct composers *composers); // NULL is a no-op

// The request is the caller's, and untouched until done() is called with it, or
// composers_forget().
void composers_submit(struct composers *composers, struct compose_request *request);
// The caller no longer wants to hear of it: done() is not called for it.
void composers_forget(struct composers *composers, struct compose_request *request);

// Tries init on the samples of these sets, in a composer of its own: it must load in ten seconds
// and compose each sample in one. done() is told once, never before this returns: faults NULL,
// init is in force, and composers of before end when they have finished what they are at; or an
// array of {where, what}, and all is as it was. Where another reload is under way, that one's
// done() is told so, in here. All is copied; composers_destroy() does not call done().
typedef void composers_reload_fn(void *context, const json_t *faults);
void composers_reload(struct composers *composers, const json_t *init,
                      const struct sample_set *sets, size_t set_count, composers_reload_fn *done,
                      void *context);

// To be called when composers_next_ms() (CLOCK_BOOTTIME; INT64_MAX: never) has come.
void composers_tick(struct composers *composers, int64_t now_ms);
int64_t composers_next_ms(const struct composers *composers);

#endif
