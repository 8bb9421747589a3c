// writer_wait.c - for threads that have nothing to do until their write has ended.
#include <pthread.h>

#include "queue/writer.h"

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
    change->waited_for = true;
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
