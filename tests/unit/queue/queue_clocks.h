// queue_clocks.h - a folder for a queue, and the clocks it runs on, which the test sets.
#ifndef TESTS_UNIT_QUEUE_QUEUE_CLOCKS_H
#define TESTS_UNIT_QUEUE_QUEUE_CLOCKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue_private.h"

#define WALL_START 1790000000000
#define BOOT_START 5000000
#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct fixture {
    char dir[64];
    struct queue *queue;
    struct queue_reader *reader;
    const struct schema *schema; // NULL: this version's
    _Atomic int64_t boot_ms, wall_ms;
    char boot_id[CLOCK_BOOT_ID_SIZE];
    _Atomic int broken;   // how often on_broken was called
    sem_t resealed_often; // posted by on_resealed
    struct queue_resealed resealed;
    _Atomic int blocked; // 1 from on_blocked's first word to its second
};

static inline int64_t fixture_boot_ms(void *context)
{
    return ((struct fixture *)context)->boot_ms;
}

static inline int64_t fixture_wall_ms(void *context)
{
    return ((struct fixture *)context)->wall_ms;
}

static inline bool fixture_boot_id(void *context, char ret_id[CLOCK_BOOT_ID_SIZE],
                                   struct error *err)
{
    (void)err;
    memcpy(ret_id, ((struct fixture *)context)->boot_id, CLOCK_BOOT_ID_SIZE);
    return true;
}

static inline void fixture_resealed(void *context, const struct queue_resealed *resealed)
{
    struct fixture *fixture = context;
    fixture->resealed = *resealed;
    sem_post(&fixture->resealed_often);
}

static inline void fixture_blocked(void *context, const struct error *err)
{
    atomic_fetch_add(&((struct fixture *)context)->blocked, err ? 1 : -1);
}

static inline void fixture_broken(void *context, const struct error *err)
{
    assert_int_not_equal(err->code, ERR_NONE);
    atomic_fetch_add(&((struct fixture *)context)->broken, 1);
}

#endif
