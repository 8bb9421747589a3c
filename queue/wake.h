// wake.h - waiting for a condition until a moment of CLOCK_MONOTONIC.
#ifndef QUEUE_WAKE_H
#define QUEUE_WAKE_H

#include <pthread.h>
#include <stdint.h>

void wake_init(pthread_cond_t *wake);
// Until it is signalled, or that moment; INT64_MAX: never. Held: mutex.
void wake_wait(pthread_cond_t *wake, pthread_mutex_t *mutex, int64_t moment_ms);

#endif
