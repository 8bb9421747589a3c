// What the dispatcher asks for costs the same however much waits: counted in SQLite's own steps.
#include "queue/reader.h"
#include "queue_fixture.h"

enum { ROWS = 12000, SLACK_STEPS = 400 };

// Rows i with first <= i < first + ROWS, a third in each lane, all due; as many `received`.
static void add_rows(struct fixture *fixture)
{
    static const char SQL[] =
        "INSERT INTO message (seq, id, state, lane, created, updated, not_before, deadline,"
        " body_form, route, payload_hash, content_digest, supersede_digest)"
        " WITH RECURSIVE n(i) AS (SELECT coalesce(max(seq) >> 12, 0) + 1 FROM message"
        "  UNION ALL SELECT i + 1 FROM n LIMIT 24000)"
        " SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID ", iif(i % 2, 'queued', 'received'),"
        " iif(i % 2, substr('code  noticebulk  ', i / 2 % 3 * 6 + 1, 6), NULL), i, i, 0,"
        " 100000000000000 + i, 0, 'r', randomblob(32), randomblob(32), randomblob(32) FROM n";
    run_sql(fixture, SQL);
    run_sql(fixture, "UPDATE message SET lane = rtrim(lane) WHERE lane <> rtrim(lane)");
}

static void look_at_everything(struct fixture *fixture)
{
    char ids[8][QUEUE_ID_SIZE];
    struct error err = {0};
    size_t count = 0;
    int64_t next_ms = 0, now_ms = queue_now_ms(fixture->queue);
    static const uint8_t digest[QUEUE_DIGEST_SIZE] = {1};
    bool found = false;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        assert_true(queue_due(fixture->reader, (enum lane)lane, now_ms, 8, ids, &count, &err));
        assert_int_equal(count, 8);
    }
    assert_true(queue_received(fixture->reader, 8, ids, &count, &err));
    assert_int_equal(count, 8);
    assert_true(queue_next_due(fixture->reader, now_ms, &next_ms, &err));
    assert_true(queue_overdue(fixture->reader, now_ms, 8, ids, &count, &next_ms, &err));
    assert_true(queue_find_content(fixture->reader, digest, ids[0], now_ms, ids[1], &found, &err));
    assert_true(queue_find_newer(fixture->reader, digest, false, ids[0], 1, ids[1], &found, &err));
    assert_true(queue_count_siblings(fixture->reader, ids[0], &count, &err));
}

// Steps of the reader's statements since the last time this was asked.
static size_t count_steps(struct fixture *fixture, int64_t ret_steps[DATABASE_STATEMENTS_MAX])
{
    struct database *database = &fixture->reader->database;
    for (size_t i = 0; i < database->statement_count; i++) {
        sqlite3_stmt *statement = database->statements[i].statement;
        ret_steps[i] = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
        int scanned = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
        if (scanned > 8) // the few that a subquery holds
            fail_msg("scans %d rows: %s", scanned, database->statements[i].sql);
    }
    return database->statement_count;
}

static void a_look_costs_the_same_with_twice_as_many_rows(void **state)
{
    struct fixture *fixture = *state;
    int64_t before[DATABASE_STATEMENTS_MAX] = {0}, after[DATABASE_STATEMENTS_MAX] = {0};
    add_rows(fixture);
    look_at_everything(fixture); // prepares the statements
    count_steps(fixture, before);
    look_at_everything(fixture);
    size_t count = count_steps(fixture, before);
    assert_true(count >= 10);
    add_rows(fixture);
    look_at_everything(fixture);
    assert_int_equal(count_steps(fixture, after), count);
    for (size_t i = 0; i < count; i++)
        if (after[i] > before[i] + SLACK_STEPS)
            fail_msg("%lld steps, then %lld: %s", (long long)before[i], (long long)after[i],
                     fixture->reader->database.statements[i].sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_look_costs_the_same_with_twice_as_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
