// deliverers_fixture.h - the deliverers, for one test.
#ifndef TESTS_UNIT_RELAY_DELIVERERS_FIXTURE_H
#define TESTS_UNIT_RELAY_DELIVERERS_FIXTURE_H

#include "deliverers_told.h"

static char *program;
__attribute__((unused)) static char text_good[] = "good", text_bad[] = "bad", text_mute[] = "mute";

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/deliverers-XXXXXX");
    struct error err = {0};
    if (!mkdtemp(fixture->dir))
        return -1;
    for (size_t i = 0; i < 2; i++)
        fixture->smarthosts[i] =
            (struct smarthost){.host = text_good, .port = 25, .idle_ms = SMARTHOST_IDLE_MS};
    snprintf(fixture->smarthosts[0].name, SMARTHOST_NAME_SIZE, "first");
    snprintf(fixture->smarthosts[1].name, SMARTHOST_NAME_SIZE, "second");
    fixture->config = (struct config){.deliverer_path = program,
                                      .queue_dir = fixture->dir,
                                      .smtp_helo = text_good,
                                      .smarthosts = fixture->smarthosts,
                                      .smarthost_count = 1,
                                      .connections = 4,
                                      .transaction_timeout_ms = 1};
    fixture->loop = event_loop_create(&err);
    fixture->dots = dots_open(fixture->dir, 0, &err);
    return create(fixture) ? 0 : -1;
}

static inline int set_up_two(void **state)
{
    int failed = set_up(state);
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->config.smarthost_count = 2;
    return failed || !create(fixture) ? -1 : 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    dots_close(fixture->dots);
    event_loop_destroy(fixture->loop);
    char path[64];
    snprintf(path, sizeof(path), "%s/dots", fixture->dir);
    unlink(path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

// Starts a message that has the stand-in do what id says. Gives its index, or -1: not taken.
static inline int start_to(struct fixture *fixture, const char *id, const char *recipient,
                           int64_t now_ms)
{
    struct delivery *delivery = &fixture->deliveries[fixture->started];
    *delivery = (struct delivery){.id = id,
                                  .sender = "a@b",
                                  .recipient = recipient,
                                  .message = "x",
                                  .message_size = 1,
                                  .mark = dots_assign(fixture->dots, id)};
    if (!deliverers_start(fixture->deliverers, delivery, now_ms))
        return -1;
    return (int)fixture->started++;
}

static inline int start_at(struct fixture *fixture, const char *id, int64_t now_ms)
{
    return start_to(fixture, id, "c@d", now_ms);
}

static inline int start(struct fixture *fixture, const char *id)
{
    return start_at(fixture, id, clock_boot_ms());
}

static inline void wait_for(struct fixture *fixture, size_t count)
{
    int64_t give_up = clock_boot_ms() + 60000;
    while (fixture->done < count) {
        int64_t now = clock_boot_ms();
        assert_true(now < give_up);
        int64_t next = deliverers_next_ms(fixture->deliverers, now);
        int64_t wait = next == INT64_MAX ? 1000 : next - now;
        assert_true(event_loop_wait(fixture->loop, wait < 0 ? 0 : (int)wait, NULL));
        deliverers_tick(fixture->deliverers, clock_boot_ms());
    }
}

// Until the circuit that is open may be probed.
static inline void wait_for_probe(struct fixture *fixture)
{
    int64_t probe_ms = deliverers_next_ms(fixture->deliverers, clock_boot_ms());
    assert_true(probe_ms < INT64_MAX);
    while (clock_boot_ms() < probe_ms)
        event_loop_wait(fixture->loop, (int)(probe_ms - clock_boot_ms()), NULL);
}

#endif
