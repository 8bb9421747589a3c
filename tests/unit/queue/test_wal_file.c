// What a connection's log does to its file, as counted by methods put between the two.
#include "queue/wal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wal_fixture.h"

#define MEGABYTE (1 << 20)

struct file_fixture {
    char dir[LOG_DIR_SIZE];
    struct database writer, reader;
    sqlite3_io_methods counting; // in front of SQLite's own
    const sqlite3_io_methods *real;
    int writes, syncs;
    int rc, rc_at; // how writes end; where rc_at is not 0, only the one of that number
};

static struct file_fixture *fixture_of; // SQLite's methods have no context

static int count_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    fixture_of->writes++;
    if (fixture_of->rc != SQLITE_OK &&
        (fixture_of->rc_at == 0 || fixture_of->writes == fixture_of->rc_at)) {
        fixture_of->real->xWrite(file, data, size / 2, offset);
        return fixture_of->rc;
    }
    return fixture_of->real->xWrite(file, data, size, offset);
}

static int count_sync(sqlite3_file *file, int flags)
{
    fixture_of->syncs++;
    return fixture_of->real->xSync(file, flags);
}

static void count(struct file_fixture *fixture)
{
    sqlite3_file *file = NULL;
    assert_int_equal(
        sqlite3_file_control(fixture->writer.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file),
        SQLITE_OK);
    fixture->real = file->pMethods;
    fixture->counting = *file->pMethods;
    fixture->counting.xWrite = count_write;
    fixture->counting.xSync = count_sync;
    file->pMethods = &fixture->counting;
}

static int setup(void **state)
{
    struct file_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_of = fixture;
    open_logged(fixture->dir, &fixture->writer, &fixture->reader);
    count(fixture);
    wal_file_improve(&fixture->writer);
    execute(&fixture->writer, "INSERT INTO row VALUES ('first')"); // the log has begun
    fixture->writes = fixture->syncs = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct file_fixture *fixture = *state;
    close_logged(fixture->dir, &fixture->writer, &fixture->reader);
    free(fixture);
    return 0;
}

static int64_t number(struct database *database, const char *sql)
{
    struct query query = query_start(database, sql);
    int64_t value = query_step(&query) ? query_get_int(&query) : -1;
    assert_int_equal(query.rc, SQLITE_OK);
    query_finish(&query);
    return value;
}

static off_t log_size(const struct file_fixture *fixture)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof(path), "%s/queue.db-wal", fixture->dir);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void a_commit_is_one_write_and_one_sync(void **state)
{
    struct file_fixture *fixture = *state;
    execute(&fixture->writer, "INSERT INTO row VALUES (zeroblob(80000))"); // twenty pages
    assert_int_equal(fixture->writes, 1);
    assert_int_equal(fixture->syncs, 1);
    assert_int_equal(number(&fixture->reader, "SELECT sum(length(body)) FROM row"), 80005);
}

static void a_long_commit_is_whole(void **state)
{
    struct file_fixture *fixture = *state;
    execute(&fixture->writer, "INSERT INTO row VALUES (randomblob(700000)), ('last')");
    assert_int_equal(fixture->syncs, 1);
    assert_int_equal(number(&fixture->reader, "SELECT sum(length(body)) FROM row"), 700009);
    static const char CHECK[] = "SELECT count(*) FROM pragma_integrity_check"
                                " WHERE integrity_check = 'ok'";
    assert_int_equal(number(&fixture->reader, CHECK), 1);
}

// A transaction that does not fit into the cache reads pages back that it has not committed.
static void a_transaction_reads_what_it_wrote(void **state)
{
    struct file_fixture *fixture = *state;
    execute(&fixture->writer,
            "PRAGMA cache_size = 10; BEGIN;"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200)"
            "INSERT INTO row SELECT printf('%01000d', i) FROM n;"
            "UPDATE row SET body = body || 'x' WHERE length(body) = 1000");
    assert_int_equal(number(&fixture->writer, "SELECT sum(length(body)) FROM row"), 200205);
    assert_int_equal(number(&fixture->reader, "SELECT count(*) FROM row"), 1);
    execute(&fixture->writer, "COMMIT");
    assert_int_equal(number(&fixture->reader, "SELECT sum(length(body)) FROM row"), 200205);
}

static void what_cannot_be_written_fails_the_commit(void **state)
{
    struct file_fixture *fixture = *state;
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        fixture->rc = codes[i];
        assert_int_equal(database_execute(&fixture->writer, "INSERT INTO row VALUES ('lost')"),
                         codes[i]);
        assert_int_equal(fixture->syncs, 0);
        fixture->rc = SQLITE_OK;
        assert_int_equal(number(&fixture->reader, "SELECT count(*) FROM row"), 1);
    }
    execute(&fixture->writer, "INSERT INTO row VALUES ('kept')");
    assert_int_equal(number(&fixture->reader, "SELECT count(*) FROM row"), 2);
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    ssize_t size;
    while ((size = sendfile(out, in, NULL, MEGABYTE)) > 0)
        continue;
    assert_int_equal(size, 0);
    close(in);
    close(out);
}

