// A copy of the queue that is used meanwhile.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "queue_fixture.h"

// ---- what the machine does ----------------------------------------------------------------------

static _Atomic uint64_t free_mb;

// In front of libc's.
int fstatvfs(int fd, struct statvfs *ret_disk)
{
    (void)fd;
    *ret_disk = (struct statvfs){.f_frsize = 1 << 20, .f_bavail = free_mb};
    return 0;
}

// ---- backups ------------------------------------------------------------------------------------

struct ending {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int count;
    struct error err; // ERR_NONE: well
};
#define ENDING_INIT                                                                                \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER                      \
    }

static void on_end(void *context, const struct error *err)
{
    struct ending *ending = context;
    pthread_mutex_lock(&ending->mutex);
    ending->err = err ? *err : (struct error){0};
    ending->count++;
    pthread_cond_signal(&ending->ended);
    pthread_mutex_unlock(&ending->mutex);
}

static bool has_ended(struct ending *ending)
{
    pthread_mutex_lock(&ending->mutex);
    bool ended = ending->count > 0;
    pthread_mutex_unlock(&ending->mutex);
    return ended;
}

static void wait_for_end(struct ending *ending)
{
    pthread_mutex_lock(&ending->mutex);
    while (ending->count == 0)
        pthread_cond_wait(&ending->ended, &ending->mutex);
    pthread_mutex_unlock(&ending->mutex);
}

static void path_in(const struct fixture *fixture, const char *name, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/%s", fixture->dir, name);
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    char path[128];
    path_in(fixture, name, path);
    return access(path, F_OK) == 0;
}

// Gives why it failed; ERR_NONE: it did not.
static struct error back_up(struct fixture *fixture, const char *path)
{
    struct ending ending = ENDING_INIT;
    struct error err = {0};
    if (!queue_backup(fixture->queue, path, on_end, &ending, &err))
        return err;
    wait_for_end(&ending);
    assert_int_equal(ending.count, 1);
    return ending.err;
}

// The fixture of a folder that has the backup as its queue and the key of the other.
static void restore(const struct fixture *from, const char *path, struct fixture *ret_fixture)
{
    char to[128], key[128], key_to[128];
    struct error err = {0};
    fixture_init(ret_fixture);
    path_in(ret_fixture, "queue.db", to);
    assert_int_equal(rename(path, to), 0);
    path_in(from, "queue.key", key);
    path_in(ret_fixture, "queue.key", key_to);
    assert_int_equal(link(key, key_to), 0);
    if (!fixture_try_open(ret_fixture, NULL, &err))
        fail_msg("%s", err.message);
}

static void make_many(struct fixture *fixture, int count)
{
    char payload[2048];
    memset(payload, 'x', sizeof(payload));
    for (int i = 0; i < count; i++) {
        snprintf(payload, 32, "{\"i\":%d", i);
        payload[strlen(payload)] = ' ';
        memcpy(payload + sizeof(payload) - 2, "}", 2);
        assert_int_equal(accept_now(fixture->queue, payload, NULL), QUEUE_DONE);
    }
}

static int setup(void **state)
{
    free_mb = 100000;
    return fixture_setup(state);
}

// ---- tests --------------------------------------------------------------------------------------

static void a_backup_is_a_queue_of_its_own(void **state)
{
    struct fixture *fixture = *state, restored;
    char path[128], waiting[QUEUE_ID_SIZE], sent[QUEUE_ID_SIZE], late[QUEUE_ID_SIZE];
    make_queued(fixture->queue, "{\"code\":\"123456\"}", LANE_CODE, queue_now_ms(fixture->queue), 0,
                waiting);
    assert_int_equal(accept_now(fixture->queue, "{\"sent\":1}", sent), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, sent, MESSAGE_SENT, NULL), QUEUE_DONE);
    path_in(fixture, "a backup", path);
    struct error err = back_up(fixture, path);
    if (err.code != ERR_NONE)
        fail_msg("%s", err.message);
    assert_int_equal(accept_now(fixture->queue, "{\"late\":1}", late), QUEUE_DONE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_false(is_there(fixture, "a backup.part"));
    assert_false(is_there(fixture, "a backup-wal"));
    assert_false(is_there(fixture, "a backup-journal"));

    restore(fixture, path, &restored);
    assert_body(restored.reader, waiting, "{\"code\":\"123456\"}");
    assert_state(restored.reader, sent, MESSAGE_SENT);
    assert_int_equal(accept_now(restored.queue, "{\"sent\":1}", NULL), QUEUE_DUPLICATE);
    assert_int_equal(accept_now(restored.queue, "{\"late\":1}", NULL), QUEUE_DONE);
    fixture_finish(&restored);
}

