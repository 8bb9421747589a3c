// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/dispatch/route_health.h"

#define NOW_MS 1000000

static bool fails(struct route_health *health, const char *route, int64_t cost_ms, int64_t now_ms)
{
    return route_health_failed(health, route, cost_ms, now_ms);
}

static bool succeeds(struct route_health *health, const char *route)
{
    return route_health_succeeded(health, route, NOW_MS);
}

static void fail_times(struct route_health *health, const char *route, int count)
{
    for (int i = 0; i < count; i++)
        fails(health, route, 0, NOW_MS);
}

static void goes_down_after_so_many_in_a_row_and_says_so_once(void **state)
{
    (void)state;
    struct route_health health = {0};
    for (int i = 1; i < ROUTE_FAILURES_MAX; i++) {
        assert_false(fails(&health, "kratos", 0, NOW_MS));
        assert_true(route_health_ask(&health, "kratos", NOW_MS));
    }
    assert_true(fails(&health, "kratos", 0, NOW_MS));
    assert_false(route_health_ask(&health, "kratos", NOW_MS));
    assert_false(fails(&health, "kratos", 0, NOW_MS)); // one that was under way
    route_health_finish(&health);
}

static void a_success_between_failures_starts_the_count_anew(void **state)
{
    (void)state;
    struct route_health health = {0};
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX - 1);
    assert_false(succeeds(&health, "kratos"));
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX - 1);
    assert_true(route_health_ask(&health, "kratos", NOW_MS));
    route_health_finish(&health);
}

static void one_route_is_nothing_to_another(void **state)
{
    (void)state;
    struct route_health health = {0};
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX);
    fail_times(&health, "orders", ROUTE_FAILURES_MAX - 1);
    assert_false(route_health_ask(&health, "kratos", NOW_MS));
    assert_true(route_health_ask(&health, "orders", NOW_MS));
    assert_true(route_health_ask(&health, "never heard of", NOW_MS));
    assert_false(succeeds(&health, "orders"));
    assert_false(route_health_ask(&health, "kratos", NOW_MS));
    route_health_finish(&health);
}

static void one_payload_each_so_often_is_a_probe(void **state)
{
    (void)state;
    struct route_health health = {0};
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX);
    int64_t now_ms = NOW_MS;
    for (int i = 0; i < 3; i++) {
        assert_false(route_health_ask(&health, "kratos", now_ms + ROUTE_PROBE_MS - 1));
        now_ms += ROUTE_PROBE_MS;
        assert_true(route_health_ask(&health, "kratos", now_ms));
        assert_false(route_health_ask(&health, "kratos", now_ms));
        assert_false(fails(&health, "kratos", 0, now_ms));
    }
    assert_true(succeeds(&health, "kratos"));
    assert_false(succeeds(&health, "kratos"));
    assert_true(route_health_ask(&health, "kratos", now_ms));
    route_health_finish(&health);
}

static void what_is_forgiven_is_asked_again_and_comes_up_with_a_success(void **state)
{
    (void)state;
    struct route_health health = {0};
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX);
    route_health_forgive(&health);
    assert_true(route_health_ask(&health, "kratos", NOW_MS));
    assert_true(route_health_ask(&health, "kratos", NOW_MS));
    assert_true(succeeds(&health, "kratos"));

    fail_times(&health, "kratos", ROUTE_FAILURES_MAX);
    route_health_forgive(&health);
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX - 1);
    assert_true(fails(&health, "kratos", 0, NOW_MS));
    route_health_finish(&health);
}

// ---- what failures cost -----------------------------------------------------------------------

static void time_that_failures_take_counts_however_much_goes_well(void **state)
{
    (void)state;
    struct route_health health = {0};
    assert_false(fails(&health, "kratos", 1000, NOW_MS));
    for (int i = 0; i < 1000; i++)
        assert_false(succeeds(&health, "kratos"));
    assert_false(fails(&health, "kratos", 1999, NOW_MS));
    assert_false(succeeds(&health, "kratos"));
    assert_true(route_health_ask(&health, "kratos", NOW_MS));
    assert_true(fails(&health, "kratos", 1, NOW_MS));
    assert_false(route_health_ask(&health, "kratos", NOW_MS));
    assert_false(fails(&health, "kratos", 1000, NOW_MS)); // one that was under way
    route_health_finish(&health);
}

