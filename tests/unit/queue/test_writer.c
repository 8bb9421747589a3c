// What the writer does when the disk does not: full, failing, and killed.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "queue/reserve.h"
#include "queue_fixture.h"

// ---- a VFS that fails on demand ---------------------------------------------------------------

// Each file's methods are the unix VFS's own but for xWrite and xSync. It has one set of them
// for the database and another, which does not lock, for the rest; the two are the same there.
static sqlite3_vfs failing_vfs;
static sqlite3_vfs *unix_vfs;
static const sqlite3_io_methods *unix_methods;
static sqlite3_io_methods failing_database_methods, failing_other_methods;
static _Atomic int write_failure, sync_failure; // SQLite's code, or 0
static _Atomic int sync_count;

static int failing_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    int rc = write_failure;
    return rc ? rc : unix_methods->xWrite(file, data, size, offset);
}

static int failing_sync(sqlite3_file *file, int flags)
{
    int rc = sync_failure;
    sync_count++;
    return rc ? rc : unix_methods->xSync(file, flags);
}

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    int rc = unix_vfs->xOpen(vfs, name, file, flags, ret_flags);
    if (rc == SQLITE_OK && file->pMethods) {
        sqlite3_io_methods *methods =
            flags & SQLITE_OPEN_MAIN_DB ? &failing_database_methods : &failing_other_methods;
        unix_methods = file->pMethods;
        *methods = *unix_methods;
        methods->xWrite = failing_write;
        methods->xSync = failing_sync;
        file->pMethods = methods;
    }
    return rc;
}

// In front of libc's: a disk whose room is what a test says.
static _Atomic size_t free_bytes;

int fstatvfs(int fd, struct statvfs *ret_status)
{
    (void)fd;
    *ret_status = (struct statvfs){.f_frsize = 1, .f_bavail = free_bytes};
    return 0;
}

static int register_vfs(void **state)
{
    (void)state;
    unix_vfs = sqlite3_vfs_find(NULL);
    failing_vfs = *unix_vfs;
    failing_vfs.zName = "failing";
    failing_vfs.xOpen = failing_open;
    return sqlite3_vfs_register(&failing_vfs, 1);
}

static int setup(void **state)
{
    write_failure = sync_failure = 0;
    free_bytes = 1 << 30;
    return fixture_setup(state);
}

static int teardown(void **state)
{
    write_failure = sync_failure = 0;
    return fixture_teardown(state);
}

#define WRITER_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

enum { LOOKS_MAX = 6000 }; // of 10 ms: a minute, for a disk that is slow

static bool wait_until_writable(struct fixture *fixture, bool wanted)
{
    for (int i = 0; i < LOOKS_MAX && queue_writable(fixture->queue) != wanted; i++) {
        fixture_pass(fixture, 10); // the probe writes the time: it must be another one
        usleep(10000);
    }
    return queue_writable(fixture->queue) == wanted;
}

// ---- groups -----------------------------------------------------------------------------------

static void a_duplicate_costs_no_sync(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DONE);
    int before = sync_count;
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DUPLICATE);
    assert_int_equal(sync_count, before);
}

static void what_queues_up_shares_a_commit(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct outcome outcome = OUTCOME_INIT;
    int before = sync_count;
    for (int i = 0; i < 200; i++) {
        char payload[32], id[QUEUE_ID_SIZE];
        snprintf(payload, sizeof(payload), "{\"g\":%d}", i);
        queue_new_id(fixture->queue, id);
        const struct queue_accept accept = {.id = id,
                                            .route = "/r",
                                            .payload = payload,
                                            .payload_size = strlen(payload),
                                            .received_ms = 1};
        queue_accept(fixture->queue, &accept, outcome_done, &outcome);
    }
    assert_true(queue_flush(fixture->queue, &err));
    assert_int_equal(outcome.count, 200);
    assert_true(sync_count - before < 150);
}

