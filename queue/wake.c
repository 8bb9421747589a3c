#include "queue/wake.h"

#include <time.h>

void wake_init(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

void wake_wait(pthread_cond_t *wake, pthread_mutex_t *mutex, int64_t moment_ms)
{
    if (moment_ms == INT64_MAX) {
        pthread_cond_wait(wake, mutex);
        return;
    }
    struct timespec moment = {.tv_sec = (time_t)(moment_ms / 1000),
                              .tv_nsec = (long)(moment_ms % 1000) * 1000000};
    pthread_cond_timedwait(wake, mutex, &moment);
}
