// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/base/clock.h"

static void writes_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795224123004, "2026-11-21T01:22:03.004Z"},
        {951782400999, "2000-02-29T00:00:00.999Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLOCK_RFC3339_SIZE];
        clock_rfc3339(cases[i].wall_ms, text);
        assert_string_equal(text, cases[i].want);
    }
}

static void time_since_boot_never_goes_back(void **state)
{
    (void)state;
    int64_t before = clock_boot_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_boot_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_boot_ms() - before / 1000 < 60000);
}

static void the_clocks_keep_their_distance(void **state)
{
    (void)state;
    int64_t first = clock_wall_ahead_ms();
    for (int i = 0; i < 1000; i++)
        assert_in_range(clock_wall_ahead_ms() - first + 1, 0, 2);
}

static void the_boot_has_a_name(void **state)
{
    (void)state;
    char first[CLOCK_BOOT_ID_SIZE], second[CLOCK_BOOT_ID_SIZE];
    struct error err = {0};
    assert_true(clock_boot_id(first, &err));
    assert_true(clock_boot_id(second, &err));
    assert_int_equal(strlen(first), 36);
    assert_string_equal(first, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_rfc_3339),
        cmocka_unit_test(time_since_boot_never_goes_back),
        cmocka_unit_test(the_clocks_keep_their_distance),
        cmocka_unit_test(the_boot_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
