#include "queue/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    RIDE_MS = 20,                  // how long a change that rides waits for company
    RETRY_MS = 1000,               // between tries on a full disk
    RECORD_MS = 60 * 1000,         // how old the stored clock may become
    CHECKPOINT_IDLE_MS = 50,       // no commit for so long
    CHECKPOINT_IDLE_PAGES = 1000,  // ... and so much in the WAL
    CHECKPOINT_FORCE_PAGES = 16384 // 64 MB: also under load
};

struct change_list {
    struct change *first, **end;
};

struct writer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;

    // Guarded by mutex.
    struct change_list submitted;
    size_t urgent;        // of the submitted ones, those that do not ride
    int64_t ride_from_ms; // when the first of the riding ones came
    bool stopping, stopped;

    _Atomic bool writable;
    _Atomic uint64_t refused_count;

    // The thread's own.
    struct database database;
    const struct queue_clock *clock;
    void (*on_broken)(void *context, const struct error *err);
    void *context;
    enum database_fault fault;
    struct change_list kept; // DATABASE_BLOCKED: what is to be tried again
    int64_t retry_at_ms, record_at_ms, committed_at_ms;
    int64_t checkpoint_from_ms; // not before: a reader held the last one up
    int wal_pages, checkpointed_pages;
    bool wrote; // the last commit put something into the WAL
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// ---- lists ------------------------------------------------------------------------------------

static void list_init(struct change_list *list)
{
    *list = (struct change_list){.end = NULL};
    list->end = &list->first;
}

static void list_append(struct change_list *list, struct change *change)
{
    change->next = NULL;
    *list->end = change;
    list->end = &change->next;
}

static void list_move(struct change_list *to, struct change_list *from)
{
    if (from->first) {
        *to->end = from->first;
        to->end = from->end;
    }
    list_init(from);
}

// ---- the ends of a change ---------------------------------------------------------------------

// The change may stand on the stack of a thread that done() wakes: not to be touched after it.
static void tell(struct writer *writer, struct change *change)
{
    void (*destroy)(struct change *) = change->type->destroy;
    if (change->result == QUEUE_REFUSED)
        atomic_fetch_add(&writer->refused_count, 1);
    change->done(change->context, change->result, change->id);
    if (destroy)
        destroy(change);
}

static void tell_all(struct writer *writer, struct change_list *list)
{
    struct change *change = list->first;
    list_init(list);
    while (change) {
        struct change *next = change->next;
        tell(writer, change);
        change = next;
    }
}

// Refuses what cannot wait for space, or everything; leaves the rest in list.
static void refuse(struct writer *writer, struct change_list *list, bool everything)
{
    struct change_list refused;
    struct change *change = list->first;
    list_init(&refused);
    list_init(list);
    while (change) {
        struct change *next = change->next;
        bool stays = change->type->kept && !everything;
        change->result = QUEUE_REFUSED;
        list_append(stays ? list : &refused, change);
        change = next;
    }
    tell_all(writer, &refused);
}

// ---- commits ----------------------------------------------------------------------------------

static int remember_wal_size(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle, (void)name;
    struct writer *writer = context;
    if (pages < writer->checkpointed_pages)
        writer->checkpointed_pages = 0; // the WAL has started over
    writer->wal_pages = pages;
    writer->wrote = true;
    return SQLITE_OK;
}

static int run(struct writer *writer, const char *sql)
{
    AUTO_QUERY struct query query = query_start(&writer->database, sql);
    return query_run(&query);
}

static int apply_all(struct writer *writer, const struct change_list *group, bool record)
{
    int64_t queue_ms = queue_clock_now(writer->clock);
    for (struct change *change = group->first; change; change = change->next) {
        change->result = QUEUE_DONE;
        int rc = change->type->apply(change, &writer->database, queue_ms);
        if (rc != SQLITE_OK)
            return rc;
    }
    return record ? queue_clock_record(writer->clock, &writer->database) : SQLITE_OK;
}

static void fail(struct writer *writer, struct change_list *group, enum database_fault fault,
                 const struct error *err)
{
    writer->fault = fault;
    atomic_store(&writer->writable, false);
    refuse(writer, group, fault == DATABASE_BROKEN);
    if (fault == DATABASE_BROKEN) {
        if (writer->on_broken)
            writer->on_broken(writer->context, err);
        return;
    }
    list_move(&writer->kept, group);
    writer->retry_at_ms = now_ms() + RETRY_MS;
}

