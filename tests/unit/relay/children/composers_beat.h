// composers_beat.h - requests for composers, and the beats until they are done.
#ifndef TESTS_UNIT_RELAY_COMPOSERS_BEAT_H
#define TESTS_UNIT_RELAY_COMPOSERS_BEAT_H

#include "composers_fixture.h"

static inline struct compose_request request_of(const char *id)
{
    return (struct compose_request){.task = COMPOSE_PAYLOAD,
                                    .id = id,
                                    .route = "kratos",
                                    .blob = "{}",
                                    .blob_size = 2,
                                    .received_boot_ms = clock_boot_ms()};
}

static inline void beat(struct fixture *fixture)
{
    int64_t next_ms = composers_next_ms(fixture->composers), now_ms = clock_boot_ms();
    int64_t wait_ms = next_ms > now_ms + 1000 ? 1000 : next_ms > now_ms ? next_ms - now_ms : 0;
    assert_true(event_loop_wait(fixture->loop, (int)wait_ms, NULL));
    composers_tick(fixture->composers, clock_boot_ms());
}

// Beats until *value is at least wanted.
static inline void beat_until(struct fixture *fixture, const size_t *value, size_t wanted)
{
    int64_t give_up_ms = clock_boot_ms() + 60000;
    while (*value < wanted) {
        assert_true(clock_boot_ms() < give_up_ms);
        beat(fixture);
    }
}

static inline void wait_for(struct fixture *fixture, size_t count)
{
    beat_until(fixture, &fixture->count, count);
}

#endif
