// dispatcher_fixture.h - messages that come to a dispatcher, and what has become of them.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_FIXTURE_H
#define TESTS_UNIT_RELAY_DISPATCHER_FIXTURE_H

#include "dispatcher_folder.h"

// ---- payloads and what is composed of them ----------------------------------------------------

static inline void offer(struct fixture *fixture, int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    queue_new_id(fixture->queue, ret_id);
    const struct queue_accept accept = accept_of(ret_id, received_ms);
    dispatcher_offer(fixture->dispatcher, &accept);
}

static inline void tell_dispatcher(void *context, enum queue_result result, const char *id)
{
    struct fixture *fixture = context;
    dispatcher_committed(fixture->dispatcher, id, result);
}

static inline void commit(struct fixture *fixture, int64_t received_ms, const char *id)
{
    const struct queue_accept accept = accept_of(id, received_ms);
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
static inline void end_set_back(size_t index, enum delivery_outcome outcome, int set_back)
{
    const struct delivery_result result = {
        .outcome = outcome, .smarthost = "smarthost", .stage = "dot", .set_back = set_back};
    assert_true(index < seen.started_count);
    seen.under_way--;
    seen.deliverers.done(seen.deliverers.context, seen.started[index].delivery, &result);
}

#define end(index, outcome) end_set_back((index), (outcome), 0)

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