// As the next start finds it: what the log holds is read anew, since its index is not copied. To
// close a copied file releases this process's locks on it, which here nobody else looks at.
static int64_t number_at_next_start(const struct file_fixture *fixture, const char *sql)
{
    static const char *const ends[] = {"", "-wal"};
    char dir[48], from[64], to[64];
    snprintf(dir, sizeof(dir), "%s/next", fixture->dir);
    assert_true(mkdir(dir, 0700) == 0);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(from, sizeof(from), "%s/queue.db%s", fixture->dir, ends[i]);
        snprintf(to, sizeof(to), "%s/queue.db%s", dir, ends[i]);
        copy_file(from, to);
    }
    struct database database;
    struct error err = {0};
    assert_true(database_open(&database, dir, false, &err));
    int64_t value = number(&database, sql);
    database_close(&database);
    nftw(dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return value;
}

// A transaction that does not fit into the cache, and so writes some pages of the log twice.
static int insert_much(struct database *database)
{
    int rc = database_execute(
        database, "BEGIN;"
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 40)"
                  "INSERT INTO row SELECT printf('%04000d', i) FROM n;"
                  "UPDATE row SET body = body || 'x' WHERE length(body) = 4000;"
                  "COMMIT");
    if (!sqlite3_get_autocommit(database->handle))
        execute(database, "ROLLBACK");
    return rc;
}

// Wherever in a transaction the disk was full, the log goes on from the last commit.
static void a_commit_after_a_full_disk_is_there_at_the_next_start(void **state)
{
    struct file_fixture *fixture = *state;
    execute(&fixture->writer, "PRAGMA cache_size = 10");
    int room = 0;
    for (int rc = SQLITE_FULL; rc != SQLITE_OK; room++) {
        fixture->rc_at = fixture->writes + room + 1;
        fixture->rc = SQLITE_FULL;
        rc = insert_much(&fixture->writer);
        assert_true(rc == SQLITE_FULL || rc == SQLITE_OK);
        fixture->rc = SQLITE_OK;
        execute(&fixture->writer, "INSERT INTO row VALUES ('kept')");
        assert_int_equal(number_at_next_start(fixture, "SELECT sum(length(body)) FROM row"),
                         5 + (room + 1) * 4 + (rc == SQLITE_OK ? 40 * 4001 : 0));
    }
    assert_true(room > 40); // it had room for fewer writes in many places
}

static void the_file_grows_once_each_megabyte(void **state)
{
    struct file_fixture *fixture = *state;
    off_t size = log_size(fixture);
    assert_in_range(size, MEGABYTE, MEGABYTE + 40000);
    for (int i = 0; i < 20; i++)
        execute(&fixture->writer, "INSERT INTO row VALUES (zeroblob(40000))");
    assert_int_equal(log_size(fixture), size);
    for (int i = 0; i < 10; i++)
        execute(&fixture->writer, "INSERT INTO row VALUES (zeroblob(40000))");
    assert_in_range(log_size(fixture), size + MEGABYTE, size + MEGABYTE + 50000);
    assert_int_equal(number(&fixture->reader, "SELECT count(*) FROM row"), 31);
}

static void a_file_that_was_cut_grows_again(void **state)
{
    struct file_fixture *fixture = *state;
    execute(&fixture->writer, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(log_size(fixture), 0);
    execute(&fixture->writer, "INSERT INTO row VALUES ('second')");
    assert_in_range(log_size(fixture), MEGABYTE, MEGABYTE + 40000);
    assert_int_equal(number(&fixture->reader, "SELECT count(*) FROM row"), 2);
}

// What stands behind the last frame is nothing, whoever reads the log anew.
static void a_log_with_zeros_behind_it_is_read_whole(void **state)
{
    struct file_fixture *fixture = *state;
    struct error err = {0};
    execute(&fixture->writer, "INSERT INTO row VALUES ('second')");
    database_close(&fixture->reader);
    database_close(&fixture->writer); // never checkpoints
    assert_true(log_size(fixture) > MEGABYTE);
    char path[64];
    snprintf(path, sizeof(path), "%s/queue.db-shm", fixture->dir);
    unlink(path); // so the index is made of what the file holds
    assert_true(database_open(&fixture->writer, fixture->dir, false, &err));
    assert_int_equal(number(&fixture->writer, "SELECT count(*) FROM row"), 2);
}

#define FILE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_commit_is_one_write_and_one_sync),
        FILE_TEST(a_long_commit_is_whole),
        FILE_TEST(a_transaction_reads_what_it_wrote),
        FILE_TEST(what_cannot_be_written_fails_the_commit),
        FILE_TEST(a_commit_after_a_full_disk_is_there_at_the_next_start),
        FILE_TEST(the_file_grows_once_each_megabyte),
        FILE_TEST(a_file_that_was_cut_grows_again),
        FILE_TEST(a_log_with_zeros_behind_it_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
