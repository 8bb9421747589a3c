// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/base/clock.h"
#include "relay/compose_request.h"

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
    assert_null(line.first);
    compose_line_push(&line, &requests[0]);
    assert_ptr_equal(compose_line_take(&line), &requests[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_what_is_to_be_done),
        cmocka_unit_test(the_oldest_is_taken_first_and_any_can_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
