#include <fcntl.h>

#include "key_file_text.h"

#define OLD_HEX "aa0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void write_key(const struct fixture *fixture, const char *text)
{
    char path[128];
    key_path(fixture, path);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void rekey(struct fixture *fixture)
{
    struct error err = {0};
    char key_id[QUEUE_KEY_ID_SIZE];
    bool made = false;
    if (!queue_rekey(fixture->queue, &made, key_id, &err))
        fail_msg("%s", err.message);
    assert_true(made);
    assert_int_equal(strspn(key_id, "0123456789abcdef"), 8);
}

static void wait_resealed(struct fixture *fixture)
{
    assert_int_equal(sem_wait(&fixture->resealed_often), 0);
    assert_null(fixture->resealed.err);
}

// What is left of a rekey goes on behind what else a start commits.
static void recover(struct fixture *fixture)
{
    struct error err = {0};
    struct queue_recovery recovery = {0};
    if (!queue_recover(fixture->queue, "next", 2, &recovery, &err))
        fail_msg("%s", err.message);
    free(recovery.ended);
}

static int64_t select_int(const struct fixture *fixture, const char *sql)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return value;
}

static void bodies_are_sealed_anew_and_the_old_key_goes(void **state)
{
    struct fixture *fixture = *state;
    char before[2048], after[2048], ids[3][QUEUE_ID_SIZE], part[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"s\":0}", LANE_CODE, now_ms, 0, ids[0]);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", ids[1]), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":2}", ids[2]), QUEUE_DONE);
    const struct queue_mail mails[2] = {
        {.envelope = envelope_at(now_ms), .state = MESSAGE_QUEUED, .body = "m", .body_size = 1},
        {.envelope = envelope_at(now_ms),
         .state = MESSAGE_PARKED,
         .reason = "no_content",
         .body = "{\"s\":2}",
         .body_size = 7,
         .body_is_payload = true}};
    assert_int_equal(compose(fixture->queue, ids[2], mails, 2), QUEUE_DONE);
    assert_int_equal(select_int(fixture, "SELECT count(*) FROM message"), 4);
    settle_as(fixture->queue, ids[1], MESSAGE_PARKED, "no_content");
    read_key(fixture, before);
    fixture_pass(fixture, HOUR_MS);

    rekey(fixture);
    wait_resealed(fixture);
    assert_int_equal(fixture->resealed.bodies, 4);
    assert_int_equal(fixture->resealed.keys_needed, 0);
    assert_int_equal(read_key(fixture, after), 1);
    assert_string_not_equal(before, after);
    // The new key opens all, alone, and nothing else of a row has changed.
    fixture_reopen(fixture);
    assert_false(queue_keys_lost(fixture->queue));
    assert_body(fixture->reader, ids[0], "{\"s\":0}");
    assert_body(fixture->reader, ids[1], "{\"s\":1}");
    assert_body(fixture->reader, ids[2], "m");
    assert_state(fixture->reader, ids[0], MESSAGE_QUEUED);
    assert_state(fixture->reader, ids[1], MESSAGE_PARKED);
    assert_string_equal(load_row(fixture->reader, ids[1]).reason, "no_content");
    assert_true(load_row(fixture->reader, ids[0]).updated_ms < now_ms + HOUR_MS);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", part), QUEUE_DUPLICATE);
    assert_string_equal(part, ids[1]);
}

// More than a batch, with rows among them that have no body.
static void many_bodies_take_many_batches(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 150 };
    char ids[COUNT][QUEUE_ID_SIZE], text[64], key[2048];
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "{\"s\":%d}", i);
        assert_int_equal(accept_now(fixture->queue, text, ids[i]), QUEUE_DONE);
        if (i % 3 == 0)
            settle_as(fixture->queue, ids[i], MESSAGE_SENT, NULL);
    }
    run_sql(fixture, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
                     " INSERT INTO message (seq, id, state, created, updated, body_form, route,"
                     " payload_hash) SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID ", 'sent', i, i, 0, '/',"
                     " x'00' FROM n");
    rekey(fixture);
    wait_resealed(fixture);
    assert_int_equal(fixture->resealed.bodies, COUNT - COUNT / 3);
    assert_int_equal(read_key(fixture, key), 1);
    fixture_reopen(fixture);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "{\"s\":%d}", i);
        assert_body(fixture->reader, ids[i], i % 3 == 0 ? "" : text);
    }
}

