#include "queue/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "queue/change_list.h"
#include "queue/presence.h"
#include "queue/trouble.h"
#include "queue/wake.h"
#include "queue/wal.h"

enum {
    RIDE_MS = 20,           // how long a change that rides waits for company
    RETRY_MS = 1000,        // between tries on a full disk
    RECORD_MS = 60 * 1000,  // how old the stored clock may become
    WALL_SET_MS = 1000,     // a wall clock that is off by more was set, not slewed
    READ_ONLY_MS = 5 * 1000 // then nothing is held open any more: it may have to be unmounted
};

enum writer_mode {
    WRITER_FINE,
    WRITER_FULL,    // the reserve was given up: kept changes and those by_reserve are committed
    WRITER_BLOCKED, // nothing can be committed now
    WRITER_BROKEN,  // nothing may be tried any more
};

struct writer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;

    // Guarded by mutex.
    struct change_list submitted;
    size_t urgent;      // of the submitted ones, those that do not ride
    int64_t ride_at_ms; // the thread looks then whether any ride; not where it is in the past
    bool stopping, stopped;

    _Atomic enum writer_mode mode; // the thread's own to change
    _Atomic uint64_t refused_count;

    // The thread's own.
    struct database database;
    const struct queue_clock *clock;
    void (*on_broken)(void *context, const struct error *err);
    void *context;
    struct reserve reserve;
    struct wal wal;
    struct presence presence;
    struct trouble trouble;  // on while the mode is neither fine nor broken
    struct change_list kept; // WRITER_BLOCKED: what is to be tried again
    int64_t retry_at_ms, record_at_ms;
    int64_t recorded_wall_ms; // what the wall clock showed at queue time 0, as last recorded
    int64_t refill_at_ms;     // the reserve: not sooner after a failure
    int64_t blocked_at_ms;    // since when nothing could be committed
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Refuses what a full disk cannot take, or everything, and leaves the rest in list.
static void refuse(struct writer *writer, struct change_list *list, bool by_reserve,
                   bool everything)
{
    struct change_list refused;
    change_list_take_refused(list, by_reserve, everything, &refused);
    change_list_tell(&refused, &writer->refused_count);
}

// ---- modes ------------------------------------------------------------------------------------

static enum writer_mode mode_of(const struct writer *writer)
{
    return atomic_load_explicit(&writer->mode, memory_order_relaxed);
}

// While all is fine the database leaves room for the reserve; on a full disk outcomes may have it.
static void limit_database(struct writer *writer)
{
    size_t files_bytes =
        database_size_bytes(&writer->database) + (size_t)wal_size_bytes(&writer->wal);
    database_limit(&writer->database, mode_of(writer) == WRITER_FINE
                                          ? reserve_limit_bytes(&writer->reserve, files_bytes)
                                          : SIZE_MAX);
}

// err: why it is not fine any more.
static void change_mode(struct writer *writer, enum writer_mode mode, const struct error *err)
{
    enum writer_mode before = mode_of(writer);
    if (mode == WRITER_BLOCKED && before != WRITER_BLOCKED)
        writer->blocked_at_ms = now_ms();
    atomic_store(&writer->mode, mode);
    if (mode != WRITER_BROKEN)
        limit_database(writer);
    if (mode == WRITER_BROKEN && writer->on_broken)
        writer->on_broken(writer->context, err);
    else if (mode == WRITER_FINE)
        trouble_end(&writer->trouble, now_ms());
    else if (mode != WRITER_BROKEN && before == WRITER_FINE)
        trouble_begin(&writer->trouble, err, now_ms());
}

// A file system that stays read-only has to be unmounted to be mended, so the process lets go of
// it: as with what is broken, the next incarnation waits until it can be opened.
static bool is_beyond_waiting(const struct writer *writer, enum database_fault fault)
{
    return fault == DATABASE_READ_ONLY && mode_of(writer) == WRITER_BLOCKED &&
           now_ms() >= writer->blocked_at_ms + READ_ONLY_MS;
}

