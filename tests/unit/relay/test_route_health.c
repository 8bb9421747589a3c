// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/route_health.h"

#define NOW_MS 1000000

static void fail_times(struct route_health *health, const char *route, int count)
{
    for (int i = 0; i < count; i++)
        route_health_failed(health, route, NOW_MS);
}

static void goes_down_after_so_many_in_a_row_and_says_so_once(void **state)
{
    (void)state;
    struct route_health health = {0};
    for (int i = 1; i < ROUTE_FAILURES_MAX; i++) {
        assert_false(route_health_failed(&health, "kratos", NOW_MS));
        assert_true(route_health_ask(&health, "kratos", NOW_MS));
    }
    assert_true(route_health_failed(&health, "kratos", NOW_MS));
    assert_false(route_health_ask(&health, "kratos", NOW_MS));
    assert_false(route_health_failed(&health, "kratos", NOW_MS)); // one that was under way
    route_health_finish(&health);
}

static void a_success_between_failures_starts_the_count_anew(void **state)
{
    (void)state;
    struct route_health health = {0};
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX - 1);
    assert_false(route_health_succeeded(&health, "kratos"));
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
    assert_false(route_health_succeeded(&health, "orders"));
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
        assert_false(route_health_failed(&health, "kratos", now_ms));
    }
    assert_true(route_health_succeeded(&health, "kratos"));
    assert_false(route_health_succeeded(&health, "kratos"));
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
    assert_true(route_health_succeeded(&health, "kratos"));

    fail_times(&health, "kratos", ROUTE_FAILURES_MAX);
    route_health_forgive(&health);
    fail_times(&health, "kratos", ROUTE_FAILURES_MAX - 1);
    assert_true(route_health_failed(&health, "kratos", NOW_MS));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