static void commit(struct writer *writer, struct change_list *group, bool record)
{
    writer->wrote = false;
    int rc = run(writer, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = apply_all(writer, group, record);
    if (rc == SQLITE_OK)
        rc = run(writer, "COMMIT");
    if (rc != SQLITE_OK) {
        struct error err;
        enum database_fault fault = database_fault(&writer->database, rc);
        database_error(&writer->database, rc, "write", &err);
        // Nothing is relied upon that a failed ROLLBACK could leave: the next BEGIN would fail.
        if (!sqlite3_get_autocommit(writer->database.handle))
            run(writer, "ROLLBACK");
        fail(writer, group, fault, &err);
        return;
    }
    writer->committed_at_ms = now_ms();
    if (record)
        writer->record_at_ms = writer->committed_at_ms + RECORD_MS;
    if (writer->wrote) { // a group of nothing but duplicates proves nothing
        writer->fault = DATABASE_FINE;
        atomic_store(&writer->writable, true);
    }
    tell_all(writer, group);
}

// ---- checkpoints ------------------------------------------------------------------------------

static int fresh_pages(const struct writer *writer)
{
    return writer->wal_pages - writer->checkpointed_pages;
}

// A full disk stops no checkpoint for good: it comes again when as much has been written again.
static void checkpoint(struct writer *writer, int mode)
{
    int wal_pages = 0, done_pages = 0;
    int rc = database_checkpoint(&writer->database, mode, &wal_pages, &done_pages);
    if (rc == SQLITE_OK) {
        writer->wal_pages = wal_pages;
        writer->checkpointed_pages = done_pages;
        if (done_pages < wal_pages)
            writer->checkpoint_from_ms = now_ms() + RETRY_MS;
        return;
    }
    writer->checkpointed_pages = writer->wal_pages;
    if (database_fault(&writer->database, rc) != DATABASE_BROKEN)
        return;
    struct error err;
    database_error(&writer->database, rc, "checkpoint", &err);
    fail(writer, &writer->kept, DATABASE_BROKEN, &err);
}

// When the next one is to be made if nothing else comes.
static int64_t checkpoint_moment(const struct writer *writer)
{
    if (writer->fault != DATABASE_FINE || fresh_pages(writer) < CHECKPOINT_IDLE_PAGES)
        return INT64_MAX;
    int64_t idle_ms = writer->committed_at_ms + CHECKPOINT_IDLE_MS;
    return idle_ms > writer->checkpoint_from_ms ? idle_ms : writer->checkpoint_from_ms;
}

static bool checkpoint_is_forced(const struct writer *writer)
{
    return writer->fault == DATABASE_FINE && fresh_pages(writer) >= CHECKPOINT_FORCE_PAGES &&
           now_ms() >= writer->checkpoint_from_ms;
}

// ---- the thread -------------------------------------------------------------------------------

// When there is something to do although nothing is urgent.
static int64_t next_moment(const struct writer *writer)
{
    int64_t moment = INT64_MAX;
    if (writer->submitted.first)
        moment = writer->ride_from_ms + RIDE_MS;
    if (writer->fault == DATABASE_BLOCKED && writer->retry_at_ms < moment)
        moment = writer->retry_at_ms;
    if (writer->fault == DATABASE_FINE && writer->record_at_ms < moment)
        moment = writer->record_at_ms;
    int64_t checkpoint_ms = checkpoint_moment(writer);
    return checkpoint_ms < moment ? checkpoint_ms : moment;
}

static void sleep_until(struct writer *writer, int64_t moment_ms)
{
    if (moment_ms == INT64_MAX) {
        pthread_cond_wait(&writer->wake, &writer->mutex);
        return;
    }
    struct timespec moment = {.tv_sec = (time_t)(moment_ms / 1000),
                              .tv_nsec = (long)(moment_ms % 1000) * 1000000};
    pthread_cond_timedwait(&writer->wake, &writer->mutex, &moment);
}

// Gives all that was submitted, when it is time to do something. False: stopping.
static bool take_changes(struct writer *writer, struct change_list *ret_group)
{
    pthread_mutex_lock(&writer->mutex);
    int64_t moment;
    while (writer->urgent == 0 && !writer->stopping && (moment = next_moment(writer)) > now_ms())
        sleep_until(writer, moment);
    list_move(ret_group, &writer->submitted);
    writer->urgent = 0;
    bool stopping = writer->stopping;
    pthread_mutex_unlock(&writer->mutex);
    return !stopping;
}

// Tries what was kept, in the order it came, or else the clock's record as a probe. What the
// WAL holds is put into the database first: then the file need not grow for the next commit.
static void retry(struct writer *writer)
{
    if (fresh_pages(writer) > 0)
        checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
    if (writer->fault == DATABASE_BROKEN)
        return;
    struct change_list group;
    list_init(&group);
    list_move(&group, &writer->kept);
    commit(writer, &group, true);
}

static void work(struct writer *writer, struct change_list *group)
{
    if (writer->fault == DATABASE_BROKEN) {
        refuse(writer, group, true);
        return;
    }
    if (writer->fault == DATABASE_BLOCKED) {
        refuse(writer, group, false);
        list_move(&writer->kept, group);
        if (now_ms() >= writer->retry_at_ms)
            retry(writer);
        return;
    }
    bool record = now_ms() >= writer->record_at_ms;
    if (group->first || record)
        commit(writer, group, record);
    else if (now_ms() >= checkpoint_moment(writer))
        checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
    if (checkpoint_is_forced(writer))
        checkpoint(writer, SQLITE_CHECKPOINT_PASSIVE);
}

static void finish(struct writer *writer, struct change_list *group)
{
    work(writer, group);
    if (writer->fault == DATABASE_BLOCKED)
        retry(writer);
    if (writer->fault == DATABASE_FINE) {
        list_init(group);
        commit(writer, group, true); // the time, as exact as it can be known
    }
    if (writer->fault == DATABASE_FINE)
        checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
    refuse(writer, &writer->kept, true);
}

static void *run_thread(void *argument)
{
    struct writer *writer = argument;
    struct change_list group;
    list_init(&group);
    while (take_changes(writer, &group))
        work(writer, &group);
    finish(writer, &group);
    return NULL;
}

// ---- from other threads -----------------------------------------------------------------------

static struct writer *create(struct database *database, const struct queue_clock *clock,
                             const struct queue_options *options)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        abort();
    writer->database = *database;
    *database = (struct database){0};
    writer->clock = clock;
    writer->on_broken = options->on_broken;
    writer->context = options->context;
    writer->record_at_ms = now_ms() + RECORD_MS;
    atomic_init(&writer->writable, true);
    list_init(&writer->submitted);
    list_init(&writer->kept);
    sqlite3_wal_hook(writer->database.handle, remember_wal_size, writer);

    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&writer->mutex, NULL);
    return writer;
}

