// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/dispatch/retry.h"

static void follows_the_schedule_of_its_lane(void **state)
{
    (void)state;
    static const struct {
        enum lane lane;
        int attempts;
        int64_t want_ms;
    } cases[] = {
        {LANE_CODE, 1, 2000},     {LANE_CODE, 2, 5000},      {LANE_CODE, 3, 15000},
        {LANE_CODE, 4, 45000},    {LANE_CODE, 5, 120000},    {LANE_CODE, 6, 300000},
        {LANE_CODE, 7, 300000},   {LANE_CODE, 1000, 300000}, {LANE_CODE, 0, 2000},
        {LANE_NOTICE, 1, 15000},  {LANE_NOTICE, 2, 60000},   {LANE_NOTICE, 3, 300000},
        {LANE_NOTICE, 4, 900000}, {LANE_NOTICE, 5, 3600000}, {LANE_NOTICE, 9, 3600000},
        {LANE_BULK, 1, 15000},    {LANE_BULK, 5, 3600000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t low = INT64_MAX, high = 0;
        for (uint32_t jitter = 0; jitter < 800000; jitter += 101) {
            int64_t delay = retry_delay_ms(cases[i].lane, cases[i].attempts, jitter);
            low = delay < low ? delay : low;
            high = delay > high ? delay : high;
        }
        assert_in_range(low, cases[i].want_ms * 9 / 10, cases[i].want_ms * 95 / 100);
        assert_in_range(high, cases[i].want_ms * 105 / 100, cases[i].want_ms * 11 / 10);
    }
}

static void never_waits_past_the_deadline(void **state)
{
    (void)state;
    assert_int_equal(retry_at_ms(LANE_CODE, 6, 0, 1000000, 1100000), 1100000);
    assert_in_range(retry_at_ms(LANE_CODE, 1, 77, 1000000, 1100000), 1001800, 1002200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_schedule_of_its_lane),
        cmocka_unit_test(never_waits_past_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
