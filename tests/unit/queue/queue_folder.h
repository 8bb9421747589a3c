// queue_folder.h - opening, closing and rebooting a queue in a folder of its own.
#ifndef TESTS_UNIT_QUEUE_QUEUE_FOLDER_H
#define TESTS_UNIT_QUEUE_QUEUE_FOLDER_H

#include "queue_clocks.h"

static inline bool fixture_try_open(struct fixture *fixture, const char *key_hex, struct error *err)
{
    const struct clock_source source = {.boot_ms = fixture_boot_ms,
                                        .wall_ms = fixture_wall_ms,
                                        .boot_id = fixture_boot_id,
                                        .context = fixture};
    const struct queue_options options = {.dir = fixture->dir,
                                          .key_hex = key_hex,
                                          .on_broken = fixture_broken,
                                          .on_resealed = fixture_resealed,
                                          .on_blocked = fixture_blocked,
                                          .context = fixture};
    fixture->queue =
        queue_open_at(&options, &source, fixture->schema ? fixture->schema : &SCHEMA, err);
    if (!fixture->queue)
        return false;
    fixture->reader = queue_reader_create(fixture->queue, err);
    return fixture->reader != NULL;
}

static inline void fixture_open(struct fixture *fixture)
{
    struct error err = {0};
    if (!fixture_try_open(fixture, NULL, &err))
        fail_msg("%s", err.message);
}

static inline void fixture_close(struct fixture *fixture)
{
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    fixture->reader = NULL;
    fixture->queue = NULL;
}

static inline void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

static inline void fixture_pass(struct fixture *fixture, int64_t ms)
{
    atomic_fetch_add(&fixture->boot_ms, ms);
    atomic_fetch_add(&fixture->wall_ms, ms);
}

// The machine starts anew, having been off for ms.
static inline void fixture_reboot(struct fixture *fixture, int64_t ms)
{
    fixture_close(fixture);
    fixture->boot_id[0]++;
    fixture->boot_ms = 1000;
    fixture->wall_ms += ms;
    fixture_open(fixture);
}

static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.boot_ms = BOOT_START, .wall_ms = WALL_START};
    sem_init(&fixture->resealed_often, 0, 0);
    memset(fixture->boot_id, 'a', CLOCK_BOOT_ID_SIZE - 1);
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/queue-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static inline void fixture_finish(struct fixture *fixture)
{
    fixture_close(fixture);
    nftw(fixture->dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_init(fixture);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_finish(*state);
    free(*state);
    return 0;
}

#define QUEUE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

#endif
