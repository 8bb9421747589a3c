#include "relay/dispatch/retry.h"

#include <stddef.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

// A code is waited for by somebody who looks at the screen; a notice is not. The last entry
// repeats.
static const int64_t code_schedule[] = {
    2 * SECOND, 5 * SECOND, 15 * SECOND, 45 * SECOND, 2 * MINUTE, 5 * MINUTE,
};
static const int64_t calm_schedule[] = {
    15 * SECOND, 1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 1 * HOUR,
};

int64_t retry_delay_ms(enum lane lane, int attempts, uint32_t jitter)
{
    const int64_t *schedule = lane == LANE_CODE ? code_schedule : calm_schedule;
    size_t steps = lane == LANE_CODE ? sizeof(code_schedule) / sizeof(code_schedule[0])
                                     : sizeof(calm_schedule) / sizeof(calm_schedule[0]);
    size_t step = attempts < 1 ? 0 : (size_t)attempts - 1;
    int64_t delay = schedule[step < steps ? step : steps - 1];
    int64_t spread = delay / 5; // from -10 % to +10 %
    return delay - spread / 2 + (int64_t)(jitter % (uint64_t)(spread + 1));
}

int64_t retry_at_ms(enum lane lane, int attempts, uint32_t jitter, int64_t now_ms,
                    int64_t deadline_ms)
{
    int64_t at = now_ms + retry_delay_ms(lane, attempts, jitter);
    return at < deadline_ms ? at : deadline_ms;
}
