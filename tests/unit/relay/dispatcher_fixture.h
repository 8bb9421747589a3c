// dispatcher_fixture.h - a dispatcher with a real queue and real dot marks. Its composers and
// deliverers are stand-ins: they note what they are given, and answer when the test says so.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_FIXTURE_H
#define TESTS_UNIT_RELAY_DISPATCHER_FIXTURE_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch.h"
#include "tests/support/folder.h"

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

    struct deliverers_handlers deliverers;
    struct started started[STARTED_MAX];
    size_t started_count, under_way, slots;
    bool down;
} seen;

// ---- the stand-ins ----------------------------------------------------------------------------

struct composers *composers_create(struct event_loop *loop, const struct config *config,
                                   const struct composers_handlers *handlers, json_t **ret_faults,
                                   struct error *err)
{
    (void)loop, (void)config, (void)ret_faults, (void)err;
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
    seen.requests[seen.request_count++] = request;
}

void composers_forget(struct composers *composers, struct compose_request *request)
{
    (void)composers, (void)request;
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

struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err)
{
    (void)loop, (void)config, (void)dots, (void)err;
    seen.deliverers = *handlers;
    return (struct deliverers *)(void *)&seen;
}

void deliverers_destroy(struct deliverers *deliverers)
{
    (void)deliverers;
}

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    static const char *const names[] = {"sent",    "temporary", "permanent", "session",
                                        "unknown", "expired",   "cut"};
    return names[outcome];
}

size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.down || seen.under_way >= seen.slots ? 0 : seen.slots - seen.under_way;
}

bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.down;
}

size_t deliverers_under_way(const struct deliverers *deliverers)
{
    (void)deliverers;
    return seen.under_way;
}

bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms)
{
    if (deliverers_free_slots(deliverers, now_ms) == 0)
        return false;
    assert_true(seen.started_count < STARTED_MAX);
    struct started *started = &seen.started[seen.started_count++];
    memcpy(started->id, delivery->id, QUEUE_ID_SIZE);
    started->delivery = delivery;
    delivery->started_boot_ms = now_ms;
    seen.under_way++;
    return true;
}

void deliverers_cut(struct deliverers *deliverers)
{
    (void)deliverers;
}

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
}

int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return INT64_MAX;
}

// ---- the fixture ------------------------------------------------------------------------------

struct fixture {
    char dir[FOLDER_PATH_SIZE];
    struct event_loop *loop;
    struct config config;
    struct queue *queue;
    struct queue_reader *reader;
    struct dots *dots;
    struct dispatcher *dispatcher;
};

static inline int set_up(void **state)
{
    memset(&seen, 0, sizeof(seen));
    log_setup(LOG_JSON, LOG_ERROR);
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    folder_make(fixture->dir);
    const struct queue_options options = {.dir = fixture->dir};
    fixture->config = (struct config){.transaction_timeout_ms = MINUTE_MS};
    fixture->loop = event_loop_create(&err);
    fixture->queue = queue_open(&options, &err);
    fixture->reader = fixture->queue ? queue_reader_create(fixture->queue, &err) : NULL;
    fixture->dots = dots_open(fixture->dir, 0, &err);
    fixture->dispatcher = dispatcher_create(fixture->loop, &fixture->config, fixture->queue,
                                            fixture->dots, "run", NULL, &err);
    *state = fixture;
    return fixture->dispatcher && fixture->reader ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    queue_flush(fixture->queue, &err); // what still runs tells the dispatcher
    dispatcher_destroy(fixture->dispatcher);
    dots_close(fixture->dots);
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    event_loop_destroy(fixture->loop);
    folder_remove(fixture->dir);
    free(fixture);
    return 0;
}

#define DISPATCHER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

// Until every write that was submitted has ended, and the dispatcher has heard of it.
static inline void settle_down(struct fixture *fixture)
{
    for (int i = 0; i < 5; i++) {
        struct error err = {0};
        queue_flush(fixture->queue, &err);
        assert_true(event_loop_wait(fixture->loop, 0, &err));
        dispatcher_tick(fixture->dispatcher);
    }
}

