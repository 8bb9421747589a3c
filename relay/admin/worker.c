#include "relay/admin/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct admin_worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct admin_task *first, **end;
    size_t waiting;
    bool stopping;
};

// NULL: there are none any more.
static struct admin_task *wait_for_task(struct admin_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (!worker->first && !worker->stopping)
        pthread_cond_wait(&worker->wake, &worker->mutex);
    struct admin_task *task = worker->first;
    if (task && !(worker->first = task->next))
        worker->end = &worker->first;
    worker->waiting -= task != NULL;
    pthread_mutex_unlock(&worker->mutex);
    return task;
}

static void *run(void *context)
{
    for (struct admin_task *task; (task = wait_for_task(context));)
        task->run(task);
    return NULL;
}

struct admin_worker *admin_worker_create(struct error *err)
{
    struct admin_worker *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    worker->end = &worker->first;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->wake, NULL);
    errno = pthread_create(&worker->thread, NULL, run, worker);
    if (errno == 0)
        return worker;
    error_errno(err, ERR_TEMPORARY, "start a thread");
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
    return NULL;
}

void admin_worker_destroy(struct admin_worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

// at: where it is put in.
static void put(struct admin_worker *worker, struct admin_task **at, struct admin_task *task)
{
    task->next = *at;
    *at = task;
    if (!task->next)
        worker->end = &task->next;
    worker->waiting++;
    pthread_cond_signal(&worker->wake);
}

bool admin_worker_give(struct admin_worker *worker, struct admin_task *task)
{
    pthread_mutex_lock(&worker->mutex);
    bool has_room = worker->waiting < ADMIN_TASKS_MAX;
    if (has_room)
        put(worker, worker->end, task);
    pthread_mutex_unlock(&worker->mutex);
    return has_room;
}

bool admin_worker_give_first(struct admin_worker *worker, struct admin_task *task)
{
    pthread_mutex_lock(&worker->mutex);
    bool has_room = worker->waiting < ADMIN_TASKS_MAX;
    if (has_room)
        put(worker, &worker->first, task);
    pthread_mutex_unlock(&worker->mutex);
    return has_room;
}
