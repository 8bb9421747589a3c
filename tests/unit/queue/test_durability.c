// What is on disk, really, before anybody is told: which syncs are made, and when.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "queue_fixture.h"

// ---- a record of the syncs --------------------------------------------------------------------

struct sync {
    char name[64]; // of the file or folder, without those above it
    bool key_is_there, journal_is_there, wal_is_there;
};

static struct {
    pthread_mutex_t mutex;
    const char *dir;
    struct sync syncs[64];
    size_t count;
} record = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool is_there(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", record.dir, name);
    return access(path, F_OK) == 0;
}

static void note_sync(int fd)
{
    char link[64], path[256];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    pthread_mutex_lock(&record.mutex);
    if (size > 0 && record.dir && record.count < sizeof(record.syncs) / sizeof(record.syncs[0])) {
        path[size] = '\0';
        struct sync *sync = &record.syncs[record.count++];
        snprintf(sync->name, sizeof(sync->name), "%s", strrchr(path, '/') + 1);
        sync->key_is_there = is_there("queue.key");
        sync->journal_is_there = is_there("queue.db-journal");
        sync->wal_is_there = is_there("queue.db-wal");
    }
    pthread_mutex_unlock(&record.mutex);
}

// In front of libc's, for SQLite as well.
int fsync(int fd)
{
    note_sync(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    note_sync(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

static void record_start(const char *dir)
{
    pthread_mutex_lock(&record.mutex);
    record.dir = dir;
    record.count = 0;
    pthread_mutex_unlock(&record.mutex);
}

static size_t count_syncs(const char *name)
{
    size_t count = 0;
    pthread_mutex_lock(&record.mutex);
    for (size_t i = 0; i < record.count; i++)
        count += strcmp(record.syncs[i].name, name) == 0;
    pthread_mutex_unlock(&record.mutex);
    return count;
}

static int teardown(void **state)
{
    record_start(NULL);
    return fixture_teardown(state);
}

#define DURABILITY_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

// ---- tests ------------------------------------------------------------------------------------

static void a_new_folder_and_its_key_are_synced(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    fixture_init(&fixture);
    rmdir(fixture.dir);
    record_start(fixture.dir);
    assert_true(fixture_try_open(&fixture, NULL, &err));
    const char *own = strrchr(fixture.dir, '/') + 1;
    bool key = false, key_name = false, database_name = false;
    assert_string_equal(record.syncs[0].name, "tmp"); // that the folder is there
    for (size_t i = 0; i < record.count; i++) {
        const struct sync *sync = &record.syncs[i];
        bool is_folder = strcmp(sync->name, own) == 0;
        // The key's content before its name, and its name before anything is sealed with it.
        key |= strcmp(sync->name, "queue.key.new") == 0 && !sync->key_is_there;
        // (SQLite syncs the folder as well, for its journal: not what is meant.)
        key_name |= is_folder && key && sync->key_is_there && !sync->wal_is_there &&
                    !sync->journal_is_there;
        database_name |= is_folder && sync->wal_is_there;
    }
    assert_true(key);
    assert_true(key_name);
    assert_true(database_name);
    record_start(NULL);
    fixture_finish(&fixture);
}

static void what_is_told_is_synced(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"n\":0}", NULL), QUEUE_DONE);
    record_start(fixture->dir);
    assert_int_equal(accept_now(fixture->queue, "{\"n\":1}", id), QUEUE_DONE);
    assert_int_equal(count_syncs("queue.db-wal"), 1);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    assert_int_equal(count_syncs("queue.db-wal"), 2);
}

// In the writer's own thread, so that nothing can be synced between the telling and the look.
static void note_syncs_when_told(void *context, enum queue_result result, const char *id)
{
    (void)id;
    assert_int_equal(result, QUEUE_DONE);
    *(size_t *)context = count_syncs("queue.db-wal");
}

static void nobody_is_told_before_the_sync(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    size_t syncs_when_told = 0;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"n\":0}", NULL), QUEUE_DONE);
    assert_true(queue_flush(fixture->queue, &err)); // its sync is over, whenever it was told
    record_start(fixture->dir);
    queue_new_id(fixture->queue, id);
    const struct queue_accept accept = {
        .id = id, .route = "/r", .payload = "{}", .payload_size = 2, .received_ms = 1};
    queue_accept(fixture->queue, &accept, note_syncs_when_told, &syncs_when_told);
    assert_true(queue_flush(fixture->queue, &err));
    assert_int_equal(syncs_when_told, 1);
}

// In one commit, which is one sync: a crash never leaves a part of an array.
static void an_array_is_split_in_one_commit(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    struct queue_mail mails[3];
    for (size_t i = 0; i < 3; i++)
        mails[i] = (struct queue_mail){
            .envelope = envelope_at(now_ms), .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
    assert_int_equal(accept_at(fixture->queue, "{\"a\":1}", now_ms, id), QUEUE_DONE);
    record_start(fixture->dir);
    assert_int_equal(compose(fixture->queue, id, mails, 3), QUEUE_DONE);
    assert_int_equal(count_syncs("queue.db-wal"), 1);
}

// ---- a WAL that a crash has left --------------------------------------------------------------

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[256], to[256];
    snprintf(from, sizeof(from), "%s/%s", from_dir, name);
    snprintf(to, sizeof(to), "%s/%s", to_dir, name);
    int from_fd = open(from, O_RDONLY), to_fd = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    struct stat status;
    assert_int_equal(fstat(from_fd, &status), 0);
    assert_int_equal(copy_file_range(from_fd, NULL, to_fd, NULL, (size_t)status.st_size, 0),
                     status.st_size);
    close(from_fd);
    close(to_fd);
}

static off_t wal_size(const char *dir)
{
    char path[256];
    struct stat status;
    snprintf(path, sizeof(path), "%s/queue.db-wal", dir);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

// A failed write may have left a hole in it, which must never be appended to.
static void a_wal_that_was_left_is_begun_anew(void **state)
{
    struct fixture *fixture = *state;
    struct fixture crashed;
    char id[QUEUE_ID_SIZE];
    for (int i = 0; i < 30; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"w\":%d}", i);
        assert_int_equal(accept_now(fixture->queue, payload, id), QUEUE_DONE);
    }
    fixture_init(&crashed);
    static const char *const FILES[] = {"queue.db", "queue.db-wal", "queue.key"};
    for (size_t i = 0; i < 3; i++)
        copy_file(fixture->dir, crashed.dir, FILES[i]);
    off_t left = wal_size(crashed.dir);
    fixture_open(&crashed);
    assert_true(wal_size(crashed.dir) < left);
    assert_state(crashed.reader, id, MESSAGE_RECEIVED);
    fixture_finish(&crashed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_folder_and_its_key_are_synced),
        DURABILITY_TEST(what_is_told_is_synced),
        DURABILITY_TEST(nobody_is_told_before_the_sync),
        DURABILITY_TEST(an_array_is_split_in_one_commit),
        DURABILITY_TEST(a_wal_that_was_left_is_begun_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