// group is what could not be committed; what may be is kept. A full disk gets the reserve's blocks,
// and what was kept is tried again at once.
static void fail(struct writer *writer, struct change_list *group, enum database_fault fault,
                 const struct error *err)
{
    if (fault == DATABASE_BROKEN || is_beyond_waiting(writer, fault)) {
        change_mode(writer, WRITER_BROKEN, err);
        refuse(writer, group, false, true);
        refuse(writer, &writer->kept, false, true);
        return;
    }
    change_mode(writer, WRITER_BLOCKED, err);
    writer->retry_at_ms = now_ms() + RETRY_MS;
    writer->refill_at_ms = now_ms() + writer->trouble.pause_ms;
    if (fault == DATABASE_FULL && reserve_give_up(&writer->reserve))
        writer->retry_at_ms = now_ms();
    refuse(writer, group, false, false);
    change_list_move(&writer->kept, group);
}

// ---- commits ----------------------------------------------------------------------------------

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

static void commit(struct writer *writer, struct change_list *group, bool record)
{
    writer->wal.grew = false;
    int rc = database_run(&writer->database, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = apply_all(writer, group, record);
    if (rc == SQLITE_OK)
        rc = database_run(&writer->database, "COMMIT");
    if (rc != SQLITE_OK) {
        struct error err;
        enum database_fault fault = database_fault(&writer->database, rc);
        database_error(&writer->database, rc, "write", &err);
        // Nothing is relied upon that a failed ROLLBACK could leave: the next BEGIN would fail.
        if (!sqlite3_get_autocommit(writer->database.handle))
            database_run(&writer->database, "ROLLBACK");
        fail(writer, group, fault, &err);
        return;
    }
    writer->wal.committed_at_ms = now_ms();
    struct error err;
    if (!presence_look(&writer->presence, writer->wal.committed_at_ms, &err)) {
        fail(writer, group, DATABASE_BROKEN, &err);
        return;
    }
    if (record) {
        writer->record_at_ms = writer->wal.committed_at_ms + RECORD_MS;
        writer->recorded_wall_ms = queue_clock_wall(writer->clock, 0);
    }
    enum writer_mode mode = writer->reserve.whole ? WRITER_FINE : WRITER_FULL;
    if (writer->wal.grew && mode_of(writer) != mode) // a group of duplicates proves nothing
        change_mode(writer, mode, NULL);
    change_list_tell(group, &writer->refused_count);
}

// rc: how a checkpoint ended. Want of space is no failure: the log goes on.
static void look_at_checkpoint(struct writer *writer, int rc)
{
    if (rc == SQLITE_OK || database_fault(&writer->database, rc) != DATABASE_BROKEN)
        return;
    struct error err;
    struct change_list none;
    change_list_init(&none);
    database_error(&writer->database, rc, "checkpoint", &err);
    fail(writer, &none, DATABASE_BROKEN, &err);
}

// When a checkpoint is to be made if nothing else comes.
static int64_t checkpoint_moment(const struct writer *writer)
{
    enum writer_mode mode = mode_of(writer);
    return mode == WRITER_FINE || mode == WRITER_FULL ? wal_idle_moment(&writer->wal) : INT64_MAX;
}

// ---- the thread -------------------------------------------------------------------------------

// When there is something to do although nothing is urgent.
static int64_t next_moment(const struct writer *writer)
{
    int64_t moment = INT64_MAX;
    if (writer->submitted.first || writer->ride_at_ms > now_ms())
        moment = writer->ride_at_ms;
    enum writer_mode mode = mode_of(writer);
    if ((mode == WRITER_FULL || mode == WRITER_BLOCKED) && writer->retry_at_ms < moment)
        moment = writer->retry_at_ms;
    if ((mode == WRITER_FINE || mode == WRITER_FULL) && writer->record_at_ms < moment)
        moment = writer->record_at_ms;
    int64_t checkpoint_ms = checkpoint_moment(writer);
    return checkpoint_ms < moment ? checkpoint_ms : moment;
}

// Gives all that was submitted, when it is time to do something. False: stopping.
static bool take_changes(struct writer *writer, struct change_list *ret_group)
{
    pthread_mutex_lock(&writer->mutex);
    int64_t moment;
    while (writer->urgent == 0 && !writer->stopping && (moment = next_moment(writer)) > now_ms())
        wake_wait(&writer->wake, &writer->mutex, moment);
    change_list_move(ret_group, &writer->submitted);
    writer->urgent = 0;
    bool stopping = writer->stopping;
    pthread_mutex_unlock(&writer->mutex);
    return !stopping;
}

// Takes the reserve again where the disk has room for it. What the log holds is put into the
// database first, so that its file need not grow for the next commit; and where the log's own
// blocks make the difference, they go back to the file system.
static void refill(struct writer *writer)
{
    int64_t missing_bytes = (int64_t)reserve_missing_bytes(&writer->reserve);
    if (missing_bytes > 0 && wal_size_bytes(&writer->wal) >= missing_bytes)
        look_at_checkpoint(writer, wal_give_back(&writer->wal, now_ms()));
    if (mode_of(writer) != WRITER_BROKEN)
        reserve_fill(&writer->reserve);
}

// Tries what was kept, in the order it came, or else the clock's record as a probe.
static void retry(struct writer *writer)
{
    writer->retry_at_ms = now_ms() + RETRY_MS;
    trouble_tick(&writer->trouble, now_ms());
    if (wal_fresh_bytes(&writer->wal) > 0)
        look_at_checkpoint(writer, wal_checkpoint_long(&writer->wal, now_ms()));
    if (mode_of(writer) != WRITER_BROKEN && !writer->reserve.whole &&
        now_ms() >= writer->refill_at_ms)
        refill(writer);
    if (mode_of(writer) == WRITER_BROKEN ||
        (mode_of(writer) == WRITER_FULL && !writer->reserve.whole))
        return;
    struct change_list group;
    change_list_init(&group);
    change_list_move(&group, &writer->kept);
    commit(writer, &group, true);
}

// A record with a wrong wall clock is a wrong count of the time away, should the power go now: a
// machine whose battery is dead starts in 1970, and the network puts it right a little later.
static bool wall_was_set(const struct writer *writer)
{
    int64_t set_by_ms = queue_clock_wall(writer->clock, 0) - writer->recorded_wall_ms;
    return set_by_ms > WALL_SET_MS || set_by_ms < -WALL_SET_MS;
}

// What can be done with group in this mode; what is left of it in WRITER_BLOCKED is kept.
static void work_on(struct writer *writer, struct change_list *group)
{
    bool record = now_ms() >= writer->record_at_ms || wall_was_set(writer);
    switch (mode_of(writer)) {
    case WRITER_BROKEN:
        refuse(writer, group, false, true);
        return;
    case WRITER_BLOCKED:
        refuse(writer, group, false, false);
        change_list_move(&writer->kept, group);
        return;
    case WRITER_FULL:
        refuse(writer, group, true, false);
        break;
    case WRITER_FINE:
        break;
    }
    if (group->first || record)
        commit(writer, group, record);
    else if (now_ms() >= checkpoint_moment(writer))
        look_at_checkpoint(writer, wal_checkpoint(&writer->wal, now_ms()));
}

// Also under load: where the log is long, or could find no room in the database soon.
static bool must_checkpoint(struct writer *writer)
{
    bool is_fine = mode_of(writer) == WRITER_FINE;
    if (!is_fine && mode_of(writer) != WRITER_FULL)
        return false;
    if (wal_is_long(&writer->wal, now_ms(), !is_fine))
        return true;
    if (!is_fine || !wal_asks_for_room(&writer->wal))
        return false;
    limit_database(writer);
    return wal_fresh_bytes(&writer->wal) > reserve_room_bytes(&writer->reserve);
}

static void work(struct writer *writer, struct change_list *group)
{
    work_on(writer, group);
    enum writer_mode mode = mode_of(writer);
    if ((mode == WRITER_FULL || mode == WRITER_BLOCKED) && now_ms() >= writer->retry_at_ms)
        retry(writer);
    if (must_checkpoint(writer))
        look_at_checkpoint(writer, wal_checkpoint_long(&writer->wal, now_ms()));
}

static void finish(struct writer *writer, struct change_list *group)
{
    work_on(writer, group);
    if (mode_of(writer) == WRITER_BLOCKED)
        retry(writer);
    if (mode_of(writer) == WRITER_BLOCKED && now_ms() >= writer->retry_at_ms)
        retry(writer); // the reserve was given up for it
    if (mode_of(writer) == WRITER_FINE || mode_of(writer) == WRITER_FULL) {
        change_list_init(group);
        commit(writer, group, true); // the time, as exact as it can be known
        look_at_checkpoint(writer, wal_give_back(&writer->wal, now_ms()));
    }
    refuse(writer, &writer->kept, false, true);
}

static void apply_between(struct writer *writer, struct change_list *changes)
{
    change_list_apply(changes, mode_of(writer) == WRITER_BROKEN ? QUEUE_REFUSED : QUEUE_DONE,
                      &writer->database, queue_clock_now(writer->clock));
    change_list_tell(changes, &writer->refused_count);
}

static void *run_thread(void *argument)
{
    struct writer *writer = argument;
    struct change_list group, between;
    change_list_init(&group);
    if (mode_of(writer) == WRITER_FULL) {
        struct error err;
        error_set(&err, ERR_TEMPORARY, "write %s: the disk is full", writer->database.path);
        trouble_begin(&writer->trouble, &err, now_ms());
    }
    bool goes_on;
    do {
        goes_on = take_changes(writer, &group);
        change_list_take_between(&group, &between);
        (goes_on ? work : finish)(writer, &group);
        apply_between(writer, &between);
    } while (goes_on);
    return NULL;
}

// ---- from other threads -----------------------------------------------------------------------

static struct writer *create(struct database *database, struct reserve *reserve,
                             const struct queue_clock *clock, const struct queue_options *options)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        abort();
    writer->database = *database;
    *database = (struct database){0};
    writer->reserve = *reserve;
    *reserve = (struct reserve){.fd = -1};
    writer->clock = clock;
    writer->on_broken = options->on_broken;
    writer->context = options->context;
    trouble_init(&writer->trouble, options->on_blocked, options->context, now_ms());
    writer->record_at_ms = now_ms() + RECORD_MS;
    writer->recorded_wall_ms = queue_clock_wall(clock, 0);
    atomic_init(&writer->mode, writer->reserve.whole ? WRITER_FINE : WRITER_FULL);
    change_list_init(&writer->submitted);
    change_list_init(&writer->kept);
    wal_init(&writer->wal, &writer->database);
    limit_database(writer);
    presence_init(&writer->presence, writer->database.path);

    wake_init(&writer->wake);
    pthread_mutex_init(&writer->mutex, NULL);
    return writer;
}

