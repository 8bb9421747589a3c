#include "relay/smarthosts/pace.h"

#include <stdlib.h>

bool pace_init(struct pace *pace, const struct rates *rates)
{
    *pace = (struct pace){.rates = rates};
    for (size_t i = 0; i < rates->count; i++)
        if ((size_t)rates->rate[i].count > pace->size)
            pace->size = (size_t)rates->rate[i].count;
    if (pace->size > 0)
        pace->started_ms = calloc(pace->size, sizeof(*pace->started_ms));
    return pace->size == 0 || pace->started_ms;
}

void pace_finish(struct pace *pace)
{
    free(pace->started_ms);
}

// When the start that comes after so many others may be: once that which lies count before it is
// a period ago.
static int64_t start_ms(const struct pace *pace, size_t others)
{
    int64_t at_ms = INT64_MIN;
    for (size_t i = 0; i < pace->rates->count; i++) {
        const struct rate *rate = &pace->rates->rate[i];
        size_t number = pace->count + others;
        if (number < (size_t)rate->count)
            continue;
        number -= (size_t)rate->count;
        if (number >= pace->count)
            return INT64_MAX; // it waits for one that has not been started either
        int64_t free_ms = pace->started_ms[number % pace->size] + rate->period_ms;
        if (free_ms > at_ms)
            at_ms = free_ms;
    }
    return at_ms;
}

size_t pace_free(const struct pace *pace, size_t most, int64_t now_ms)
{
    size_t count = 0;
    while (count < most && now_ms >= start_ms(pace, count))
        count++;
    return count;
}

void pace_started(struct pace *pace, int64_t now_ms)
{
    if (pace->size == 0)
        return;
    pace->started_ms[pace->count % pace->size] = now_ms;
    pace->count++;
}

void pace_taken_back(struct pace *pace, int64_t started_ms)
{
    size_t kept = pace->count < pace->size ? pace->count : pace->size;
    size_t oldest = pace->count - kept, at = pace->count;
    while (at > oldest && pace->started_ms[(at - 1) % pace->size] != started_ms)
        at--;
    if (at == oldest)
        return;
    for (; at < pace->count; at++)
        pace->started_ms[(at - 1) % pace->size] = pace->started_ms[at % pace->size];
    // Where the ring was full this is now the place of one that had left it: it was a period ago
    // when the one that took its place was allowed.
    pace->started_ms[(pace->count - 1) % pace->size] = INT64_MIN;
    pace->count--;
}

int64_t pace_next_ms(const struct pace *pace)
{
    return start_ms(pace, 0);
}