// What a kill between two steps leaves: the new key is in front, and nothing is sealed with it.
static void a_restart_goes_on(void **state)
{
    struct fixture *fixture = *state;
    char key[2048], both[4096], id[QUEUE_ID_SIZE], path[160];
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", id), QUEUE_DONE);
    read_key(fixture, key);
    fixture_close(fixture);
    snprintf(both, sizeof(both), "%s\n%s", KEY_HEX, key);
    write_key(fixture, both);
    snprintf(path, sizeof(path), "%s/queue.key.new", fixture->dir);
    close(open(path, O_WRONLY | O_CREAT, 0600)); // and half of a next one
    fixture_open(fixture);
    assert_false(queue_keys_lost(fixture->queue));
    assert_int_not_equal(access(path, F_OK), 0);
    for (int i = 0; i < 50; i++) // time enough for a thread that did not wait
        settle_as(fixture->queue, id, MESSAGE_PARKED, "no_content");
    assert_int_equal(sem_trywait(&fixture->resealed_often), -1);
    recover(fixture);
    wait_resealed(fixture);
    assert_int_equal(fixture->resealed.bodies, 1);
    assert_int_equal(read_key(fixture, key), 1);
    assert_string_equal(key, KEY_HEX "\n");
    fixture_reopen(fixture);
    assert_false(queue_keys_lost(fixture->queue));
    assert_body(fixture->reader, id, "{\"s\":1}");
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", NULL), QUEUE_DUPLICATE);
    rekey(fixture);
}

static void given_keys_are_not_made_but_the_first_seals(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    char id[QUEUE_ID_SIZE], key_id[QUEUE_KEY_ID_SIZE];
    bool made = true;
    fixture_init(&fixture);
    assert_true(fixture_try_open(&fixture, OLD_HEX, &err));
    assert_int_equal(accept_now(fixture.queue, "{\"s\":1}", id), QUEUE_DONE);
    fixture_close(&fixture);
    assert_true(fixture_try_open(&fixture, KEY_HEX "," OLD_HEX, &err));
    assert_true(queue_rekey(fixture.queue, &made, key_id, &err));
    assert_false(made);
    wait_resealed(&fixture);
    assert_true(fixture.resealed.are_given);
    fixture_close(&fixture);
    assert_true(fixture_try_open(&fixture, KEY_HEX, &err));
    assert_false(queue_keys_lost(fixture.queue));
    assert_body(fixture.reader, id, "{\"s\":1}");
    fixture_finish(&fixture);
}

// Whoever mends the row needs the key that it was sealed with.
static void a_body_that_does_not_open_keeps_its_key(void **state)
{
    struct fixture *fixture = *state;
    char key[2048], id[QUEUE_ID_SIZE];
    make_queued(fixture->queue, "{\"s\":1}", LANE_CODE, queue_now_ms(fixture->queue), 0, id);
    run_sql(fixture, "UPDATE message SET deadline = deadline + 1");
    rekey(fixture);
    wait_resealed(fixture);
    assert_int_equal(fixture->resealed.bodies, 0);
    assert_int_equal(fixture->resealed.keys_needed, 1);
    assert_int_equal(read_key(fixture, key), 2);
    run_sql(fixture, "UPDATE message SET deadline = deadline - 1");
    fixture_reopen(fixture);
    recover(fixture);
    wait_resealed(fixture);
    assert_int_equal(fixture->resealed.bodies, 1);
    assert_int_equal(read_key(fixture, key), 1);
    assert_body(fixture->reader, id, "{\"s\":1}");
}

static void assert_no_rekey(struct fixture *fixture)
{
    struct error err = {0};
    char key_id[QUEUE_KEY_ID_SIZE];
    bool made = false;
    assert_false(queue_rekey(fixture->queue, &made, key_id, &err));
    assert_int_not_equal(err.code, ERR_NONE);
}

static void a_file_that_cannot_be_written_leaves_the_key(void **state)
{
    struct fixture *fixture = *state;
    char before[2048], after[2048], id[QUEUE_ID_SIZE], path[160];
    read_key(fixture, before);
    snprintf(path, sizeof(path), "%s/queue.key.new", fixture->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_no_rekey(fixture);
    read_key(fixture, after);
    assert_string_equal(before, after);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":1}", id), QUEUE_DONE);
    fixture_reopen(fixture);
    assert_body(fixture->reader, id, "{\"s\":1}");
}

// A new file would be without the keys that the operator has taken away, which nobody else has.
static void a_file_without_the_key_in_use_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    char before[2048], after[2048], path[128];
    read_key(fixture, before);
    write_key(fixture, KEY_HEX "\n");
    assert_no_rekey(fixture);
    read_key(fixture, after);
    assert_string_equal(after, KEY_HEX "\n");
    key_path(fixture, path);
    unlink(path);
    assert_no_rekey(fixture);
    assert_int_equal(access(path, F_OK), -1);
}

// ---- beside accepting ---------------------------------------------------------------------------

