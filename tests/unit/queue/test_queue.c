#include "queue_fixture.h"

// ---- names ------------------------------------------------------------------------------------

static void states_and_lanes_have_the_words_of_the_design(void **state)
{
    (void)state;
    static const char *const STATES[] = {"received", "queued",  "sending",    "sent",
                                         "failed",   "expired", "superseded", "cancelled",
                                         "unknown",  "held",    "parked"};
    static const char *const LANES[] = {"code", "notice", "bulk"};
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++) {
        enum message_state parsed;
        assert_string_equal(message_state_name((enum message_state)i), STATES[i]);
        assert_true(message_state_parse(STATES[i], &parsed));
        assert_int_equal(parsed, i);
    }
    for (int i = 0; i < LANE_COUNT; i++) {
        enum lane parsed;
        assert_string_equal(lane_name((enum lane)i), LANES[i]);
        assert_true(lane_parse(LANES[i], &parsed));
        assert_int_equal(parsed, i);
    }
    enum message_state no_state;
    enum lane no_lane;
    assert_false(message_state_parse("", &no_state));
    assert_false(lane_parse("codes", &no_lane));
}

// ---- the folder -------------------------------------------------------------------------------

static unsigned mode_of(const struct fixture *fixture, const char *name)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void makes_a_folder_and_files_for_nobody_else(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DONE);
    assert_int_equal(mode_of(fixture, "."), 0700);
    static const char *const FILES[] = {"queue.db", "queue.db-wal", "queue.db-shm", "queue.key",
                                        "queue.lock"};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        assert_int_equal(mode_of(fixture, FILES[i]), 0600);

    struct fixture inner;
    fixture_init(&inner);
    strncat(inner.dir, "/inner", sizeof(inner.dir) - strlen(inner.dir) - 1);
    fixture_open(&inner);
    assert_int_equal(mode_of(&inner, "."), 0700);
    *strrchr(inner.dir, '/') = '\0';
    fixture_finish(&inner);
}

