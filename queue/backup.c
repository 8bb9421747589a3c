#include "queue/backup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue/backup_file.h"
#include "queue/copy.h"
#include "queue/folder_lock.h"
#include "queue/schema.h"
#include "relay/base/cleanup.h"

enum {
    PAGES_A_STEP = 64,
    FLUSH_EVERY = 16, // steps: 4 MB
    PAUSE_FACTOR = 4, // the writer is ours for a fifth of the time at most
    PAUSE_MIN_US = 1000,
};

struct backup {
    const char *dir;
    struct writer *writer;

    pthread_mutex_t mutex;
    bool has_thread, is_running; // guarded by mutex
    _Atomic bool stopping;

    // The thread's own, and while it waits for the writer that one's.
    pthread_t thread;
    char *path;
    queue_backup_done_fn *done;
    void *context;
    struct backup_file file;
    struct copy *copy;
    struct error err; // why it failed
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int is_stopping(void *context)
{
    return atomic_load(&((struct backup *)context)->stopping);
}

// ---- in the writer's thread
// -----------------------------------------------------------------------

struct act {
    struct change change;
    struct backup *backup;
    bool ok, was_last; // out
    int64_t took_us;   // out
};

// A writer that may not write any more has nothing to copy that could be relied upon.
static bool may_copy(const struct act *act)
{
    return act->change.result == QUEUE_DONE;
}

static int begin(struct change *change, struct database *database, int64_t now_ms)
{
    (void)now_ms;
    struct act *act = (struct act *)change;
    struct backup *backup = act->backup;
    if (may_copy(act))
        backup->copy = copy_begin(database, backup->file.part_path, &backup->err);
    act->ok = backup->copy != NULL;
    return SQLITE_OK;
}

static int step(struct change *change, struct database *database, int64_t now_ms)
{
    (void)database, (void)now_ms;
    struct act *act = (struct act *)change;
    int64_t from_us = now_us();
    act->ok = may_copy(act) &&
              copy_step(act->backup->copy, PAGES_A_STEP, &act->was_last, &act->backup->err);
    act->took_us = now_us() - from_us;
    return SQLITE_OK;
}

// Whatever has become of the writer: its connection cannot be closed before.
static int end(struct change *change, struct database *database, int64_t now_ms)
{
    (void)database, (void)now_ms;
    struct act *act = (struct act *)change;
    copy_end(act->backup->copy);
    act->backup->copy = NULL;
    act->ok = true;
    return SQLITE_OK;
}

static const struct change_type BEGIN = {.apply = begin, .between = true};
static const struct change_type STEP = {.apply = step, .between = true};
static const struct change_type END = {.apply = end, .between = true};

// ---- in a thread of its own
// -----------------------------------------------------------------------

static struct act have_done(struct backup *backup, const struct change_type *type)
{
    struct act act = {.change.type = type, .backup = backup};
    writer_submit_and_wait(backup->writer, &act.change);
    if (!act.ok && backup->err.code == ERR_NONE)
        error_set(&backup->err, ERR_IO, "the queue in %s has failed meanwhile", backup->dir);
    return act;
}

static void pause_behind(const struct act *act)
{
    int64_t pause_us = act->took_us * PAUSE_FACTOR;
    if (pause_us < PAUSE_MIN_US)
        pause_us = PAUSE_MIN_US;
    nanosleep(&(struct timespec){pause_us / 1000000, pause_us % 1000000 * 1000}, NULL);
}

static bool copy_pages(struct backup *backup)
{
    for (int steps = 1;; steps++) {
        struct act act = have_done(backup, &STEP);
        if (!act.ok || act.was_last)
            return act.ok;
        if (is_stopping(backup))
            return error_set(&backup->err, ERR_TEMPORARY, "the relay is stopping");
        if (steps % FLUSH_EVERY == 0 && !backup_file_flush(&backup->file, &backup->err))
            return false;
        pause_behind(&act);
    }
}

static bool make(struct backup *backup)
{
    if (!backup_file_create(&backup->file, backup->path, backup->dir, &backup->err))
        return false;
    bool ok = have_done(backup, &BEGIN).ok;
    if (ok) {
        ok = copy_pages(backup);
        have_done(backup, &END);
    }
    ok = ok && backup_file_publish(&backup->file, is_stopping, backup, &backup->err);
    backup_file_finish(&backup->file);
    return ok;
}

static void *run_thread(void *argument)
{
    struct backup *backup = argument;
    bool ok = make(backup);
    queue_backup_done_fn *done = backup->done;
    void *context = backup->context;
    struct error err = backup->err;
    free(backup->path);
    backup->path = NULL;
    pthread_mutex_lock(&backup->mutex);
    backup->is_running = false; // before it is told: whoever hears of it may begin the next one
    pthread_mutex_unlock(&backup->mutex);
    done(context, ok ? NULL : &err);
    return NULL;
}

// ---- from other threads
// ---------------------------------------------------------------------------

struct backup *backup_create(const char *dir, struct writer *writer)
{
    struct backup *backup = calloc(1, sizeof(*backup));
    if (!backup)
        abort();
    backup->dir = dir;
    backup->writer = writer;
    pthread_mutex_init(&backup->mutex, NULL);
    return backup;
}

void backup_destroy(struct backup *backup)
{
    if (!backup)
        return;
    pthread_mutex_destroy(&backup->mutex);
    free(backup);
}

// Held: mutex; none is running.
static bool start_thread(struct backup *backup, const char *path, struct error *err)
{
    if (backup->has_thread)
        pthread_join(backup->thread, NULL); // it has ended, or is about to
    backup->has_thread = false;
    backup->err = (struct error){0};
    backup->path = strdup(path);
    // Signals are the main thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = backup->path ? pthread_create(&backup->thread, NULL, run_thread, backup) : ENOMEM;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        free(backup->path);
        backup->path = NULL;
        return error_set(err, ERR_TEMPORARY, "no thread for a backup (error %d)", failure);
    }
    backup->has_thread = backup->is_running = true;
    return true;
}