void writer_destroy(struct writer *writer)
{
    if (!writer)
        return;
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

struct writer *writer_start(struct database *database, const struct queue_clock *clock,
                            const struct queue_options *options, struct error *err)
{
    struct writer *writer = create(database, clock, options);
    // Signals are the main thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&writer->thread, NULL, run_thread, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        error_set(err, ERR_TEMPORARY, "no thread for the queue's writer (error %d)", failure);
        database_close(&writer->database);
        writer_destroy(writer);
        return NULL;
    }
    return writer;
}

void writer_stop(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool stopped = writer->stopping;
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
    if (stopped)
        return;
    pthread_join(writer->thread, NULL);
    database_close(&writer->database);

    // What was submitted after the thread's last look is refused as what comes from now on is.
    struct change_list late;
    list_init(&late);
    pthread_mutex_lock(&writer->mutex);
    writer->stopped = true;
    atomic_store(&writer->writable, false);
    list_move(&late, &writer->submitted);
    pthread_mutex_unlock(&writer->mutex);
    refuse(writer, &late, true);
}

void writer_submit(struct writer *writer, struct change *change)
{
    pthread_mutex_lock(&writer->mutex);
    if (writer->stopped) {
        pthread_mutex_unlock(&writer->mutex);
        change->result = QUEUE_REFUSED;
        tell(writer, change);
        return;
    }
    bool is_first = !writer->submitted.first;
    if (is_first)
        writer->ride_from_ms = now_ms();
    list_append(&writer->submitted, change);
    if (!change->ride)
        writer->urgent++;
    if (is_first || writer->urgent == 1)
        pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
}

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool has_ended;
    enum queue_result result;
};

static void end_wait(void *context, enum queue_result result, const char *id)
{
    (void)id;
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->mutex);
    waiter->result = result;
    waiter->has_ended = true;
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->mutex);
}

enum queue_result writer_submit_and_wait(struct writer *writer, struct change *change)
{
    struct waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    change->done = end_wait;
    // The change has ended when this returns.
    // cppcheck-suppress autoVariables
    change->context = &waiter;
    writer_submit(writer, change);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.has_ended)
        pthread_cond_wait(&waiter.ended, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    return waiter.result;
}

bool writer_writable(const struct writer *writer)
{
    return atomic_load(&writer->writable);
}

uint64_t writer_refused_count(const struct writer *writer)
{
    return atomic_load(&writer->refused_count);
}
