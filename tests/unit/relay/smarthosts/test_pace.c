// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/smarthosts/pace.h"

enum { MOST = 1000 };

static void without_rates_there_is_no_limit(void **state)
{
    (void)state;
    static const struct rates none = {.count = 0};
    struct pace pace;
    assert_true(pace_init(&pace, &none));
    for (int i = 0; i < 10; i++)
        pace_started(&pace, 5);
    assert_int_equal(pace_free(&pace, MOST, 5), MOST);
    assert_true(pace_next_ms(&pace) <= 5);
    pace_finish(&pace);
}

static void no_period_has_more_than_its_count(void **state)
{
    (void)state;
    static const struct rates rates = {.rate = {{.count = 3, .period_ms = 1000}}, .count = 1};
    struct pace pace;
    assert_true(pace_init(&pace, &rates));
    assert_int_equal(pace_free(&pace, MOST, 0), 3);
    assert_int_equal(pace_free(&pace, 2, 0), 2);
    pace_started(&pace, 0);
    pace_started(&pace, 600);
    pace_started(&pace, 900);
    assert_int_equal(pace_free(&pace, MOST, 999), 0);
    assert_int_equal(pace_next_ms(&pace), 1000);
    assert_int_equal(pace_free(&pace, MOST, 1000), 1);
    pace_started(&pace, 1000);
    // A bucket would have refilled meanwhile; 600, 900 and 1000 are within one second still.
    assert_int_equal(pace_free(&pace, MOST, 1599), 0);
    assert_int_equal(pace_free(&pace, MOST, 1600), 1);
    assert_int_equal(pace_free(&pace, MOST, 1900), 2);
    assert_int_equal(pace_free(&pace, MOST, 5000), 3);
    pace_finish(&pace);
}

static void several_rates_hold_together(void **state)
{
    (void)state;
    static const struct rates rates = {
        .rate = {{.count = 2, .period_ms = 1000}, {.count = 5, .period_ms = 60000}}, .count = 2};
    struct pace pace;
    assert_true(pace_init(&pace, &rates));
    int64_t now_ms = 0, last_ms = 0;
    for (int i = 0; i < 50; i++) {
        if (pace_next_ms(&pace) > now_ms)
            now_ms = pace_next_ms(&pace);
        assert_true(pace_free(&pace, MOST, now_ms) > 0);
        pace_started(&pace, now_ms);
        last_ms = now_ms;
    }
    assert_int_equal(last_ms, 9 * 60000 + 2 * 1000); // tenth five, its last second
    pace_finish(&pace);
}

static void what_came_to_nothing_does_not_count(void **state)
{
    (void)state;
    static const struct rates rates = {
        .rate = {{.count = 3, .period_ms = 1000}, {.count = 1, .period_ms = 10}}, .count = 2};
    struct pace pace;
    assert_true(pace_init(&pace, &rates));
    pace_taken_back(&pace, 0); // nothing was started then
    for (int64_t now_ms = 0; now_ms < 300; now_ms += 100)
        pace_started(&pace, now_ms);
    pace_taken_back(&pace, 100);
    assert_int_equal(pace_free(&pace, 1, 300), 1);
    pace_started(&pace, 300);
    assert_int_equal(pace_next_ms(&pace), 1000); // 0, 200 and 300
    pace_started(&pace, 1000);
    assert_int_equal(pace_next_ms(&pace), 1200);
    pace_taken_back(&pace, 1000); // 0 has left the list, and is no matter any more
    assert_int_equal(pace_next_ms(&pace), 310);
    pace_taken_back(&pace, 1000);
    pace_started(&pace, 1001);
    assert_int_equal(pace_next_ms(&pace), 1200);
    pace_finish(&pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rates_there_is_no_limit),
        cmocka_unit_test(no_period_has_more_than_its_count),
        cmocka_unit_test(several_rates_hold_together),
        cmocka_unit_test(what_came_to_nothing_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
