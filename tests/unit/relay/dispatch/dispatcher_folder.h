// dispatcher_folder.h - a dispatcher with a real queue and real dot marks.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_FOLDER_H
#define TESTS_UNIT_RELAY_DISPATCHER_FOLDER_H

#include "dispatcher_deliverers.h"
#include "relay/base/log.h"
#include "tests/support/folder.h"

struct fixture {
    char dir[FOLDER_PATH_SIZE];
    struct event_loop *loop;
    struct config config;
    struct queue *queue;
    struct queue_reader *reader;
    struct dots *dots;
    struct dispatcher *dispatcher;
};

static inline int set_up(void **state)
{
    memset(&seen, 0, sizeof(seen));
    log_setup(LOG_JSON, LOG_ERROR);
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    folder_make(fixture->dir);
    const struct queue_options options = {.dir = fixture->dir};
    static char any[] = "any"; // the stand-in composers look at none of these
    fixture->config = (struct config){.transaction_timeout_ms = MINUTE_MS,
                                      .composer_path = any,
                                      .templates_dir = any,
                                      .normaliser = any,
                                      .locale = any,
                                      .timezone = any,
                                      .mail_from = any};
    fixture->loop = event_loop_create(&err);
    fixture->queue = queue_open(&options, &err);
    fixture->reader = fixture->queue ? queue_reader_create(fixture->queue, &err) : NULL;
    fixture->dots = dots_open(fixture->dir, 0, &err);
    fixture->dispatcher = dispatcher_create(fixture->loop, &fixture->config, fixture->queue,
                                            fixture->dots, "run", NULL, &err);
    *state = fixture;
    return fixture->dispatcher && fixture->reader ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    queue_flush(fixture->queue, &err); // what still runs tells the dispatcher
    dispatcher_destroy(fixture->dispatcher);
    dots_close(fixture->dots);
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    event_loop_destroy(fixture->loop);
    folder_remove(fixture->dir);
    free(fixture);
    return 0;
}

#define DISPATCHER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

// The payload is the id itself: no two are alike.
static inline struct queue_accept accept_of(const char *id, int64_t received_ms)
{
    return (struct queue_accept){.id = id,
                                 .route = "kratos",
                                 .payload = id,
                                 .payload_size = strlen(id),
                                 .received_ms = received_ms};
}

// Until every write that was submitted has ended, and the dispatcher has heard of it.
static inline void settle_down(struct fixture *fixture)
{
    for (int i = 0; i < 5; i++) {
        struct error err = {0};
        queue_flush(fixture->queue, &err);
        assert_true(event_loop_wait(fixture->loop, 0, &err));
        dispatcher_tick(fixture->dispatcher);
    }
}

#endif
