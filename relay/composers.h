// composers.h - the composer processes: one, and a second under load.
//
// Takes payloads to compose and canonical mails to render, gives each to an idle composer (one
// at a time each), and tells how it went. Kills a composer that takes longer than a second over a
// payload, and starts anew what dies. Belongs to the thread of its event loop.
#ifndef RELAY_COMPOSERS_H
#define RELAY_COMPOSERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/event_loop.h"

struct composers;

enum compose_task {
    COMPOSE_PAYLOAD,  // blob: the raw payload; through the normaliser
    COMPOSE_FALLBACK, // blob: the raw payload; without the normaliser
    COMPOSE_RENDER,   // blob: a canonical mail
};

// One piece of work. Owned by the caller and untouched until done() is called with it, or
// composers_forget().
struct compose_request {
    enum compose_task task;
    const char *id;
    const char *route; // whose normaliser; not for COMPOSE_RENDER
    const void *blob;
    size_t blob_size;
    int64_t received_boot_ms;     // CLOCK_BOOTTIME
    struct compose_request *next; // composers::waiting
    int64_t waiting_since_ms;
};

enum compose_end {
    COMPOSED,       // header is the `composed` frame
    COMPOSE_FAILED, // the composer says so: header is the `failed` frame
    COMPOSE_DIED,   // it killed its composer, or took too long: header is NULL
};

struct composers_handlers {
    void (*done)(void *context, struct compose_request *request, enum compose_end end,
                 const json_t *header, const struct frame *frame);
    // A composer that was at work has ended for a reason that is not a payload's (or cannot
    // start); for the log.
    void (*trouble)(void *context, const struct error *err);
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

void composers_submit(struct composers *composers, struct compose_request *request);
// The caller no longer wants to hear of it: done() is not called for it.
void composers_forget(struct composers *composers, struct compose_request *request);

// To be called when composers_next_ms() (CLOCK_BOOTTIME; INT64_MAX: never) has come.
void composers_tick(struct composers *composers, int64_t now_ms);
int64_t composers_next_ms(const struct composers *composers);

#endif
