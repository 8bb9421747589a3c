// queue_fixture.h - a queue in a folder of its own, on clocks the test sets, and writes that
// wait for their end.
#ifndef TESTS_UNIT_QUEUE_QUEUE_FIXTURE_H
#define TESTS_UNIT_QUEUE_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue_private.h"

#define WALL_START 1790000000000
#define BOOT_START 5000000
#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct fixture {
    char dir[64];
    struct queue *queue;
    struct queue_reader *reader;
    _Atomic int64_t boot_ms, wall_ms;
    char boot_id[CLOCK_BOOT_ID_SIZE];
    _Atomic int broken; // how often on_broken was called
};

static int64_t fixture_boot_ms(void *context)
{
    return ((struct fixture *)context)->boot_ms;
}

static int64_t fixture_wall_ms(void *context)
{
    return ((struct fixture *)context)->wall_ms;
}

static bool fixture_boot_id(void *context, char ret_id[CLOCK_BOOT_ID_SIZE], struct error *err)
{
    (void)err;
    memcpy(ret_id, ((struct fixture *)context)->boot_id, CLOCK_BOOT_ID_SIZE);
    return true;
}

static void fixture_broken(void *context, const struct error *err)
{
    assert_int_not_equal(err->code, ERR_NONE);
    atomic_fetch_add(&((struct fixture *)context)->broken, 1);
}

static inline bool fixture_try_open(struct fixture *fixture, const char *key_hex, struct error *err)
{
    const struct clock_source source = {.boot_ms = fixture_boot_ms,
                                        .wall_ms = fixture_wall_ms,
                                        .boot_id = fixture_boot_id,
                                        .context = fixture};
    const struct queue_options options = {
        .dir = fixture->dir, .key_hex = key_hex, .on_broken = fixture_broken, .context = fixture};
    fixture->queue = queue_open_at(&options, &source, err);
    if (!fixture->queue)
        return false;
    fixture->reader = queue_reader_create(fixture->queue, err);
    return fixture->reader != NULL;
}

static inline void fixture_open(struct fixture *fixture)
{
    struct error err = {0};
    if (!fixture_try_open(fixture, NULL, &err))
        fail_msg("%s", err.message);
}

static inline void fixture_close(struct fixture *fixture)
{
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    fixture->reader = NULL;
    fixture->queue = NULL;
}

static inline void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static inline void fixture_pass(struct fixture *fixture, int64_t ms)
{
    atomic_fetch_add(&fixture->boot_ms, ms);
    atomic_fetch_add(&fixture->wall_ms, ms);
}

// The machine starts anew, having been off for ms.
static inline void fixture_reboot(struct fixture *fixture, int64_t ms)
{
    fixture_close(fixture);
    fixture->boot_id[0]++;
    fixture->boot_ms = 1000;
    fixture->wall_ms += ms;
    fixture_open(fixture);
}

static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.boot_ms = BOOT_START, .wall_ms = WALL_START};
    memset(fixture->boot_id, 'a', CLOCK_BOOT_ID_SIZE - 1);
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/queue-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
}

static int fixture_remove_one(const char *path, const struct stat *status, int type,
                              struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static inline void fixture_finish(struct fixture *fixture)
{
    fixture_close(fixture);
    nftw(fixture->dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_init(fixture);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static int fixture_teardown(void **state)
{
    fixture_finish(*state);
    free(*state);
    return 0;
}

#define QUEUE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

// ---- writes that wait -----------------------------------------------------------------------

struct outcome {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int count;
    enum queue_result result;
    char id[QUEUE_ID_SIZE];
};
#define OUTCOME_INIT                                                                               \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER                      \
    }

static void outcome_done(void *context, enum queue_result result, const char *id)
{
    struct outcome *outcome = context;
    pthread_mutex_lock(&outcome->mutex);
    outcome->result = result;
    snprintf(outcome->id, sizeof(outcome->id), "%s", id);
    outcome->count++;
    pthread_cond_signal(&outcome->ended);
    pthread_mutex_unlock(&outcome->mutex);
}

static inline enum queue_result outcome_wait(struct outcome *outcome)
{
    pthread_mutex_lock(&outcome->mutex);
    while (outcome->count == 0)
        pthread_cond_wait(&outcome->ended, &outcome->mutex);
    pthread_mutex_unlock(&outcome->mutex);
    return outcome->result;
}

// Accepts a payload now, on the route "/kratos/webhook"; ret_id (may be NULL) is what done said.
static inline enum queue_result accept_at(struct queue *queue, const char *payload,
                                          int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    struct outcome outcome = OUTCOME_INIT;
    char id[QUEUE_ID_SIZE];
    queue_new_id(queue, id);
    const struct queue_accept accept = {.id = id,
                                        .route = "/kratos/webhook",
                                        .key_name = "kratos",
                                        .payload = payload,
                                        .payload_size = strlen(payload),
                                        .received_ms = received_ms};
    queue_accept(queue, &accept, outcome_done, &outcome);
    enum queue_result result = outcome_wait(&outcome);
    if (ret_id)
        memcpy(ret_id, outcome.id, QUEUE_ID_SIZE);
    return result;
}

static inline enum queue_result accept_now(struct queue *queue, const char *payload,
                                           char ret_id[QUEUE_ID_SIZE])
{
    return accept_at(queue, payload, queue_now_ms(queue), ret_id);
}

static inline enum queue_result settle(struct queue *queue, const char *id,
                                       const struct queue_settlement *settlement)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_settle(queue, id, settlement, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

static inline enum queue_result settle_as(struct queue *queue, const char *id,
                                          enum message_state state, const char *reason)
{
    return settle(queue, id, &(struct queue_settlement){.state = state, .reason = reason});
}

static inline enum queue_result claim(struct queue *queue, const char *id, const char *owner)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_claim(queue, id, owner, queue_now_ms(queue) + MINUTE_MS, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

static inline enum queue_result compose(struct queue *queue, const char *id,
                                        const struct queue_mail *mails, size_t count)
{
    struct outcome outcome = OUTCOME_INIT;
    queue_compose(queue, id, mails, count, outcome_done, &outcome);
    return outcome_wait(&outcome);
}

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
