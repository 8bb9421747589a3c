// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "relay/base/names.h"
#include "relay/base/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want_ms; // -1: refused
    } cases[] = {
        {"250ms", 250},  {"15s", 15000},    {"15m", 900000},
        {"1h", 3600000}, {"2d", 172800000}, {"1h30m", 5400000},
        {"0s", 0},       {"1m5ms", 60005},  {"366d", 31622400000},
        {"", -1},        {"15", -1},        {"m", -1},
        {"1.5h", -1},    {"-1s", -1},       {"1 s", -1},
        {"1s ", -1},     {"367d", -1},      {"99999999999999999999s", -1},
        {"1w", -1},      {"1h30", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = -1;
        duration_parse(cases[i].text, strlen(cases[i].text), &got);
        if (got != cases[i].want_ms)
            fail_msg("%s: %lld", cases[i].text, (long long)got);
    }
}

static void reads_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t max, want;
    } cases[] = {
        {"0", 10, 0},
        {"10", 10, 10},
        {"11", 10, -1},
        {"007", 9, 7},
        {"2", 2, 2},
        {"7", 2, -1},
        {"07", 2, -1},
        {"", 9, -1},
        {"+1", 9, -1},
        {"1x", 9, -1},
        {" 1", 9, -1},
        {"9223372036854775807", INT64_MAX, INT64_MAX},
        {"9223372036854775808", INT64_MAX, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = -1;
        number_parse(cases[i].text, strlen(cases[i].text), cases[i].max, &got);
        if (got != cases[i].want)
            fail_msg("%s: %lld", cases[i].text, (long long)got);
    }
}

static void measures_how_unlike_names_are(void **state)
{
    (void)state;
    assert_int_equal(names_distance("", ""), 0);
    assert_int_equal(names_distance("kitten", "sitting"), 3);
    assert_int_equal(names_distance("mail_form", "mail_from"), 1);
    assert_int_equal(names_distance("bdoy", "body"), 1);
    assert_int_equal(names_distance("ab", "BA"), 1);
    assert_int_equal(names_distance("abc", "ca"), 3);
    assert_int_equal(names_distance("ba", "a"), 1);
    assert_int_equal(names_distance("LISTEN", "listen"), 0);
    assert_int_equal(names_distance("", "abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(measures_how_unlike_names_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
