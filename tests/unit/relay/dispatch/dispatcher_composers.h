// dispatcher_composers.h - what the dispatcher's tests have in place of its composers and
// deliverers: stand-ins that note what they are given, and answer when the test says so.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_COMPOSERS_H
#define TESTS_UNIT_RELAY_DISPATCHER_COMPOSERS_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>

#include "relay/dispatch/dispatch.h"

enum { REQUESTS_MAX = 320, STARTED_MAX = 32, MINUTE_MS = 60 * 1000, LIFETIME_MS = 15 * MINUTE_MS };

struct started {
    char id[QUEUE_ID_SIZE];
    struct delivery *delivery; // good until it is ended
};

// What the stand-ins were given, in the order it came.
static struct {
    struct composers_handlers composers;
    struct compose_request *requests[REQUESTS_MAX];
    size_t request_count;
    composers_reload_fn *reload_done;
    void *reload_context;

    struct deliverers_handlers deliverers;
    struct started started[STARTED_MAX];
    size_t started_count, under_way, slots;
    bool down, is_paced;
    const char *waits_for_another;             // an id that no smarthost takes
    size_t wanted_count;                       // deliverers_wanted()
    bool is_only;                              // of smarthosts: it has no other
    char suspects[STARTED_MAX][QUEUE_ID_SIZE]; // ids, recipients: not to be the probe, unless there
                                               // is nothing else
    size_t suspect_count;
} seen;

struct composers *composers_create(struct event_loop *loop, const char *program, const json_t *init,
                                   const struct composers_handlers *handlers, json_t **ret_faults,
                                   struct error *err)
{
    (void)loop, (void)program, (void)init, (void)ret_faults, (void)err;
    seen.composers = *handlers;
    return (struct composers *)(void *)&seen;
}

void composers_destroy(struct composers *composers)
{
    (void)composers;
}

void composers_submit(struct composers *composers, struct compose_request *request)
{
    (void)composers;
    assert_true(seen.request_count < REQUESTS_MAX);
    seen.composers.choose(seen.composers.context, request); // as if one were idle
    seen.requests[seen.request_count++] = request;
}

void composers_forget(struct composers *composers, struct compose_request *request)
{
    (void)composers, (void)request;
}

void composers_reload(struct composers *composers, const json_t *init,
                      const struct sample_set *sets, size_t set_count, composers_reload_fn *done,
                      void *context)
{
    (void)composers, (void)init, (void)sets, (void)set_count;
    seen.reload_done = done;
    seen.reload_context = context;
}

void composers_tick(struct composers *composers, int64_t now_ms)
{
    (void)composers, (void)now_ms;
}

int64_t composers_next_ms(const struct composers *composers)
{
    (void)composers;
    return INT64_MAX;
}

#endif