struct accepting {
    struct fixture *fixture;
    pthread_t thread;
    int number, count;
    sem_t permits; // each pass is over all rows: without end, they would outgrow a slow machine
    _Atomic bool *stop;
};

static void *accept_on_and_on(void *argument)
{
    struct accepting *accepting = argument;
    char text[64];
    while (sem_wait(&accepting->permits) == 0 && !atomic_load(accepting->stop)) {
        snprintf(text, sizeof(text), "{\"s\":%d,\"t\":%d}", accepting->count, accepting->number);
        if (accept_now(accepting->fixture->queue, text, NULL) != QUEUE_DONE)
            return argument;
        accepting->count++;
    }
    return NULL;
}

static bool opens(void *context, const struct queue_message *message)
{
    struct fixture *fixture = context;
    char *body = load_body(fixture->reader, message->id);
    assert_int_equal(strncmp(body, "{\"s\":", 5), 0);
    free(body);
    return true;
}

static void what_is_accepted_meanwhile_opens_with_the_keys_that_stay(void **state)
{
    struct fixture *fixture = *state;
    enum { THREADS = 4, ROUNDS = 12, PER_ROUND = 20 };
    struct accepting accepting[THREADS];
    _Atomic bool stop = false;
    for (int i = 0; i < THREADS; i++) {
        accepting[i] = (struct accepting){.fixture = fixture, .number = i, .stop = &stop};
        sem_init(&accepting[i].permits, 0, 0);
        pthread_create(&accepting[i].thread, NULL, accept_on_and_on, &accepting[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < THREADS * PER_ROUND; j++)
            sem_post(&accepting[j % THREADS].permits);
        rekey(fixture);
        if (i % 2)
            wait_resealed(fixture);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        sem_post(&accepting[i].permits);
        pthread_join(accepting[i].thread, &failed);
        sem_destroy(&accepting[i].permits);
        assert_null(failed);
        assert_true(accepting[i].count > 0);
    }
    fixture_reopen(fixture);
    const struct queue_filter filter = {.limit = SIZE_MAX};
    struct error err = {0};
    struct queue_reader *lister = queue_reader_open(fixture->dir, &err);
    assert_non_null(lister);
    assert_true(queue_list(lister, &filter, opens, fixture, &err));
    queue_reader_destroy(lister);
}

// ---- what was sealed with an older key is with the writer when the ring has changed -------------

static struct keys *watched; // NULL: nobody asks
static int submitted_held, submitted_free;

void __real_writer_submit(struct writer *writer, struct change *change);
void __wrap_writer_submit(struct writer *writer, struct change *change);

void __wrap_writer_submit(struct writer *writer, struct change *change)
{
    if (watched && pthread_rwlock_trywrlock(&watched->lock) == 0) {
        pthread_rwlock_unlock(&watched->lock);
        submitted_free++;
    } else if (watched) {
        submitted_held++;
    }
    __real_writer_submit(writer, change);
}

static void whoever_seals_holds_the_ring_until_it_is_submitted(void **state)
{
    struct fixture *fixture = *state;
    char ids[2][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    const struct queue_envelope envelope = envelope_at(now_ms);
    const struct queue_mail mail = {
        .envelope = envelope, .body = "m", .body_size = 1, .state = MESSAGE_QUEUED};
    const struct queue_settlement waits = {
        .state = MESSAGE_QUEUED, .envelope = &envelope, .body = "m", .body_size = 1};
    watched = fixture->queue->keys;
    assert_int_equal(accept_at(fixture->queue, "{\"s\":1}", now_ms, ids[0]), QUEUE_DONE);
    assert_int_equal(accept_at(fixture->queue, "{\"s\":2}", now_ms, ids[1]), QUEUE_DONE);
    assert_int_equal(compose(fixture->queue, ids[0], &mail, 1), QUEUE_DONE);
    assert_int_equal(settle(fixture->queue, ids[1], &waits), QUEUE_DONE);
    watched = NULL;
    assert_body(fixture->reader, ids[1], "m");
    assert_int_equal(submitted_held, 4);
    assert_int_equal(submitted_free, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(bodies_are_sealed_anew_and_the_old_key_goes),
        QUEUE_TEST(many_bodies_take_many_batches),
        QUEUE_TEST(a_restart_goes_on),
        cmocka_unit_test(given_keys_are_not_made_but_the_first_seals),
        QUEUE_TEST(a_body_that_does_not_open_keeps_its_key),
        QUEUE_TEST(a_file_that_cannot_be_written_leaves_the_key),
        QUEUE_TEST(a_file_without_the_key_in_use_is_not_written),
        QUEUE_TEST(whoever_seals_holds_the_ring_until_it_is_submitted),
        QUEUE_TEST(what_is_accepted_meanwhile_opens_with_the_keys_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
