// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "relay/base/timestamp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_days_and_moments(void **state)
{
    (void)state;
    // date -u -d TEXT +%s
    static const struct {
        const char *text;
        int64_t want_ms;
    } cases[] = {
        {"1970-01-01", 86400000 - 1},
        {"2027-01-31", INT64_C(1801440000000) - 1},
        {"2028-02-29", INT64_C(1835481600000) - 1},
        {"2027-01-31T18:00:00Z", INT64_C(1801418400000)},
        {"2027-01-31t18:00:00z", INT64_C(1801418400000)},
        {"2027-01-31T18:00:00.5Z", INT64_C(1801418400500)},
        {"2027-01-31T18:00:00.250999Z", INT64_C(1801418400250)},
        {"2027-01-31T18:00:00+01:00", INT64_C(1801414800000)},
        {"2027-01-31T18:00:00-05:30", INT64_C(1801438200000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        if (!timestamp_parse(cases[i].text, strlen(cases[i].text), &ms))
            fail_msg("refused: %s", cases[i].text);
        if (ms != cases[i].want_ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
}

static void refuses_what_is_neither(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2027",
        "2027-01",
        "2027-1-31",
        "27-01-31",
        "2027-01-32",
        "2027-02-29",
        "2027-02-30",
        "2027-13-01",
        "2027-00-01",
        "2027-01-00",
        "1969-12-31",
        "1970-01-01T00:00:00+01:00",
        "2027/01/31",
        "31.01.2027",
        " 2027-01-31",
        "2027-01-31 ",
        "2027-01-31T",
        "2027-01-31T18:00Z",
        "2027-01-31T18:00:00",
        "2027-01-31 18:00:00Z",
        "2027-01-31T24:00:00Z",
        "2027-01-31T18:60:00Z",
        "2027-01-31T18:00:60Z",
        "2027-01-31T18:00:00.Z",
        "2027-01-31T18:00:00+0100",
        "2027-01-31T18:00:00+24:00",
        "2027-01-31T18:00:00Zx",
        "+027-01-31",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        if (timestamp_parse(cases[i], strlen(cases[i]), &ms))
            fail_msg("taken: %s", cases[i]);
        assert_int_equal(ms, -1);
    }
    // The size counts, not a NUL.
    int64_t ms;
    assert_true(timestamp_parse("2027-01-31;", 10, &ms));
    assert_false(timestamp_parse("2027-01-31", 9, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_days_and_moments),
        cmocka_unit_test(refuses_what_is_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
