#include "relay/deliverer/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/deliverer/protocol.h"

enum {
    LATE_MS = 100, // a look at a limit so long after it was not made in time
    EXCUSE_MS = 1000,
};

struct worker {
    struct job_source source; // first member: a source is its worker
    struct pool *pool;
    struct wire wire;
    pthread_cond_t given;  // job is there
    struct job *job;       // under way or just given
    int64_t limit_boot_ms; // by when job must be over
    int64_t mail_boot_ms;  // ... and by when MAIL must have been taken
    bool excused;          // whether these were put off once
    bool idle;             // in next() or between runs
    bool ending;           // nothing came while it was idle
    bool connected;        // idle with its connection kept
    struct worker *below;  // pool::idle
    struct worker *next;   // pool::workers
};

struct pool {
    const struct settings *settings;
    const struct smtp_driver *driver;
    struct dots *dots;
    int result_fd;
    pthread_mutex_t result_lock; // one frame at a time on result_fd
    pthread_mutex_t lock;        // guards all below and the workers' fields
    int worker_count;
    struct worker *workers;
    struct worker *idle; // the one that became idle last is first
    struct job *waiting, **waiting_end;
    size_t waiting_count;
    size_t returning; // workers that have reported and will ask for the next job at once
};

struct pool *pool_create(const struct settings *settings, const struct smtp_driver *driver,
                         struct dots *dots, int result_fd, struct error *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    *pool =
        (struct pool){.settings = settings, .driver = driver, .dots = dots, .result_fd = result_fd};
    pool->waiting_end = &pool->waiting;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->result_lock, NULL);
    return pool;
}

static void report(struct pool *pool, struct job *job, const struct outcome *outcome)
{
    struct error err;
    pthread_mutex_lock(&pool->result_lock);
    // The core is gone or will never know what became of its messages: the marks tell the next.
    if (!protocol_write_result(pool->result_fd, pool->settings, job, outcome, &err))
        _exit(1);
    pthread_mutex_unlock(&pool->result_lock);
    job_destroy(job);
}

static void report_unsent(struct pool *pool, struct job *job, enum outcome_kind kind,
                          enum stage stage, const char *text)
{
    struct outcome outcome = {0};
    outcome_set(&outcome, kind, stage, text);
    report(pool, job, &outcome);
}

// Taking jobs. All with pool->lock, but for next_job().

// A smarthost that takes a connection and says nothing is found out in no more than this, so that
// the next one has the message.
static int64_t mail_limit_ms(const struct pool *pool)
{
    return 2 * (int64_t)pool->settings->connect_timeout_ms;
}

static void give(struct worker *worker, struct job *job)
{
    worker->job = job;
    int64_t now_ms = clock_boot_ms();
    worker->limit_boot_ms = now_ms + worker->pool->settings->timeout_ms;
    worker->mail_boot_ms = now_ms + mail_limit_ms(worker->pool);
    worker->excused = false;
    wire_begin(&worker->wire, job);
}

static struct job *take_waiting(struct pool *pool)
{
    struct job *job = pool->waiting;
    if (!job)
        return NULL;
    pool->waiting = job->next;
    pool->waiting_count--;
    if (!pool->waiting)
        pool->waiting_end = &pool->waiting;
    job->next = NULL;
    return job;
}

static void leave_idle(struct worker *worker)
{
    struct worker **at = &worker->pool->idle;
    while (*at != worker)
        at = &(*at)->below;
    *at = worker->below;
    worker->idle = false;
}

// Of those with an open connection the one used last.
static struct worker *find_connected(const struct pool *pool)
{
    struct worker *worker = pool->idle;
    while (worker && !worker->connected)
        worker = worker->below;
    return worker;
}

