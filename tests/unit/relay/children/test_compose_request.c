// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/base/clock.h"
#include "relay/children/compose_request.h"

static const char *text_of(const json_t *header, const char *name)
{
    return json_string_value(json_object_get(header, name));
}

static void a_header_says_what_is_to_be_done(void **state)
{
    (void)state;
    static const struct {
        enum compose_task task;
        const char *op, *route;
        bool fallback;
    } cases[] = {{COMPOSE_PAYLOAD, "compose", "orders", false},
                 {COMPOSE_FALLBACK, "compose", "orders", true},
                 {COMPOSE_RENDER, "render", NULL, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct compose_request request = {.task = cases[i].task,
                                                .id = "one",
                                                .route = "orders",
                                                .received_boot_ms = clock_boot_ms() - 1000};
        json_auto_t *header = compose_request_header(&request);
        assert_string_equal(text_of(header, "op"), cases[i].op);
        assert_string_equal(text_of(header, "id"), "one");
        if (cases[i].route)
            assert_string_equal(text_of(header, "route"), cases[i].route);
        else
            assert_null(json_object_get(header, "route"));
        assert_int_equal(json_is_true(json_object_get(header, "fallback")), cases[i].fallback);
        assert_true(json_integer_value(json_object_get(header, "elapsed_ms")) >= 1000);
        assert_true(json_integer_value(json_object_get(header, "wall_ms")) > 0);
    }
}

static void the_oldest_is_taken_first_and_any_can_leave(void **state)
{
    (void)state;
    struct compose_request requests[5];
    memset(requests, 0, sizeof(requests));
    struct compose_line line;
    compose_line_init(&line);
    for (size_t i = 0; i < 4; i++)
        compose_line_push(&line, &requests[i]);
    compose_line_remove(&line, &requests[0]);
    compose_line_remove(&line, &requests[3]); // the last one: where the next one is put changes
    compose_line_remove(&line, &requests[3]); // is not there any more
    compose_line_push(&line, &requests[4]);
    static const size_t want[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(compose_line_take(&line), &requests[want[i]]);
    assert_null(compose_line_take(&line));
    compose_line_push(&line, &requests[0]);
    assert_ptr_equal(compose_line_take(&line), &requests[0]);
}

// No stranger's text is at work in a fallback or a stored mail, so they are quick; and who asks a
// normaliser that is down is likely not to be.
static void the_quick_go_first_and_the_last_resort_last(void **state)
{
    (void)state;
    struct compose_request last = {.is_last_resort = true}, early = {0}, late = {0},
                           stored = {.task = COMPOSE_RENDER},
                           fallback = {.task = COMPOSE_FALLBACK, .is_last_resort = true};
    struct compose_request *const in[] = {&last, &early, &stored, &late, &fallback};
    struct compose_request *const out[] = {&stored, &fallback, &early, &late, &last};
    struct compose_line line;
    compose_line_init(&line);
    for (size_t i = 0; i < 5; i++)
        compose_line_push(&line, in[i]);
    compose_line_remove(&line, &late);
    compose_line_push(&line, &late);
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(compose_line_take(&line), out[i]);
    assert_null(compose_line_take(&line));
}

static void the_line_knows_who_has_waited_longest(void **state)
{
    (void)state;
    struct compose_request last = {.is_last_resort = true}, fresh = {0},
                           stored = {.task = COMPOSE_RENDER};
    struct compose_line line;
    compose_line_init(&line);
    assert_true(compose_line_since_ms(&line) == INT64_MAX);
    compose_line_push(&line, &last);
    compose_line_push(&line, &fresh);
    compose_line_push(&line, &stored);
    stored.waiting_since_ms = 30;
    fresh.waiting_since_ms = 20;
    last.waiting_since_ms = 10;
    assert_int_equal(compose_line_since_ms(&line), 10);
    compose_line_remove(&line, &last);
    assert_int_equal(compose_line_since_ms(&line), 20);
    compose_line_remove(&line, &fresh);
    assert_int_equal(compose_line_since_ms(&line), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_what_is_to_be_done),
        cmocka_unit_test(the_oldest_is_taken_first_and_any_can_leave),
        cmocka_unit_test(the_quick_go_first_and_the_last_resort_last),
        cmocka_unit_test(the_line_knows_who_has_waited_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