// ---- payloads and what is composed of them ----------------------------------------------------

static inline void offer(struct fixture *fixture, int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    queue_new_id(fixture->queue, ret_id);
    dispatcher_offer(fixture->dispatcher, ret_id, "kratos", ret_id, strlen(ret_id), received_ms);
}

static inline void tell_dispatcher(void *context, enum queue_result result, const char *id)
{
    struct fixture *fixture = context;
    dispatcher_committed(fixture->dispatcher, id, result);
}

// The payload is the id itself: no two are alike.
static inline void commit(struct fixture *fixture, int64_t received_ms, const char *id)
{
    const struct queue_accept accept = {.id = id,
                                        .route = "kratos",
                                        .payload = id,
                                        .payload_size = strlen(id),
                                        .received_ms = received_ms};
    queue_accept(fixture->queue, &accept, tell_dispatcher, fixture);
    settle_down(fixture);
}

static inline json_t *mail_in(const char *lane, int lifetime_ms)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:i}", "channel", "email",
                     "template", "login_code_valid", "lane", lane, "recipient", "a@example.com",
                     "sender", "no-reply@acme.example", "coded", 1, "lifetime_ms", lifetime_ms,
                     "canonical", 0, "mime", 1);
}

static inline json_t *mail_with(const char *key, const char *value)
{
    json_t *mail = mail_in("code", LIFETIME_MS);
    json_object_set_new(mail, key, json_string(value));
    return mail;
}

// Steals mails, an array or a single one.
static inline void answer(size_t request, json_t *mails)
{
    json_auto_t *header = json_is_array(mails) ? json_pack("{s:o}", "mails", mails)
                                               : json_pack("{s:[o]}", "mails", mails);
    struct frame frame = {.blob_count = 2};
    frame.blobs[0] = (struct frame_blob){"{}", 2};
    frame.blobs[1] = (struct frame_blob){"From: x\r\n\r\nx\r\n", 14};
    assert_true(request < seen.request_count);
    seen.composers.done(seen.composers.context, seen.requests[request], COMPOSED, header, &frame);
}

// Offered, committed, composed: it goes out as soon as there is a slot. Steals mail.
static inline void admit(struct fixture *fixture, int64_t received_ms, json_t *mail,
                         char ret_id[QUEUE_ID_SIZE])
{
    size_t request = seen.request_count;
    offer(fixture, received_ms, ret_id);
    commit(fixture, received_ms, ret_id);
    answer(request, mail);
    settle_down(fixture);
}

// Ends the started delivery of that index.
static inline void end(size_t index, enum delivery_outcome outcome)
{
    const struct delivery_result result = {
        .outcome = outcome, .smarthost = "smarthost", .stage = "dot"};
    assert_true(index < seen.started_count);
    seen.under_way--;
    seen.deliverers.done(seen.deliverers.context, seen.started[index].delivery, &result);
}

// ---- what has become of it --------------------------------------------------------------------

static inline struct queue_message row_of(struct fixture *fixture, const char *id)
{
    struct queue_message row;
    struct error err = {0};
    bool found = false;
    if (!queue_load(fixture->reader, id, &row, &found, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_true(found);
    return row;
}

static inline void assert_row(struct fixture *fixture, const char *id, enum message_state state,
                              const char *reason)
{
    struct queue_message row = row_of(fixture, id);
    assert_string_equal(message_state_name(row.state), message_state_name(state));
    assert_string_equal(row.reason, reason);
}

static inline void assert_started(size_t index, const char *id)
{
    assert_true(index < seen.started_count);
    assert_string_equal(seen.started[index].id, id);
}

// Nothing is in memory, and every place there is free again.
static inline void assert_memory_empty(struct fixture *fixture)
{
    assert_int_equal(fixture->dispatcher->jobs.count, 0);
    assert_int_equal(atomic_load(&fixture->dispatcher->load_count), 0);
    assert_int_equal(atomic_load(&fixture->dispatcher->load_bytes), 0);
}

#endif
