#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/cli/relative_time.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static void takes_the_unit_that_says_most(void **state)
{
    (void)state;
    static const struct {
        int64_t ahead_ms;
        const char *want;
    } cases[] = {
        {0, "now"},
        {999, "now"},
        {-999, "now"},
        {-1000, "1s ago"},
        {89999, "in 89s"},
        {90000, "in 1m"},
        {-3 * MINUTE_MS, "3m ago"},
        {12 * MINUTE_MS + 59000, "in 12m"},
        {-89 * MINUTE_MS, "89m ago"},
        {-90 * MINUTE_MS, "1h ago"},
        {-47 * HOUR_MS, "47h ago"},
        {-48 * HOUR_MS, "2d ago"},
        {400 * 24 * HOUR_MS, "in 400d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[RELATIVE_TIME_SIZE];
        assert_string_equal(relative_time(cases[i].ahead_ms, text), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_the_unit_that_says_most)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