static void a_rider_goes_with_the_next_commit(void **state)
{
    struct fixture *fixture = *state;
    char first[QUEUE_ID_SIZE];
    struct outcome outcome = OUTCOME_INIT;
    const struct queue_settlement settlement = {.state = MESSAGE_SENT, .ride = true};
    assert_int_equal(accept_now(fixture->queue, "{\"r\":1}", first), QUEUE_DONE);
    int before = sync_count;
    queue_settle(fixture->queue, first, &settlement, outcome_done, &outcome);
    assert_int_equal(accept_now(fixture->queue, "{\"r\":2}", NULL), QUEUE_DONE);
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE);
    assert_true(sync_count - before <= 2); // one; two where the rider was slow to be submitted
    assert_state(fixture->reader, first, MESSAGE_SENT);
}

// Whoever is accepted by a commit that checkpoints waits for both.
static void no_commit_checkpoints(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 500 * 1000 }; // 125 pages: too few altogether for a checkpoint when idle
    char *payload = malloc(SIZE + 1);
    assert_non_null(payload);
    memset(payload, 'x', SIZE);
    payload[SIZE] = '\0';
    char path[128];
    struct stat before, after;
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    assert_int_equal(stat(path, &before), 0);
    for (int i = 0; i < 5; i++) {
        payload[0] = (char)('a' + i);
        assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_DONE);
    }
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    free(payload);
}

static void the_wal_is_checkpointed_when_idle(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 1000 * 1000 };
    char *payload = malloc(SIZE + 1);
    assert_non_null(payload);
    memset(payload, 'x', SIZE);
    payload[SIZE] = '\0';
    char path[128];
    struct stat before, after = {0};
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    assert_int_equal(stat(path, &before), 0);
    for (int i = 0; i < 6; i++) {
        payload[0] = (char)('a' + i);
        assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_DONE);
    }
    // Where this one had to wait after the fourth, the last two may be too few for another one.
    for (int i = 0; i < LOOKS_MAX && after.st_size < before.st_size + 3 * SIZE; i++) {
        usleep(10000);
        assert_int_equal(stat(path, &after), 0);
    }
    assert_true(after.st_size >= before.st_size + 3 * SIZE);
    free(payload);
}

// ---- a full disk ------------------------------------------------------------------------------

static void a_full_disk_refuses_accepts_and_keeps_settlements(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct error err = {0};
    struct outcome outcome = OUTCOME_INIT;
    assert_int_equal(accept_now(fixture->queue, "{\"a\":1}", id), QUEUE_DONE);
    assert_true(queue_flush(fixture->queue, &err));
    write_failure = SQLITE_FULL;
    assert_int_equal(accept_now(fixture->queue, "{\"a\":2}", NULL), QUEUE_REFUSED);
    assert_false(queue_writable(fixture->queue));
    const struct queue_settlement settlement = {.state = MESSAGE_SENT};
    queue_settle(fixture->queue, id, &settlement, outcome_done, &outcome);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":3}", NULL), QUEUE_REFUSED);
    size_t count = 0;
    bool more = false;
    assert_false(queue_sweep(fixture->queue, 0, 10, &count, &more, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    assert_int_equal(outcome.count, 0);
    assert_state(fixture->reader, id, MESSAGE_RECEIVED);
    write_failure = 0;
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE); // tried again by itself
    assert_true(queue_writable(fixture->queue));
    assert_state(fixture->reader, id, MESSAGE_SENT);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":2}", NULL), QUEUE_DONE);
    assert_false(queue_flush(fixture->queue, &err)); // tells of those refused
    assert_true(queue_flush(fixture->queue, &err));
    assert_int_equal(fixture->broken, 0);
}

// As the bodies that are sealed anew in the background while a start settles what it found.
static void a_flush_does_not_tell_of_what_others_wait_for(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct error err = {0};
    struct outcome outcome = OUTCOME_INIT;
    size_t count = 0;
    bool more = false;
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    write_failure = SQLITE_FULL;
    const struct queue_settlement settlement = {.state = MESSAGE_SENT};
    queue_settle(fixture->queue, id, &settlement, outcome_done, &outcome);
    assert_false(queue_sweep(fixture->queue, 0, 10, &count, &more, &err));
    write_failure = 0;
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE);
    assert_true(queue_flush(fixture->queue, &err));
}