bool backup_start(struct backup *backup, const char *path, queue_backup_done_fn *done,
                  void *context, struct error *err)
{
    bool ok = false;
    pthread_mutex_lock(&backup->mutex);
    if (is_stopping(backup)) {
        error_set(err, ERR_TEMPORARY, "the relay is stopping");
    } else if (backup->is_running) {
        error_set(err, ERR_TEMPORARY, "another backup is being made");
    } else {
        backup->done = done;
        backup->context = context;
        ok = start_thread(backup, path, err);
    }
    pthread_mutex_unlock(&backup->mutex);
    return ok;
}

void backup_stop(struct backup *backup)
{
    pthread_mutex_lock(&backup->mutex);
    atomic_store(&backup->stopping, true);
    bool has_thread = backup->has_thread;
    backup->has_thread = false;
    pthread_mutex_unlock(&backup->mutex);
    if (has_thread)
        pthread_join(backup->thread, NULL);
}

// ---- without a daemon
// -------------------------------------------------------------------------------

static int never(void *context)
{
    (void)context;
    return 0;
}

static bool copy_folder(const char *dir, struct backup_file *file, struct error *err)
{
    struct database database = {0};
    enum schema_age age;
    bool ok =
        database_open(&database, dir, false, err) && schema_age(&database, &SCHEMA, &age, err) &&
        copy_all(&database, file->part_path, err) && backup_file_publish(file, never, NULL, err);
    database_close(&database);
    return ok;
}

bool queue_backup_folder(const char *dir, const char *path, struct error *err)
{
    struct backup_file file;
    AUTO_CLOSE int lock_fd = folder_lock_queue(dir, err);
    if (lock_fd < 0 || !backup_file_create(&file, path, dir, err))
        return false;
    bool ok = copy_folder(dir, &file, err);
    backup_file_finish(&file);
    return ok;
}
