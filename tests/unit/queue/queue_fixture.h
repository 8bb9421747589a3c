// queue_fixture.h - what the tests of the queue share: rows made, looked at, tampered with.
#ifndef TESTS_UNIT_QUEUE_QUEUE_FIXTURE_H
#define TESTS_UNIT_QUEUE_QUEUE_FIXTURE_H

#include "queue_writes.h"

// An envelope as the composer finds one: lane code, 15 minutes, for zoe.
static inline struct queue_envelope envelope_at(int64_t created_ms)
{
    return (struct queue_envelope){.channel = "email",
                                   .template = "login_code_valid",
                                   .lane = LANE_CODE,
                                   .locale = "hu",
                                   .recipient = "zoe@example.com",
                                   .identity_id = "identity-1",
                                   .coded = true,
                                   .created_ms = created_ms,
                                   .deadline_ms = created_ms + 15 * MINUTE_MS};
}

// A message that waits in `lane`, made through accepting and composing.
static inline void make_queued(struct queue *queue, const char *payload, enum lane lane,
                               int64_t created_ms, int64_t not_before_ms,
                               char ret_id[QUEUE_ID_SIZE])
{
    assert_int_equal(accept_at(queue, payload, created_ms, ret_id), QUEUE_DONE);
    struct queue_mail mail = {.envelope = envelope_at(created_ms),
                              .body = payload,
                              .body_size = strlen(payload),
                              .state = MESSAGE_QUEUED,
                              .not_before_ms = not_before_ms};
    mail.envelope.lane = lane;
    assert_int_equal(compose(queue, ret_id, &mail, 1), QUEUE_DONE);
}

static inline struct queue_message load_row(struct queue_reader *reader, const char *id)
{
    struct queue_message message;
    struct error err = {0};
    bool found = false;
    if (!queue_load(reader, id, &message, &found, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_true(found);
    return message;
}

// "" where the body was dropped. The caller frees.
static inline char *load_body(struct queue_reader *reader, const char *id)
{
    struct queue_message message;
    struct error err = {0};
    bool found = false;
    char *body = NULL;
    size_t size = 0;
    if (!queue_load(reader, id, &message, &found, &body, &size, &err))
        fail_msg("%s", err.message);
    assert_true(found);
    if (!body)
        return strdup("");
    assert_int_equal(strlen(body), size);
    return body;
}

static inline void assert_state(struct queue_reader *reader, const char *id,
                                enum message_state state)
{
    assert_string_equal(message_state_name(load_row(reader, id).state), message_state_name(state));
}

static inline void assert_body(struct queue_reader *reader, const char *id, const char *want)
{
    char *body = load_body(reader, id);
    assert_string_equal(body, want);
    free(body);
}

// Runs SQL on the file as an intruder or an operator would; with a printf format.
static inline void run_sql(const struct fixture *fixture, const char *sql)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    char *message = NULL;
    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(handle);
}

// The id of the row that SQL makes as number i, which is its time.
#define SQL_ROW_ID "printf('00000000-%04x-7000-8000-000000000000', i)"
#define SQL_ROW_SEQ "i << 12"

static inline void row_id(int i, char ret_id[QUEUE_ID_SIZE])
{
    snprintf(ret_id, QUEUE_ID_SIZE, "00000000-%04x-7000-8000-000000000000", (unsigned)i & 0xffff);
}

#endif
