#include "relay/cli/relative_time.h"

#include <stddef.h>
#include <stdio.h>

const char *relative_time(int64_t ahead_ms, char text[RELATIVE_TIME_SIZE])
{
    static const struct {
        int64_t ms, upto; // up to so many of it
        char name;
    } units[] = {{1000, 90, 's'}, {60000, 90, 'm'}, {3600000, 48, 'h'}, {86400000, INT64_MAX, 'd'}};
    int64_t ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    size_t i = 0;
    while (ms / units[i].ms >= units[i].upto)
        i++;
    long long count = ms / units[i].ms;
    if (count == 0)
        snprintf(text, RELATIVE_TIME_SIZE, "now");
    else if (ahead_ms < 0)
        snprintf(text, RELATIVE_TIME_SIZE, "%lld%c ago", count, units[i].name);
    else
        snprintf(text, RELATIVE_TIME_SIZE, "in %lld%c", count, units[i].name);
    return text;
}