static void a_full_disk_is_probed_when_nothing_waits(void **state)
{
    struct fixture *fixture = *state;
    write_failure = SQLITE_FULL;
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_REFUSED);
    assert_true(wait_until_writable(fixture, false));
    write_failure = 0;
    assert_true(wait_until_writable(fixture, true));
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DONE);
}

static void closing_on_a_full_disk_refuses_what_was_kept(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct outcome outcome = OUTCOME_INIT;
    const struct queue_settlement settlement = {.state = MESSAGE_SENT};
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    write_failure = SQLITE_FULL;
    queue_settle(fixture->queue, id, &settlement, outcome_done, &outcome);
    fixture_close(fixture);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.result, QUEUE_REFUSED);
    write_failure = 0;
    fixture_open(fixture);
    assert_state(fixture->reader, id, MESSAGE_RECEIVED);
}

// The large payload finds no room, and nothing is accepted until there is room for the reserve as
// well; how messages go on is small, and needs no more than what the reserve gave up.
static void by_the_reserve_a_full_disk_takes_outcomes(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, limit;
    enum { SIZE = 300 * 1000 };
    char *payload = calloc(1, SIZE + 1), id[QUEUE_ID_SIZE];
    size_t swept = 0;
    bool more = true;
    struct error err = {0};
    assert_non_null(payload);
    memset(payload, 'x', SIZE);
    assert_int_equal(accept_now(fixture->queue, "{\"small\":1}", id), QUEUE_DONE);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = 250 * 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum queue_result large = accept_now(fixture->queue, payload, NULL);
    enum queue_result outcome = settle_as(fixture->queue, id, MESSAGE_SENT, NULL);
    enum queue_result small = accept_now(fixture->queue, "{\"small\":2}", NULL);
    bool swept_well = queue_sweep(fixture->queue, 0, 10, &swept, &more, &err);
    bool writable = queue_writable(fixture->queue), can_settle = queue_can_settle(fixture->queue);
    int blocked = fixture->blocked;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(large, QUEUE_REFUSED);
    assert_int_equal(outcome, QUEUE_DONE);
    assert_int_equal(small, QUEUE_REFUSED);
    assert_true(swept_well);
    assert_false(writable);
    assert_true(can_settle);
    assert_int_equal(blocked, 1);
    assert_true(wait_until_writable(fixture, true));
    assert_int_equal(fixture->blocked, 0);
    assert_int_equal(fixture->broken, 0);
    assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_DONE);
    assert_state(fixture->reader, id, MESSAGE_SENT);
    free(payload);
}

// Since it never gets shorter: one that had taken the last block would leave the disk full for
// ever, with nothing in the queue.
static void the_database_leaves_room_for_the_reserve(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 100 * 1000 };
    static char payload[SIZE + 1];
    char id[QUEUE_ID_SIZE];
    int count = 0;
    memset(payload, 'x', SIZE);
    fixture_close(fixture);
    free_bytes = RESERVE_SPARE_BYTES + RESERVE_GROWTH_BYTES + 4 * SIZE;
    fixture_open(fixture);
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    for (payload[0] = 'a'; accept_now(fixture->queue, payload, NULL) == QUEUE_DONE; payload[0]++)
        assert_true(++count < 10);
    assert_in_range(count, 2, 5);
    assert_false(queue_writable(fixture->queue));
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    free_bytes = 1 << 30;
    assert_true(wait_until_writable(fixture, true));
    assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_DONE);
}

// ---- a failing disk ---------------------------------------------------------------------------