static void refuses_a_folder_open_to_others(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_close(fixture);
    assert_int_equal(chmod(fixture->dir, 0750), 0);
    assert_false(fixture_try_open(fixture, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    char *full = realpath(fixture->dir, NULL);
    assert_true(full && strstr(err.message, full));
    free(full);
    assert_non_null(strstr(err.message, "has mode 0750 and must have 0700"));
    assert_non_null(strstr(err.message, "RELAY_QUEUE_DIR"));
    assert_null(strstr(err.message, "chmod")); // it may be somebody else's
    chmod(fixture->dir, 0700);
    fixture_open(fixture);
}

static void refuses_a_second_opener(void **state)
{
    struct fixture *fixture = *state;
    struct fixture second = {.boot_ms = BOOT_START};
    struct error err = {0};
    memcpy(second.dir, fixture->dir, sizeof(second.dir));
    assert_false(fixture_try_open(&second, NULL, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    assert_non_null(strstr(err.message, fixture->dir));
    fixture_reopen(fixture); // free again once it is closed
}

static char *read_file(const struct fixture *fixture, const char *name, size_t *ret_size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        *ret_size = 0;
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*ret_size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *ret_size, file), *ret_size);
    fclose(file);
    return data;
}

static void leaves_a_newer_schema_untouched(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fixture_close(fixture);
    run_sql(fixture, "PRAGMA user_version = 1000");
    size_t size = 0, size_after = 0;
    char *before = read_file(fixture, "queue.db", &size);
    assert_false(fixture_try_open(fixture, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_null(queue_reader_open(fixture->dir, &err));
    assert_int_equal(err.code, ERR_INPUT);
    char *after = read_file(fixture, "queue.db", &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    free(before);
    free(after);
}

static void copy_file(const struct fixture *from, const struct fixture *to, const char *name)
{
    char path[128];
    size_t size = 0;
    char *data = read_file(from, name, &size);
    snprintf(path, sizeof(path), "%s/%s", to->dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    free(data);
}

// What a newer program that was killed has left: its version and its rows are in the WAL alone.
static void leaves_a_newer_programs_log_untouched(void **state)
{
    static const char *const names[] = {"queue.db", "queue.db-wal"};
    struct fixture *fixture = *state, killed;
    struct error err = {0};
    fixture_init(&killed);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":1}", NULL), QUEUE_DONE);
    run_sql(fixture, "PRAGMA user_version = 1000");
    char *before[2];
    size_t size[2], size_after = 0;
    copy_file(fixture, &killed, "queue.key");
    for (int i = 0; i < 2; i++) {
        copy_file(fixture, &killed, names[i]);
        before[i] = read_file(&killed, names[i], &size[i]);
    }
    assert_true(size[1] > 4096);
    assert_false(fixture_try_open(&killed, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.message, "schema 1000"));
    for (int i = 0; i < 2; i++) {
        char *after = read_file(&killed, names[i], &size_after);
        assert_int_equal(size[i], size_after);
        assert_memory_equal(before[i], after, size_after);
        free(before[i]);
        free(after);
    }
    fixture_finish(&killed);
}

static void refuses_what_is_no_database(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    char path[128];
    fixture_close(fixture);
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    FILE *file = fopen(path, "wb");
    for (int i = 0; i < 1000; i++)
        fputs("not a database ", file);
    fclose(file);
    assert_false(fixture_try_open(fixture, NULL, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void closing_leaves_everything_in_the_database_file(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"a\":1}", id), QUEUE_DONE);
    fixture_close(fixture);
    size_t size = 0;
    free(read_file(fixture, "queue.db-wal", &size));
    assert_int_equal(size, 0);
    fixture_open(fixture);
    assert_body(fixture->reader, id, "{\"a\":1}");
}

static void ids_ascend_in_the_order_they_are_made(void **state)
{
    struct fixture *fixture = *state;
    char before[QUEUE_ID_SIZE] = "", id[QUEUE_ID_SIZE];
    for (int i = 0; i < 5000; i++) { // more than a millisecond has numbers
        queue_new_id(fixture->queue, id);
        assert_true(strcmp(before, id) < 0);
        assert_int_equal(strlen(id), 36);
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        memcpy(before, id, sizeof(id));
    }
}

static void digests_are_keyed_and_kept_apart_by_purpose(void **state)
{
    struct fixture *fixture = *state;
    uint8_t one[QUEUE_DIGEST_SIZE], two[QUEUE_DIGEST_SIZE];
    queue_digest(fixture->queue, "content", "abc", 3, one);
    queue_digest(fixture->queue, "recipient", "abc", 3, two);
    assert_memory_not_equal(one, two, sizeof(one));
    fixture_reopen(fixture);
    queue_digest(fixture->queue, "content", "abc", 3, two);
    assert_memory_equal(one, two, sizeof(one));

    struct fixture other;
    fixture_init(&other);
    fixture_open(&other);
    queue_digest(other.queue, "content", "abc", 3, two);
    assert_memory_not_equal(one, two, sizeof(one));
    fixture_finish(&other);
}

// ---- readers of other processes ---------------------------------------------------------------

static void a_command_reads_beside_the_daemon_and_without_it(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    for (int round = 0; round < 2; round++) {
        struct queue_reader *reader = queue_reader_open(fixture->dir, &err);
        assert_non_null(reader);
        assert_state(reader, id, MESSAGE_RECEIVED);
        struct queue_message message;
        bool found;
        char *body;
        size_t size;
        assert_false(queue_load(reader, id, &message, &found, &body, &size, &err));
        assert_int_equal(err.code, ERR_INPUT);
        queue_reader_destroy(reader);
        fixture_close(fixture);
    }
    assert_null(queue_reader_open("/nonexistent-queue", &err));
    assert_int_equal(err.code, ERR_INPUT);
}

// ---- secrets ----------------------------------------------------------------------------------

static bool holds(const struct fixture *fixture, const char *name, const char *needle)
{
    size_t size = 0;
    char *data = read_file(fixture, name, &size);
    bool found = data && memmem(data, size, needle, strlen(needle)) != NULL;
    free(data);
    return found;
}

static void no_code_lies_on_disk_in_the_clear(void **state)
{
    struct fixture *fixture = *state;
    static const char PAYLOAD[] = "{\"code\":\"CANARY-483920\",\"to\":\"zoe\"}";
    static const char *const FILES[] = {"queue.db", "queue.db-wal", "queue.db-shm"};
    char id[QUEUE_ID_SIZE], queued[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    make_queued(fixture->queue, "{\"mail\":\"CANARY-483920\"}", LANE_CODE,
                queue_now_ms(fixture->queue), 0, queued);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 3; i++)
            assert_false(holds(fixture, FILES[i], "CANARY-483920"));
        assert_true(round == 1 || holds(fixture, "queue.db-wal", id));
        fixture_close(fixture);
    }
    assert_true(holds(fixture, "queue.db", id));
    assert_true(holds(fixture, "queue.db", "zoe@example.com"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_lanes_have_the_words_of_the_design),
        QUEUE_TEST(makes_a_folder_and_files_for_nobody_else),
        QUEUE_TEST(refuses_a_folder_open_to_others),
        QUEUE_TEST(refuses_a_second_opener),
        QUEUE_TEST(leaves_a_newer_schema_untouched),
        QUEUE_TEST(leaves_a_newer_programs_log_untouched),
        QUEUE_TEST(refuses_what_is_no_database),
        QUEUE_TEST(closing_leaves_everything_in_the_database_file),
        QUEUE_TEST(ids_ascend_in_the_order_they_are_made),
        QUEUE_TEST(digests_are_keyed_and_kept_apart_by_purpose),
        QUEUE_TEST(a_command_reads_beside_the_daemon_and_without_it),
        QUEUE_TEST(no_code_lies_on_disk_in_the_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
