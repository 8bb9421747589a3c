// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/smarthosts/connection_window.h"

enum { LIMIT = 64, IDLE_MS = 30000, SLOW_MS = CONNECTION_WINDOW_SLOW_MS, DOUBT_MS = 60000 };

static struct connection_window make(void)
{
    struct connection_window window;
    connection_window_init(&window, LIMIT, IDLE_MS);
    return window;
}

// All that may be started is, and something waits still; then all end.
static void flood(struct connection_window *window, int64_t took_ms, int64_t *now_ms)
{
    size_t under_way = 0;
    while (connection_window_free(window, under_way) > 0)
        connection_window_started(window, ++under_way, *now_ms);
    connection_window_wanted(window, *now_ms);
    *now_ms += took_ms;
    for (; under_way > 0; under_way--) {
        connection_window_ended(window, took_ms, *now_ms);
        connection_window_wanted(window, *now_ms);
    }
}

static void opens_with_the_backlog_of_a_slow_smarthost(void **state)
{
    (void)state;
    struct connection_window window = make();
    int64_t now_ms = 0;
    static const size_t sizes[] = {4, 8, 16, 32, 64, 64};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(window.size, sizes[i]);
        flood(&window, SLOW_MS, &now_ms);
    }
}

static void few_are_enough_for_a_quick_one(void **state)
{
    (void)state;
    struct connection_window window = make();
    int64_t now_ms = 0;
    for (int i = 0; i < 10; i++)
        flood(&window, SLOW_MS - 1, &now_ms);
    assert_int_equal(window.size, CONNECTION_WINDOW_QUICK);
}

static void does_not_open_where_nothing_waits(void **state)
{
    (void)state;
    struct connection_window window = make();
    for (int64_t now_ms = 0; now_ms < 10000; now_ms += SLOW_MS) {
        for (size_t i = 1; i <= 3; i++)
            connection_window_started(&window, i, now_ms);
        for (size_t i = 0; i < 3; i++)
            connection_window_ended(&window, SLOW_MS, now_ms + SLOW_MS);
    }
    assert_int_equal(window.size, CONNECTION_WINDOW_FIRST);
}

static void opens_by_time_where_nothing_ends(void **state)
{
    (void)state;
    struct connection_window window = make();
    for (size_t i = 1; i <= 4; i++)
        connection_window_started(&window, i, 0);
    connection_window_wanted(&window, 10);
    assert_int_equal(connection_window_next_ms(&window), 10 + CONNECTION_WINDOW_WAIT_MS);
    assert_true(connection_window_tick(&window, 10 + CONNECTION_WINDOW_WAIT_MS));
    assert_int_equal(connection_window_free(&window, 4), 1);
    // What waited is not assumed to wait still.
    assert_true(connection_window_tick(&window, 10 + 2 * CONNECTION_WINDOW_WAIT_MS));
    assert_int_equal(connection_window_free(&window, 4), 1);
}

static void closes_to_what_was_in_use(void **state)
{
    (void)state;
    struct connection_window window = make();
    int64_t now_ms = 0;
    for (int i = 0; i < 5; i++)
        flood(&window, SLOW_MS, &now_ms);
    assert_int_equal(window.size, LIMIT);
    assert_true(connection_window_tick(&window, IDLE_MS)); // 64 were in use in this time
    assert_int_equal(window.size, LIMIT);
    for (size_t i = 1; i <= 10; i++)
        connection_window_started(&window, i, IDLE_MS + 1);
    assert_true(connection_window_tick(&window, 2 * IDLE_MS + 1));
    assert_int_equal(window.size, 10);
    connection_window_started(&window, 1, 3 * IDLE_MS);
    assert_true(connection_window_tick(&window, 4 * IDLE_MS));
    assert_int_equal(window.size, CONNECTION_WINDOW_FIRST);
    assert_int_equal(connection_window_next_ms(&window), INT64_MAX); // idle, it wakes nobody
}

static void what_the_smarthost_takes_is_the_limit_for_a_minute(void **state)
{
    (void)state;
    struct connection_window window = make();
    int64_t now_ms = 0;
    flood(&window, SLOW_MS, &now_ms); // 8
    for (size_t at_work = 7; at_work >= 3; at_work--)
        connection_window_refused(&window, at_work, DOUBT_MS, now_ms);
    assert_int_equal(connection_window_free(&window, 0), 3);
    assert_true(connection_window_ended(&window, SLOW_MS, now_ms)); // news
    assert_int_equal(window.cap, 3);
    connection_window_wanted(&window, now_ms);
    assert_false(connection_window_ended(&window, SLOW_MS, now_ms));
    assert_int_equal(connection_window_free(&window, 0), 3);

    now_ms += CONNECTION_WINDOW_CAP_MS;
    assert_true(connection_window_tick(&window, now_ms));
    connection_window_wanted(&window, now_ms);
    assert_false(connection_window_ended(&window, SLOW_MS, now_ms));
    assert_int_equal(connection_window_free(&window, 0), 4); // one more is tried
    connection_window_refused(&window, 3, DOUBT_MS, now_ms);
    assert_false(connection_window_ended(&window, SLOW_MS, now_ms)); // no news
    connection_window_refused(&window, 2, DOUBT_MS, now_ms);
    assert_true(connection_window_ended(&window, SLOW_MS, now_ms)); // another number
    connection_window_refused(&window, 1, DOUBT_MS, now_ms + 1);
    assert_false(connection_window_ended(&window, SLOW_MS, now_ms + 1)); // not so soon again
}

static void that_refuses_and_answers_nothing_is_down(void **state)
{
    (void)state;
    struct connection_window window = make();
    connection_window_refused(&window, 1, DOUBT_MS, 100);
    // Slow is not down: the one at work has all the time that a transaction has.
    assert_true(connection_window_tick(&window, 99 + DOUBT_MS));
    assert_false(connection_window_tick(&window, 100 + DOUBT_MS));
    connection_window_restart(&window);
    assert_true(connection_window_tick(&window, 100 + DOUBT_MS));
    assert_int_equal(connection_window_free(&window, 0), CONNECTION_WINDOW_FIRST);
}

static void what_it_was_known_to_take_outlasts_its_being_down(void **state)
{
    (void)state;
    struct connection_window window = make();
    connection_window_refused(&window, 2, DOUBT_MS, 0);
    connection_window_ended(&window, SLOW_MS, 10);
    connection_window_refused(&window, 1, DOUBT_MS,
                              20); // as it goes down: of this there is no proof
    connection_window_restart(&window);
    assert_int_equal(connection_window_most(&window), 2);
    assert_int_equal(connection_window_free(&window, 0), 2);
    assert_true(connection_window_tick(&window, 20 + CONNECTION_WINDOW_CAP_MS));
    assert_int_equal(connection_window_most(&window), LIMIT);
    connection_window_restart(&window);
    assert_int_equal(connection_window_free(&window, 0), CONNECTION_WINDOW_FIRST);
    assert_int_equal(connection_window_next_ms(&window), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_the_backlog_of_a_slow_smarthost),
        cmocka_unit_test(few_are_enough_for_a_quick_one),
        cmocka_unit_test(does_not_open_where_nothing_waits),
        cmocka_unit_test(opens_by_time_where_nothing_ends),
        cmocka_unit_test(closes_to_what_was_in_use),
        cmocka_unit_test(what_the_smarthost_takes_is_the_limit_for_a_minute),
        cmocka_unit_test(that_refuses_and_answers_nothing_is_down),
        cmocka_unit_test(what_it_was_known_to_take_outlasts_its_being_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