// What was acknowledged before the backup began is in it; and of what came meanwhile, all or
// nothing.
// As a killed relay leaves it: the log of what was there before lies beside the restored file.
static void a_backup_beside_the_log_of_another_queue_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char path[128], database[128], log[128], other_log[128];
    struct error err = {0};
    path_in(fixture, "a backup", path);
    path_in(fixture, "queue.db", database);
    path_in(fixture, "queue.db-wal", log);
    path_in(fixture, "other log", other_log);
    assert_int_equal(accept_now(fixture->queue, "{\"early\":1}", NULL), QUEUE_DONE);
    assert_int_equal(back_up(fixture, path).code, ERR_NONE);
    assert_int_equal(accept_now(fixture->queue, "{\"late\":1}", NULL), QUEUE_DONE);
    assert_int_equal(link(log, other_log), 0);
    fixture_close(fixture);
    // The clean end has emptied it: any frames serve.
    int fd = open(other_log, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 4152), 0);
    close(fd);
    unlink(log);
    assert_int_equal(rename(path, database), 0);
    assert_int_equal(rename(other_log, log), 0);

    assert_false(fixture_try_open(fixture, NULL, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.message, log));
    assert_non_null(strstr(err.message, "-shm"));
    err = (struct error){0};
    assert_null(queue_reader_open(fixture->dir, &err));
    assert_int_equal(err.code, ERR_INPUT);

    assert_int_equal(unlink(log), 0);
    fixture_open(fixture);
    // And a log of its own is none of another's, whether it ended well or not.
    assert_int_equal(accept_now(fixture->queue, "{\"late\":1}", NULL), QUEUE_DONE);
    struct queue_reader *reader = queue_reader_open(fixture->dir, &err);
    assert_non_null(reader);
    queue_reader_destroy(reader);
    fixture_reopen(fixture);
}

static void what_is_written_meanwhile_is_followed(void **state)
{
    struct fixture *fixture = *state, restored;
    enum { FIRST = 2000 };
    struct ending ending = ENDING_INIT;
    struct error err = {0};
    char path[128], payload[32], id[QUEUE_ID_SIZE];
    path_in(fixture, "backup", path);
    make_many(fixture, FIRST);
    assert_true(queue_backup(fixture->queue, path, on_end, &ending, &err));
    int meanwhile = 0;
    for (; !has_ended(&ending); meanwhile++) {
        snprintf(payload, sizeof(payload), "{\"meanwhile\":%d}", meanwhile);
        assert_int_equal(accept_now(fixture->queue, payload, id), QUEUE_DONE);
        assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    }
    assert_int_equal(ending.err.code, ERR_NONE);
    assert_true(meanwhile > 0);

    restore(fixture, path, &restored);
    struct queue_stats stats;
    assert_true(queue_stats(restored.reader, &stats, &err));
    int64_t followed = stats.count[MESSAGE_RECEIVED] - FIRST + stats.count[MESSAGE_SENT];
    assert_in_range(followed, 1, meanwhile);
    assert_in_range(stats.count[MESSAGE_RECEIVED], FIRST, FIRST + 1);
    // In the order in which they were committed, without a gap.
    for (int i = 0; i <= meanwhile; i++) {
        snprintf(payload, sizeof(payload), "{\"meanwhile\":%d}", i);
        assert_int_equal(accept_now(restored.queue, payload, NULL),
                         i < followed ? QUEUE_DUPLICATE : QUEUE_DONE);
    }
    fixture_finish(&restored);
}

static void no_file_is_written_over(void **state)
{
    struct fixture *fixture = *state;
    char path[128], elsewhere[160];
    struct error err = back_up(fixture, "backup");
    assert_int_equal(err.code, ERR_INPUT); // the daemon's working directory is not the command's
    path_in(fixture, "queue.key", path);
    err = back_up(fixture, path);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.message, "is there already"));
    path_in(fixture, "link", path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(back_up(fixture, path).code, ERR_INPUT);
    path_in(fixture, "backup", path);
    snprintf(elsewhere, sizeof(elsewhere), "%s.part", path);
    assert_int_equal(symlink("queue.key", elsewhere), 0);
    assert_int_not_equal(back_up(fixture, path).code, ERR_NONE);
    snprintf(elsewhere, sizeof(elsewhere), "%s/nowhere/backup", fixture->dir);
    err = back_up(fixture, elsewhere);
    assert_non_null(strstr(err.message, "No such file"));
    fixture_reopen(fixture); // the key is still one
}

static void what_a_killed_one_left_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    char path[128], part[128], data[9000] = "not a database";
    path_in(fixture, "backup", path);
    path_in(fixture, "backup.part", part);
    int fd = open(part, O_RDWR | O_CREAT, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    assert_int_equal(flock(fd, LOCK_EX), 0); // somebody is still at it
    assert_int_equal(back_up(fixture, path).code, ERR_TEMPORARY);
    close(fd);
    assert_int_equal(back_up(fixture, path).code, ERR_NONE);
    assert_false(is_there(fixture, "backup.part"));
}

