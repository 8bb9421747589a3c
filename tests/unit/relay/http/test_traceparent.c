// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/http/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZEROS "00000000000000000000000000000000"

static void takes_the_trace_of_a_valid_header(void **state)
{
    (void)state;
    static const char *const values[] = {
        "00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-00",
        "01-" TRACE "-" PARENT "-09",        // a later version
        "cc-" TRACE "-" PARENT "-01-more 1", // ... has what nobody knows yet behind it
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char id[TRACE_ID_SIZE] = "";
        assert_true(traceparent_parse(values[i], id));
        assert_string_equal(id, TRACE);
    }
}

static void leaves_what_is_none_alone(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "00",
        "00-",
        "00-" TRACE,
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-1",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01 ",
        "01-" TRACE "-" PARENT "-01.more",
        "ff-" TRACE "-" PARENT "-01",
        "00-" ZEROS "-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47361-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "0-" TRACE "-" PARENT "-01",
        " 00-" TRACE "-" PARENT "-01",
        "0g-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-zz",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char id[TRACE_ID_SIZE] = "untouched";
        assert_false(traceparent_parse(values[i], id));
        assert_string_equal(id, "untouched");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_trace_of_a_valid_header),
        cmocka_unit_test(leaves_what_is_none_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
