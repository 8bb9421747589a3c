// How long the write-ahead log becomes beside readers that stay, that pass, and that never pause.
#include "queue/wal.h"

#include "wal_fixture.h"

struct log_fixture {
    char dir[LOG_DIR_SIZE];
    struct database writer, reader;
    struct wal wal;
};

static int setup(void **state)
{
    struct log_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    open_logged(fixture->dir, &fixture->writer, &fixture->reader);
    wal_init(&fixture->wal, &fixture->writer);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct log_fixture *fixture = *state;
    close_logged(fixture->dir, &fixture->writer, &fixture->reader);
    free(fixture);
    return 0;
}

// Adds that many pages to the log, less than ten more.
static void write_pages(struct log_fixture *fixture, int pages)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "INSERT INTO row VALUES (zeroblob(%d))", pages * 4096);
    execute(&fixture->writer, sql);
}

#define LOG_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void it_is_put_away_when_idle_and_worth_it(void **state)
{
    struct log_fixture *fixture = *state;
    write_pages(fixture, 900);
    assert_true(wal_idle_moment(&fixture->wal) == INT64_MAX);
    write_pages(fixture, 200);
    fixture->wal.committed_at_ms = 1000;
    assert_int_equal(wal_idle_moment(&fixture->wal), 1050);
    assert_int_equal(wal_checkpoint(&fixture->wal, 1050), SQLITE_OK);
    assert_int_equal(wal_fresh_bytes(&fixture->wal), 0);
    assert_true(wal_idle_moment(&fixture->wal) == INT64_MAX);
    write_pages(fixture, 1);
    assert_in_range(fixture->wal.pages, 1, 20); // it has begun anew
}

// A transaction left open by a foreign process: what is newer than it stays in the log.
static void a_reader_that_stays_delays_it(void **state)
{
    struct log_fixture *fixture = *state;
    write_pages(fixture, 10);
    execute(&fixture->reader, "BEGIN; SELECT count(*) FROM row");
    write_pages(fixture, 600);
    assert_true(wal_is_long(&fixture->wal, 1000, true));
    assert_int_equal(wal_checkpoint_long(&fixture->wal, 1000), SQLITE_OK);
    assert_true(fixture->wal.pages > 600);
    assert_false(wal_is_long(&fixture->wal, 1999, true));
    assert_true(wal_is_long(&fixture->wal, 2000, true));
    execute(&fixture->reader, "COMMIT");
    assert_int_equal(wal_checkpoint_long(&fixture->wal, 2000), SQLITE_OK);
    assert_int_equal(fixture->wal.pages, 0);
    write_pages(fixture, 1);
    assert_in_range(fixture->wal.pages, 1, 20);
}

// It reads the newest row, so all could be put away; but while it reads, the log is not its owner's
// to begin anew. The checkpoint that waits for nobody would let it grow; the other one waits.
static void *leave_soon(void *context)
{
    usleep(5000);
    execute(context, "COMMIT");
    return NULL;
}

static void a_reader_that_passes_is_waited_for(void **state)
{
    struct log_fixture *fixture = *state;
    pthread_t thread;
    write_pages(fixture, 600);
    execute(&fixture->reader, "BEGIN; SELECT count(*) FROM row");
    assert_int_equal(wal_checkpoint(&fixture->wal, 0), SQLITE_OK);
    write_pages(fixture, 1);
    assert_true(fixture->wal.pages > 600); // appended to
    database_set_patience(&fixture->writer, 60000);
    assert_int_equal(pthread_create(&thread, NULL, leave_soon, &fixture->reader), 0);
    fixture->wal.pages = 1 << 20; // very long: it waits for as long as any reader of ours stays
    assert_int_equal(wal_checkpoint_long(&fixture->wal, 0), SQLITE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(fixture->wal.pages, 0);
    write_pages(fixture, 1);
    assert_in_range(fixture->wal.pages, 1, 20);
}

static void a_burst_leaves_no_long_file(void **state)
{
    struct log_fixture *fixture = *state;
    write_pages(fixture, 24000);
    assert_true(wal_size_bytes(&fixture->wal) > 96000000);
    assert_int_equal(wal_checkpoint_long(&fixture->wal, 0), SQLITE_OK);
    write_pages(fixture, 1);
    assert_int_equal(wal_size_bytes(&fixture->wal), 72 << 20);
    assert_int_equal(wal_give_back(&fixture->wal, 0), SQLITE_OK);
    assert_int_equal(wal_size_bytes(&fixture->wal), 0);
}

static void the_disk_is_looked_at_once_each_megabyte(void **state)
{
    struct log_fixture *fixture = *state;
    write_pages(fixture, 200);
    assert_false(wal_asks_for_room(&fixture->wal));
    write_pages(fixture, 100);
    assert_true(wal_asks_for_room(&fixture->wal));
    assert_false(wal_asks_for_room(&fixture->wal));
    assert_true(wal_fresh_bytes(&fixture->wal) >= 300 * 4096);
    assert_int_equal(wal_checkpoint_long(&fixture->wal, 0), SQLITE_OK);
    write_pages(fixture, 300);
    assert_true(wal_asks_for_room(&fixture->wal)); // of the one begun anew
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(it_is_put_away_when_idle_and_worth_it),    LOG_TEST(a_reader_that_stays_delays_it),
        LOG_TEST(a_reader_that_passes_is_waited_for),       LOG_TEST(a_burst_leaves_no_long_file),
        LOG_TEST(the_disk_is_looked_at_once_each_megabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