// By the clock of worker::given; keeping a connection is no matter of deadlines.
static struct timespec idle_end(int idle_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += idle_ms / 1000;
    end.tv_nsec += (long)(idle_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    return end;
}

static struct job *wait_for_job(struct worker *worker, bool connected)
{
    struct pool *pool = worker->pool;
    struct timespec until = idle_end(pool->settings->idle_ms);
    worker->idle = true;
    worker->connected = connected;
    worker->below = pool->idle;
    pool->idle = worker;
    while (!worker->job) {
        if (pthread_cond_timedwait(&worker->given, &pool->lock, &until) == ETIMEDOUT &&
            !worker->job) {
            leave_idle(worker);
            worker->ending = true;
            break;
        }
    }
    return worker->job;
}

static struct job *next_job(struct worker *worker, bool connected)
{
    pthread_mutex_lock(&worker->pool->lock);
    worker->pool->returning--;
    struct job *job = take_waiting(worker->pool);
    if (job)
        give(worker, job);
    else
        job = wait_for_job(worker, connected);
    pthread_mutex_unlock(&worker->pool->lock);
    return job;
}

static struct job *source_next(struct job_source *source)
{
    return next_job((struct worker *)source, true);
}

static void source_done(struct job_source *source, struct job *job, struct outcome *outcome)
{
    struct worker *worker = (struct worker *)source;
    struct pool *pool = worker->pool;
    wire_address(&worker->wire, outcome->address);
    pthread_mutex_lock(&pool->lock);
    worker->job = NULL;
    wire_end(&worker->wire);
    pool->returning++;
    pthread_mutex_unlock(&pool->lock);
    report(pool, job, outcome);
}

static void free_worker(struct worker *worker)
{
    wire_finish(&worker->wire);
    pthread_cond_destroy(&worker->given);
    free(worker);
}

// Ends the worker, unless a job has come to wait meanwhile.
static struct job *retire(struct worker *worker)
{
    struct pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    struct job *job = take_waiting(pool);
    if (job) {
        worker->ending = false;
        give(worker, job);
    } else {
        struct worker **at = &pool->workers;
        while (*at != worker)
            at = &(*at)->next;
        *at = worker->next;
        pool->worker_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    struct job *job = worker->job;
    do {
        struct error err;
        void *client = pool->driver->create(pool->settings, &worker->wire, &err);
        while (job) {
            if (client) {
                pool->driver->run(client, job, &worker->source);
            } else {
                struct outcome outcome = {0};
                outcome_set(&outcome, OUTCOME_SESSION, STAGE_CONNECT, err.message);
                source_done(&worker->source, job, &outcome);
            }
            job = worker->ending ? NULL : next_job(worker, false);
        }
        pool->driver->destroy(client);
        job = retire(worker);
    } while (job);
    free_worker(worker);
    return NULL;
}

// With pool->lock. A thread that cannot be had is not an error while others will come free.
static bool start_worker(struct pool *pool, struct job *job)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return false;
    worker->source = (struct job_source){.next = source_next, .done = source_done};
    worker->pool = pool;
    wire_init(&worker->wire, pool->dots, pool->settings->timeout_ms);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->given, &clock);
    pthread_condattr_destroy(&clock);
    give(worker, job);

    pthread_t thread;
    if (pthread_create(&thread, NULL, worker_main, worker) != 0) {
        free_worker(worker);
        return false;
    }
    pthread_detach(thread);
    worker->next = pool->workers;
    pool->workers = worker;
    pool->worker_count++;
    return true;
}

// With pool->lock. Returns the job where nobody can ever take it.
static struct job *hand_over(struct pool *pool, struct job *job)
{
    // The core may answer a result before the worker has turned round: its connection is kept,
    // and used rather than another one opened.
    bool soon = pool->returning > pool->waiting_count;
    struct worker *worker = find_connected(pool);
    if (!worker && !soon)
        worker = pool->idle;
    if (worker) {
        leave_idle(worker);
        give(worker, job);
        pthread_cond_signal(&worker->given);
        return NULL;
    }
    if (!soon && pool->worker_count < pool->settings->connections && start_worker(pool, job))
        return NULL;
    if (pool->worker_count == 0)
        return job;
    *pool->waiting_end = job;
    pool->waiting_end = &job->next;
    pool->waiting_count++;
    return NULL;
}