static void a_disk_without_room_is_left_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct ending ending = ENDING_INIT;
    char path[128];
    path_in(fixture, "backup", path);
    free_mb = 20; // enough for a copy, and too little beside the queue
    struct error err = back_up(fixture, path);
    assert_int_equal(err.code, ERR_TEMPORARY);
    assert_non_null(strstr(err.message, "no room"));
    assert_false(is_there(fixture, "backup"));
    assert_false(is_there(fixture, "backup.part"));
    // It grows less while the backup is made.
    free_mb = 100000;
    make_many(fixture, 4000);
    assert_true(queue_backup(fixture->queue, path, on_end, &ending, &err));
    while (!is_there(fixture, "backup.part"))
        sched_yield();
    free_mb = 1;
    wait_for_end(&ending);
    assert_int_equal(ending.err.code, ERR_TEMPORARY);
    assert_false(is_there(fixture, "backup"));
    assert_false(is_there(fixture, "backup.part"));
    assert_int_equal(accept_now(fixture->queue, "{\"after\":1}", NULL), QUEUE_DONE);
}

static void one_at_a_time_and_none_after_the_stop(void **state)
{
    struct fixture *fixture = *state;
    struct ending ending = ENDING_INIT;
    struct error err = {0};
    char path[128], other[128];
    path_in(fixture, "backup", path);
    path_in(fixture, "other", other);
    make_many(fixture, 3000);
    assert_true(queue_backup(fixture->queue, path, on_end, &ending, &err));
    assert_false(queue_backup(fixture->queue, other, on_end, &ending, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    queue_backup_stop(fixture->queue);
    assert_int_equal(ending.count, 1);
    assert_non_null(strstr(ending.err.message, "stopping"));
    assert_false(is_there(fixture, "backup"));
    assert_false(is_there(fixture, "backup.part"));
    assert_false(queue_backup(fixture->queue, other, on_end, &ending, &err));
    assert_int_equal(accept_now(fixture->queue, "{\"after\":1}", NULL), QUEUE_DONE);
}

static void closing_ends_one_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct ending ending = ENDING_INIT;
    struct error err = {0};
    char path[128];
    path_in(fixture, "backup", path);
    make_many(fixture, 3000);
    assert_true(queue_backup(fixture->queue, path, on_end, &ending, &err));
    fixture_reopen(fixture);
    assert_int_equal(ending.count, 1);
    assert_int_not_equal(ending.err.code, ERR_NONE);
    assert_false(is_there(fixture, "backup.part"));
    assert_int_equal(back_up(fixture, path).code, ERR_NONE);
}

static void a_damaged_queue_gives_no_backup(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    make_many(fixture, 300);
    fixture_close(fixture);
    path_in(fixture, "queue.db", path);
    int fd = open(path, O_RDWR);
    char junk[4096];
    memset(junk, 0x5a, sizeof(junk));
    for (off_t at = 20 * 4096; at < 60 * 4096; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    close(fd);
    fixture_open(fixture);
    path_in(fixture, "backup", path);
    struct error err = back_up(fixture, path);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_false(is_there(fixture, "backup"));
    assert_false(is_there(fixture, "backup.part"));
}

static void a_folder_without_a_daemon_is_backed_up_by_the_command(void **state)
{
    struct fixture *fixture = *state, restored;
    struct error err = {0};
    char path[128], id[QUEUE_ID_SIZE];
    path_in(fixture, "backup", path);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":1}", id), QUEUE_DONE);
    assert_false(queue_backup_folder(fixture->dir, path, &err));
    assert_int_equal(err.code, ERR_TEMPORARY); // it has one
    fixture_close(fixture);
    assert_false(queue_backup_folder("/tmp/no-such-folder", path, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_true(queue_backup_folder(fixture->dir, path, &err));
    restore(fixture, path, &restored);
    assert_body(restored.reader, id, "{\"a\":1}");
    fixture_finish(&restored);
    run_sql(fixture, "PRAGMA user_version = 1000");
    assert_false(queue_backup_folder(fixture->dir, path, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_false(is_there(fixture, "backup"));
}

#define BACKUP_TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_backup_is_a_queue_of_its_own),
        BACKUP_TEST(a_backup_beside_the_log_of_another_queue_is_refused),
        BACKUP_TEST(what_is_written_meanwhile_is_followed),
        BACKUP_TEST(no_file_is_written_over),
        BACKUP_TEST(what_a_killed_one_left_is_replaced),
        BACKUP_TEST(a_disk_without_room_is_left_as_it_was),
        BACKUP_TEST(one_at_a_time_and_none_after_the_stop),
        BACKUP_TEST(closing_ends_one_under_way),
        BACKUP_TEST(a_damaged_queue_gives_no_backup),
        BACKUP_TEST(a_folder_without_a_daemon_is_backed_up_by_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
