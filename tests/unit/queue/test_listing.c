// Lists and counts of a large queue: in stretches, and none open while somebody else has the floor.
#include "queue_fixture.h"

enum { ROWS = 3500 };

// Rows with ids of ascending times; values: state, lane, created, not_before, payload_hash of row
// i.
static void fill(struct fixture *fixture, int rows, const char *values)
{
    char sql[1024];
    int size = snprintf(sql, sizeof(sql),
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
                        " i < %d) INSERT INTO message (seq, id, body_form, updated, route,"
                        " state, lane, created, not_before, payload_hash)"
                        " SELECT i << 12, printf('0000%%04x-%%04x-7000-8000-000000000000',"
                        " i >> 16, i & 65535), 0, 0, 'r', %s FROM n",
                        rows, values);
    assert_in_range(size, 1, sizeof(sql) - 1);
    run_sql(fixture, sql);
}

// What the writer does to give the log's space back. False where a look is in its way.
static bool can_truncate_log(const struct fixture *fixture)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle,
                                  "UPDATE message SET updated = updated + 1 WHERE seq ="
                                  " (SELECT max(seq) FROM message)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    int rc = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    assert_true(rc == SQLITE_OK || rc == SQLITE_BUSY);
    sqlite3_close(handle);
    return rc == SQLITE_OK;
}

struct seen {
    struct fixture *fixture;
    size_t count, truncated;
    char last_id[QUEUE_ID_SIZE];
};

static bool see(void *context, const struct queue_message *message)
{
    struct seen *seen = context;
    if (seen->count++ % 500 == 0) // a reader whose output nobody takes, for instance
        seen->truncated += can_truncate_log(seen->fixture);
    assert_true(seen->count == 1 || strcmp(message->id, seen->last_id) < 0);
    memcpy(seen->last_id, message->id, sizeof(seen->last_id));
    return true;
}

static void a_row_that_nobody_can_read_hides_no_others(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    fill(fixture, ROWS, "'queued', 'code', i, 0, randomblob(32)");
    run_sql(fixture, "UPDATE message SET lane = 'CODE' WHERE seq = 1000 << 12");
    struct seen seen = {.fixture = fixture};
    const struct queue_filter all = {.limit = SIZE_MAX};
    assert_false(queue_list(fixture->reader, &all, see, &seen, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, "03e8-7000"));
    assert_int_equal(seen.count, ROWS - 1);

    run_sql(fixture, "UPDATE message SET state = 'lost' WHERE seq = 3 << 12");
    seen = (struct seen){.fixture = fixture};
    assert_false(queue_list(fixture->reader, &all, see, &seen, &err));
    assert_non_null(strstr(err.message, "2 rows"));
    assert_int_equal(seen.count, ROWS - 2);
}

static void a_list_holds_no_look_open_while_it_is_given_out(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct seen seen = {.fixture = fixture};
    const struct queue_filter all = {.limit = SIZE_MAX};
    fill(fixture, ROWS, "'queued', 'code', 1000, 0, x'00'");
    assert_true(queue_list(fixture->reader, &all, see, &seen, &err));
    assert_int_equal(seen.count, ROWS);
    assert_int_equal(seen.truncated, ROWS / 500);
}

static void a_list_ends_at_its_limit_wherever_that_is(void **state)
{
    struct fixture *fixture = *state;
    static const size_t limits[] = {1, 999, 1000, 1001, 2000, 3499, 3500, 3501};
    fill(fixture, ROWS, "CASE WHEN i % 2 THEN 'queued' ELSE 'held' END, 'code', 1000, 0, x'00'");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct error err = {0};
        struct seen all = {.fixture = fixture}, half = {.fixture = fixture};
        struct queue_filter filter = {.limit = limits[i]};
        assert_true(queue_list(fixture->reader, &filter, see, &all, &err));
        assert_int_equal(all.count, limits[i] < ROWS ? limits[i] : ROWS);
        filter.states = QUEUE_STATE_BIT(MESSAGE_HELD);
        assert_true(queue_list(fixture->reader, &filter, see, &half, &err));
        assert_int_equal(half.count, limits[i] < ROWS / 2 ? limits[i] : ROWS / 2);
    }
}

static void pages_end_at_their_limit_or_when_enough_was_looked_at(void **state)
{
    struct fixture *fixture = *state;
    static const size_t looks[] = {1, 1000, 1001, SIZE_MAX};
    fill(fixture, ROWS, "CASE WHEN i % 7 THEN 'queued' ELSE 'held' END, 'code', 1000, 0, x'00'");
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        struct error err = {0};
        struct seen seen = {.fixture = fixture};
        char next_id[QUEUE_ID_SIZE] = "";
        struct queue_filter filter = {.states = QUEUE_STATE_BIT(MESSAGE_HELD), .limit = 60};
        size_t pages = 0;
        do {
            size_t before = seen.count;
            filter.before_id = *next_id ? next_id : NULL;
            assert_true(
                queue_list_page(fixture->reader, &filter, looks[i], see, &seen, next_id, &err));
            assert_true(seen.count - before <= 60);
            pages++;
        } while (*next_id);
        assert_int_equal(seen.count, ROWS / 7);
        assert_in_range(pages, ROWS / 7 / 60, ROWS / 60 + 1);
    }
}

static void several_states_and_a_smarthost_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct seen seen = {.fixture = fixture};
    fill(fixture, 90,
         "CASE i % 3 WHEN 0 THEN 'queued' WHEN 1 THEN 'held' ELSE 'sent' END, 'code', 1000, 0,"
         " x'00'");
    run_sql(fixture, "UPDATE message SET smarthost = 'one' WHERE state = 'held'");
    struct queue_filter filter = {
        .states = QUEUE_STATE_BIT(MESSAGE_HELD) | QUEUE_STATE_BIT(MESSAGE_SENT), .limit = 100};
    assert_true(queue_list(fixture->reader, &filter, see, &seen, &err));
    assert_int_equal(seen.count, 60);
    filter.smarthost = "one";
    seen = (struct seen){.fixture = fixture};
    assert_true(queue_list(fixture->reader, &filter, see, &seen, &err));
    assert_int_equal(seen.count, 30);
}

// More than one transaction counts, of rows that nothing but their ids tells apart.
static void counts_are_right_across_stretches(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct queue_stats stats;
    fill(fixture, 250000,
         "CASE WHEN i % 5 = 0 THEN 'sent' WHEN i % 5 = 1 THEN 'received' ELSE 'queued' END,"
         " CASE WHEN i % 5 = 1 THEN NULL ELSE 'code' END, 1000 + i / 200000, 7,"
         " CAST(char(i % 256) AS BLOB)");
    assert_true(queue_stats(fixture->reader, &stats, &err));
    assert_int_equal(stats.count[MESSAGE_SENT], 50000);
    assert_int_equal(stats.count[MESSAGE_RECEIVED], 50000);
    assert_int_equal(stats.count[MESSAGE_QUEUED], 150000);
    assert_int_equal(stats.waiting[LANE_CODE], 150000);
    assert_int_equal(stats.waiting[LANE_NOTICE], 0);
    assert_int_equal(stats.oldest_waiting_ms[LANE_CODE], 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_row_that_nobody_can_read_hides_no_others),
        QUEUE_TEST(a_list_holds_no_look_open_while_it_is_given_out),
        QUEUE_TEST(a_list_ends_at_its_limit_wherever_that_is),
        QUEUE_TEST(pages_end_at_their_limit_or_when_enough_was_looked_at),
        QUEUE_TEST(several_states_and_a_smarthost_are_told_apart),
        QUEUE_TEST(counts_are_right_across_stretches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