static void a_twentieth_of_the_time_that_passes_is_forgiven(void **state)
{
    (void)state;
    struct route_health health = {0};
    int64_t now_ms = NOW_MS;
    for (int i = 0; i < 100; i++, now_ms += 20000) { // a second each twenty
        assert_false(fails(&health, "kratos", 1000, now_ms));
        assert_false(route_health_succeeded(&health, "kratos", now_ms));
    }
    bool went_down = false; // but not a second each nineteen
    for (int i = 0; i < 100 && !went_down; i++, now_ms += 19000) {
        went_down = fails(&health, "kratos", 1000, now_ms);
        assert_false(route_health_succeeded(&health, "kratos", now_ms));
    }
    assert_true(went_down);
    route_health_finish(&health);
}

static void short_times_are_forgiven_as_well_as_long_ones(void **state)
{
    (void)state;
    struct route_health health = {0};
    fails(&health, "kratos", 2999, NOW_MS);
    for (int64_t now_ms = NOW_MS; now_ms <= NOW_MS + 20000; now_ms += 19)
        route_health_succeeded(&health, "kratos", now_ms);
    assert_false(fails(&health, "kratos", 1000, NOW_MS + 20000)); // 2999 - 1000 + 1000
    assert_true(fails(&health, "kratos", 1, NOW_MS + 20000));
    route_health_finish(&health);
}

static void a_success_does_not_bring_it_up_while_what_it_cost_is_fresh(void **state)
{
    (void)state;
    struct route_health health = {0};
    fails(&health, "kratos", 3000, NOW_MS);
    int64_t until_ms = NOW_MS + (3000 - ROUTE_LOST_UP_MS) * ROUTE_FORGIVEN_PART;
    assert_false(succeeds(&health, "kratos")); // one that was under way
    assert_false(route_health_succeeded(&health, "kratos", until_ms - 1));
    assert_false(route_health_ask(&health, "kratos", until_ms - 1));
    assert_true(until_ms < NOW_MS + ROUTE_PROBE_MS);
    assert_true(route_health_succeeded(&health, "kratos", until_ms));
    assert_true(route_health_ask(&health, "kratos", until_ms));
    assert_true(fails(&health, "kratos", 1000, until_ms)); // nor is it trusted as before at once
    route_health_finish(&health);
}

static void no_failure_keeps_it_down_for_longer_than_others(void **state)
{
    (void)state;
    struct route_health health = {0};
    fails(&health, "kratos", 1000000, NOW_MS);
    fails(&health, "kratos", 1000000, NOW_MS);
    assert_true(route_health_succeeded(&health, "kratos", NOW_MS + ROUTE_PROBE_MS));
    route_health_finish(&health);
}

static void what_it_cost_is_forgiven_with_the_rest(void **state)
{
    (void)state;
    struct route_health health = {0};
    fails(&health, "kratos", 3000, NOW_MS);
    route_health_forgive(&health);
    assert_true(route_health_ask(&health, "kratos", NOW_MS));
    assert_true(succeeds(&health, "kratos"));
    assert_false(fails(&health, "kratos", 2999, NOW_MS));
    route_health_finish(&health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_down_after_so_many_in_a_row_and_says_so_once),
        cmocka_unit_test(a_success_between_failures_starts_the_count_anew),
        cmocka_unit_test(one_route_is_nothing_to_another),
        cmocka_unit_test(one_payload_each_so_often_is_a_probe),
        cmocka_unit_test(what_is_forgiven_is_asked_again_and_comes_up_with_a_success),
        cmocka_unit_test(time_that_failures_take_counts_however_much_goes_well),
        cmocka_unit_test(a_twentieth_of_the_time_that_passes_is_forgiven),
        cmocka_unit_test(short_times_are_forgiven_as_well_as_long_ones),
        cmocka_unit_test(a_success_does_not_bring_it_up_while_what_it_cost_is_fresh),
        cmocka_unit_test(no_failure_keeps_it_down_for_longer_than_others),
        cmocka_unit_test(what_it_cost_is_forgiven_with_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