static void after_a_failed_sync_nothing_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    static const int FAILURES[] = {SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};
    char kept[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"before\":1}", kept), QUEUE_DONE);
    for (int i = 0; i < 2; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"sync\":%d}", i);
        *(i == 0 ? &sync_failure : &write_failure) = FAILURES[i];
        assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_REFUSED);
        sync_failure = write_failure = 0;
        // The disk works again, but what it has lost nobody knows.
        int syncs = sync_count;
        assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_REFUSED);
        assert_int_equal(settle_as(fixture->queue, kept, MESSAGE_SENT, NULL), QUEUE_REFUSED);
        assert_false(queue_writable(fixture->queue));
        for (int look = 0; look < LOOKS_MAX && fixture->broken == i; look++)
            usleep(10000);
        assert_int_equal(fixture->broken, i + 1);
        assert_int_equal(sync_count, syncs);
        fixture_close(fixture);
        assert_int_equal(sync_count, syncs);
        fixture_open(fixture);
        assert_state(fixture->reader, kept, MESSAGE_RECEIVED);
        assert_true(queue_writable(fixture->queue));
        enum queue_result again = accept_now(fixture->queue, payload, NULL);
        assert_true(again == QUEUE_DONE || again == QUEUE_DUPLICATE); // it may have survived
    }
}

// ---- kill -9 ----------------------------------------------------------------------------------

// Accepts until it is killed; each acknowledged id goes into the pipe.
static void accept_for_ever(const char *dir, int pipe_fd, int round)
{
    struct error err = {0};
    const struct queue_options options = {.dir = dir};
    struct queue *queue = queue_open(&options, &err);
    if (!queue)
        _exit(1);
    for (int i = 0;; i++) {
        char payload[64], id[QUEUE_ID_SIZE];
        snprintf(payload, sizeof(payload), "{\"round\":%d,\"i\":%d}", round, i);
        if (accept_now(queue, payload, id) != QUEUE_DONE)
            _exit(2);
        if (i % 3 == 0 && settle_as(queue, id, MESSAGE_PARKED, "odd") != QUEUE_DONE)
            _exit(3);
        if (write(pipe_fd, id, QUEUE_ID_SIZE) != QUEUE_ID_SIZE)
            _exit(4);
    }
}

static void check_acknowledged(const char *dir, int pipe_fd, int *total)
{
    struct error err = {0};
    const struct queue_options options = {.dir = dir};
    struct queue *queue = queue_open(&options, &err);
    if (!queue)
        fail_msg("%s", err.message);
    struct queue_reader *reader = queue_reader_create(queue, &err);
    assert_non_null(reader);
    char id[QUEUE_ID_SIZE];
    while (read(pipe_fd, id, QUEUE_ID_SIZE) == QUEUE_ID_SIZE) {
        char *body = load_body(reader, id);
        assert_memory_equal(body, "{\"round\":", 9);
        free(body);
        ++*total;
    }
    queue_reader_destroy(reader);
    queue_close(queue);
}

static void every_acknowledged_id_survives_kill_9(void **state)
{
    struct fixture *fixture = *state;
    int total = 0;
    fixture_close(fixture);
    for (int round = 0; round < 12; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            accept_for_ever(fixture->dir, fds[1], round);
        }
        close(fds[1]);
        struct pollfd acknowledged = {.fd = fds[0], .events = POLLIN};
        assert_int_equal(poll(&acknowledged, 1, LOOKS_MAX * 10), 1);
        usleep((useconds_t)(round * 7000));
        kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        check_acknowledged(fixture->dir, fds[0], &total);
        close(fds[0]);
    }
    assert_true(total > 0);
    fixture_open(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITER_TEST(a_duplicate_costs_no_sync),
        WRITER_TEST(what_queues_up_shares_a_commit),
        WRITER_TEST(a_rider_goes_with_the_next_commit),
        WRITER_TEST(no_commit_checkpoints),
        WRITER_TEST(the_wal_is_checkpointed_when_idle),
        WRITER_TEST(a_full_disk_refuses_accepts_and_keeps_settlements),
        WRITER_TEST(a_flush_does_not_tell_of_what_others_wait_for),
        WRITER_TEST(a_full_disk_is_probed_when_nothing_waits),
        WRITER_TEST(closing_on_a_full_disk_refuses_what_was_kept),
        WRITER_TEST(by_the_reserve_a_full_disk_takes_outcomes),
        WRITER_TEST(the_database_leaves_room_for_the_reserve),
        WRITER_TEST(after_a_failed_sync_nothing_is_tried_again),
        WRITER_TEST(every_acknowledged_id_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, register_vfs, NULL);
}
