// How an older file becomes a current one, with steps of a later version that there is not yet.
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "queue_fixture.h"

// ---- what the machine does ----------------------------------------------------------------------

static bool disk_is_full;
static int writes_to_live; // 0: it lives on

// In front of libc's.
int statvfs(const char *path, struct statvfs *ret_disk)
{
    (void)path;
    *ret_disk = (struct statvfs){.f_frsize = 4096, .f_bavail = disk_is_full ? 1000 : 1u << 30};
    return 0;
}

static void live_or_die(void)
{
    if (writes_to_live > 0 && --writes_to_live == 0)
        raise(SIGKILL);
}

// In front of libc's, for SQLite as well: dies before, so the one before it was the last.
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    live_or_die();
    return syscall(SYS_pwrite64, fd, data, size, at);
}

int fdatasync(int fd)
{
    live_or_die();
    return (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
    live_or_die();
    return (int)syscall(SYS_unlink, path);
}

// ---- files --------------------------------------------------------------------------------------

enum { NOW = 3, LATER, MUCH_LATER }; // how many steps this version's schema has, and the others'
static struct schema_step steps[MUCH_LATER];
static const struct schema LATER_SCHEMA = {.steps = steps, .count = LATER};
static const struct schema MUCH_LATER_SCHEMA = {.steps = steps, .count = MUCH_LATER};

static const char ADD[] = "ALTER TABLE message ADD COLUMN colour TEXT;"
                          "UPDATE message SET colour = 'red';"
                          "CREATE INDEX message_colour ON message(colour)";

static void set_steps(const char *later, const char *much_later)
{
    assert_int_equal(SCHEMA.count, NOW);
    for (int i = 0; i < NOW; i++)
        steps[i] = SCHEMA.steps[i];
    steps[LATER - 1] = (struct schema_step){"later", later};
    steps[MUCH_LATER - 1] = (struct schema_step){"much_later", much_later};
}

static char *read_file(const struct fixture *fixture, size_t *ret_size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *ret_size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*ret_size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *ret_size, file), *ret_size);
    fclose(file);
    return data;
}

static int count_rehearsals(const struct fixture *fixture)
{
    static const char *const names[] = {"queue.rehearsal", "queue.rehearsal-journal",
                                        "queue.rehearsal-wal", "queue.rehearsal-shm"};
    int count = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", fixture->dir, names[i]);
        count += access(path, F_OK) == 0;
    }
    return count;
}

static int64_t ask(const struct fixture *fixture, const char *sql)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return value;
}

// An old file with some mails in it, and an attempt.
static void make_old(struct fixture *fixture)
{
    const struct queue_attempt attempt = {.outcome = "sent"};
    char id[QUEUE_ID_SIZE];
    for (int i = 0; i < 50; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"i\":%d}", i);
        make_queued(fixture->queue, payload, LANE_CODE, queue_now_ms(fixture->queue), 0, id);
    }
    const struct queue_settlement sent = {.state = MESSAGE_SENT, .attempt = &attempt};
    assert_int_equal(settle(fixture->queue, id, &sent), QUEUE_DONE);
    fixture_close(fixture);
}

// ---- tests --------------------------------------------------------------------------------------

static void an_older_file_is_brought_up_to_date(void **state)
{
    struct fixture *fixture = *state;
    make_old(fixture);
    set_steps(ADD, "UPDATE message SET colour = 'blue' WHERE state = 'sent'");
    fixture->schema = &MUCH_LATER_SCHEMA;
    fixture_open(fixture);
    assert_int_equal(ask(fixture, "PRAGMA user_version"), MUCH_LATER);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM message WHERE colour = 'red'"), 49);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM message WHERE colour = 'blue'"), 1);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM attempt"), 1);
    assert_int_equal(count_rehearsals(fixture), 0);
    // It is used as any other, and the next start has nothing to do.
    assert_int_equal(accept_now(fixture->queue, "{\"new\":1}", NULL), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, "{\"i\":7}", NULL), QUEUE_DUPLICATE);
    set_steps("this is no SQL", "neither is this");
    fixture_reopen(fixture);
}

static void an_empty_or_current_file_is_not_rehearsed(void **state)
{
    struct fixture *fixture = *state;
    disk_is_full = true; // which only a rehearsal would ask
    fixture_reopen(fixture);
    fixture_finish(fixture);
    fixture_init(fixture);
    fixture_open(fixture);
    disk_is_full = false;
}