void writer_destroy(struct writer *writer)
{
    if (!writer)
        return;
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
    presence_finish(&writer->presence);
    free(writer);
}

struct writer *writer_start(struct database *database, struct reserve *reserve,
                            const struct queue_clock *clock, const struct queue_options *options,
                            struct error *err)
{
    struct writer *writer = create(database, reserve, clock, options);
    // Signals are the main thread's, but for what this one does itself: a page of the WAL's index
    // that its disk does not give.
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&writer->thread, NULL, run_thread, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        error_set(err, ERR_TEMPORARY, "no thread for the queue's writer (error %d)", failure);
        database_close(&writer->database);
        reserve_close(&writer->reserve);
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
    reserve_close(&writer->reserve);

    // What was submitted after the thread's last look is refused as what comes from now on is.
    struct change_list late;
    change_list_init(&late);
    pthread_mutex_lock(&writer->mutex);
    writer->stopped = true;
    atomic_store(&writer->mode, WRITER_BROKEN);
    change_list_move(&late, &writer->submitted);
    pthread_mutex_unlock(&writer->mutex);
    refuse(writer, &late, false, true);
}

void writer_submit(struct writer *writer, struct change *change)
{
    pthread_mutex_lock(&writer->mutex);
    if (writer->stopped) {
        pthread_mutex_unlock(&writer->mutex);
        change->result = QUEUE_REFUSED;
        change_tell(change, &writer->refused_count);
        return;
    }
    bool is_first = !writer->submitted.first;
    change_list_append(&writer->submitted, change);
    // Who accepts tells soon what became of it. The thread looks by itself then, so that nobody has
    // to wake it only to have it wait.
    if (change->ride ? is_first && writer->ride_at_ms <= now_ms() : ++writer->urgent == 1) {
        writer->ride_at_ms = now_ms() + RIDE_MS;
        pthread_cond_signal(&writer->wake);
    }
    pthread_mutex_unlock(&writer->mutex);
}

bool writer_writable(const struct writer *writer)
{
    return atomic_load(&writer->mode) == WRITER_FINE;
}

bool writer_can_settle(const struct writer *writer)
{
    return atomic_load(&writer->mode) <= WRITER_FULL;
}

uint64_t writer_refused_count(const struct writer *writer)
{
    return atomic_load(&writer->refused_count);
}