void pool_deliver(struct pool *pool, struct job *job)
{
    bool in_body;
    const char *fault = job_fault(job, &in_body);
    if (fault) {
        report_unsent(pool, job, OUTCOME_PERMANENT, in_body ? STAGE_BODY : STAGE_RCPT, fault);
        return;
    }
    if (clock_boot_ms() >= job->deadline_boot_ms) {
        report_unsent(pool, job, OUTCOME_EXPIRED, STAGE_CONNECT, "expired before it was begun");
        return;
    }
    pthread_mutex_lock(&pool->lock);
    job = hand_over(pool, job);
    pthread_mutex_unlock(&pool->lock);
    if (job)
        report_unsent(pool, job, OUTCOME_SESSION, STAGE_CONNECT, "no thread for the connection");
}

void pool_cut(struct pool *pool, const char *id)
{
    struct job *cut = NULL;
    pthread_mutex_lock(&pool->lock);
    struct job **at = &pool->waiting;
    while (*at) {
        struct job *job = *at;
        if (id[0] == '\0' || strcmp(id, job->id) == 0) {
            *at = job->next;
            pool->waiting_count--;
            job->next = cut;
            cut = job;
        } else {
            at = &job->next;
        }
    }
    pool->waiting_end = at;
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        if (worker->job && (id[0] == '\0' || strcmp(id, worker->job->id) == 0))
            wire_stop(&worker->wire, STOP_CUT);
    }
    pthread_mutex_unlock(&pool->lock);
    while (cut) {
        struct job *next = cut->next;
        report_unsent(pool, cut, OUTCOME_CUT, STAGE_CONNECT, "cut");
        cut = next;
    }
}

// With pool->lock.
static int64_t limit_of(struct worker *worker)
{
    if (worker->mail_boot_ms < worker->limit_boot_ms && !wire_mail_taken(&worker->wire))
        return worker->mail_boot_ms;
    return worker->limit_boot_ms;
}

static void put_off(struct worker *worker, int64_t until_ms)
{
    if (worker->mail_boot_ms < until_ms)
        worker->mail_boot_ms = until_ms;
    if (worker->limit_boot_ms < until_ms)
        worker->limit_boot_ms = until_ms;
}

// With pool->lock. Whoever looks late has stood still himself, as when the machine slept, and what
// the smarthost said meanwhile has not been read: there is a moment for that, once.
static bool is_over(struct worker *worker, int64_t now_ms)
{
    int64_t limit_ms = limit_of(worker);
    if (now_ms < limit_ms)
        return false;
    if (worker->excused || now_ms < limit_ms + LATE_MS)
        return true;
    worker->excused = true;
    put_off(worker, now_ms + EXCUSE_MS);
    return false;
}

bool pool_answer_ping(struct pool *pool, struct error *err)
{
    pthread_mutex_lock(&pool->result_lock);
    bool ok = protocol_write_ready(pool->result_fd, err);
    pthread_mutex_unlock(&pool->result_lock);
    return ok;
}

int pool_watch(struct pool *pool)
{
    int64_t now_ms = clock_boot_ms(), nearest_ms = INT64_MAX;
    pthread_mutex_lock(&pool->lock);
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        if (!worker->job)
            continue;
        if (is_over(worker, now_ms)) {
            wire_stop(&worker->wire, STOP_LIMIT);
            // Where the library is slow to notice (a resolver is asked again), shut down again.
            put_off(worker, now_ms + pool->settings->timeout_ms);
        }
        if (limit_of(worker) < nearest_ms)
            nearest_ms = limit_of(worker);
    }
    // Whoever comes free takes it, and tells nobody: its limits begin now at the soonest.
    int64_t soonest_ms = now_ms + mail_limit_ms(pool);
    if (soonest_ms > now_ms + pool->settings->timeout_ms)
        soonest_ms = now_ms + pool->settings->timeout_ms;
    if (pool->waiting && soonest_ms < nearest_ms)
        nearest_ms = soonest_ms;
    pthread_mutex_unlock(&pool->lock);
    return nearest_ms == INT64_MAX ? -1 : (int)(nearest_ms - now_ms);
}