static void a_step_that_fails_is_named_and_leaves_the_file_alone(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *later, *much_later, *says;
    } cases[] = {
        {ADD, "UPDATE message SET colour = 'blue'; INSERT INTO nowhere VALUES (1)", "much_later"},
        {"ALTER TABLE message ADD COLUMN state TEXT", "SELECT 1", "step later"},
        {ADD, "DELETE FROM message WHERE state = 'sent'", "1 attempts have no message"},
        {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
         " replace(sql, 'reason TEXT', 'reason TEXT NOT NULL') WHERE name = 'message'",
         "PRAGMA writable_schema = RESET", "no sound database"},
    };
    make_old(fixture);
    size_t size = 0, size_after = 0;
    char *before = read_file(fixture, &size);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {0};
        set_steps(cases[i].later, cases[i].much_later);
        fixture->schema = &MUCH_LATER_SCHEMA;
        assert_false(fixture_try_open(fixture, NULL, &err));
        if (!strstr(err.message, cases[i].says) || !strstr(err.message, "left untouched"))
            fail_msg("%s", err.message);
        char *after = read_file(fixture, &size_after);
        assert_int_equal(size, size_after);
        assert_memory_equal(before, after, size);
        free(after);
        assert_int_equal(count_rehearsals(fixture), 0);
    }
    free(before);
    fixture->schema = NULL;
    fixture_open(fixture); // the old program goes on with it
}

static void a_disk_without_room_is_no_place_to_migrate(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    make_old(fixture);
    set_steps(ADD, NULL);
    fixture->schema = &LATER_SCHEMA;
    disk_is_full = true;
    assert_false(fixture_try_open(fixture, NULL, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    assert_non_null(strstr(err.message, "left untouched"));
    disk_is_full = false;
    assert_int_equal(ask(fixture, "PRAGMA user_version"), NOW);
    fixture_open(fixture);
    assert_int_equal(ask(fixture, "PRAGMA user_version"), LATER);
}

// In a child: migrates, and dies before its n-th write. True: it did not get that far.
static bool migrates_within(struct fixture *fixture, int writes)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = {0};
        writes_to_live = writes;
        bool ok = fixture_try_open(fixture, NULL, &err);
        writes_to_live = 0;
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

static void a_kill_at_any_write_leaves_the_old_file_or_the_new_one(void **state)
{
    struct fixture *fixture = *state;
    int old = 0, migrated = 0, writes = 1;
    set_steps(ADD, NULL);
    for (bool survived = false; !survived; writes++) {
        fixture_finish(fixture);
        fixture_init(fixture);
        fixture->schema = NULL;
        fixture_open(fixture);
        make_old(fixture);
        fixture->schema = &LATER_SCHEMA;
        survived = migrates_within(fixture, writes);
        int64_t version = ask(fixture, "PRAGMA user_version");
        int64_t coloured = ask(fixture, "SELECT count(*) FROM sqlite_schema"
                                        " WHERE sql LIKE '%colour%'");
        assert_int_equal(coloured, version == LATER ? 2 : 0);
        old += version == NOW;
        migrated += version == LATER;
        fixture_open(fixture); // and what is left of the rehearsal is in nobody's way
        assert_int_equal(ask(fixture, "SELECT count(*) FROM message WHERE colour = 'red'"), 50);
        assert_int_equal(count_rehearsals(fixture), 0);
        fixture_close(fixture);
    }
    assert_true(old > 20);
    assert_true(migrated > 1);
}

static bool keep_attempt(void *context, const struct queue_attempt_row *attempt)
{
    *(struct queue_attempt_row *)context = *attempt;
    return true;
}

// A file as version 1 left it: a row of that time has no address, no TLS, no trace and no source of
// its locale.
static void what_older_versions_did_not_note_is_null(void **state)
{
    struct fixture *fixture = *state;
    make_old(fixture);
    run_sql(fixture, "ALTER TABLE attempt DROP COLUMN address;"
                     "ALTER TABLE attempt DROP COLUMN tls;"
                     "ALTER TABLE message DROP COLUMN trace_id;"
                     "ALTER TABLE message DROP COLUMN locale_source; PRAGMA user_version = 1");
    fixture_open(fixture);
    assert_int_equal(ask(fixture, "PRAGMA user_version"), NOW);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM attempt WHERE outcome = 'sent'"
                                  " AND address IS NULL AND tls IS NULL"),
                     1);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM message WHERE trace_id IS NULL"
                                  " AND locale_source IS NULL"),
                     50);
    char id[QUEUE_ID_SIZE];
    struct queue_attempt_row row = {0};
    struct error err = {0};
    const struct queue_attempt attempt = {
        .outcome = "temporary", .address = "192.0.2.1:25", .tls = "TLSv1.3"};
    const struct queue_settlement failed = {.state = MESSAGE_FAILED, .attempt = &attempt};
    make_queued(fixture->queue, "{\"new\":1}", LANE_CODE, queue_now_ms(fixture->queue), 0, id);
    assert_int_equal(settle(fixture->queue, id, &failed), QUEUE_DONE);
    assert_true(queue_attempts(fixture->reader, id, keep_attempt, &row, &err));
    assert_string_equal(row.address, "192.0.2.1:25");
    assert_string_equal(row.tls, "TLSv1.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(an_older_file_is_brought_up_to_date),
        QUEUE_TEST(what_older_versions_did_not_note_is_null),
        QUEUE_TEST(an_empty_or_current_file_is_not_rehearsed),
        QUEUE_TEST(a_step_that_fails_is_named_and_leaves_the_file_alone),
        QUEUE_TEST(a_disk_without_room_is_no_place_to_migrate),
        QUEUE_TEST(a_kill_at_any_write_leaves_the_old_file_or_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
