#include "relay/base/timestamp.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "relay/base/number.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (24 * 60 * MINUTE_MS)

struct cursor {
    const char *at, *end;
};

// Exactly digits digits, at most max.
static bool take_number(struct cursor *cursor, size_t digits, int max, int *ret_number)
{
    int64_t number;
    if ((size_t)(cursor->end - cursor->at) < digits ||
        !number_parse(cursor->at, digits, max, &number))
        return false;
    cursor->at += digits;
    *ret_number = (int)number;
    return true;
}

static bool take_one_of(struct cursor *cursor, const char *wanted, char *ret_taken)
{
    if (cursor->at == cursor->end || !*cursor->at || !strchr(wanted, *cursor->at))
        return false;
    char taken = *cursor->at++;
    if (ret_taken)
        *ret_taken = taken;
    return true;
}

static bool take_day(struct cursor *cursor, int64_t *ret_ms)
{
    int year, month, day;
    if (!take_number(cursor, 4, 9999, &year) || !take_one_of(cursor, "-", NULL) ||
        !take_number(cursor, 2, 12, &month) || !take_one_of(cursor, "-", NULL) ||
        !take_number(cursor, 2, 31, &day) || year < 1970)
        return false;
    struct tm parts = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    time_t seconds = timegm(&parts);
    *ret_ms = seconds * SECOND_MS;
    // timegm() makes 1 March of 30 February.
    return parts.tm_mon == month - 1 && parts.tm_mday == day;
}

// Any number of digits; those beyond milliseconds do not count.
static bool take_fraction(struct cursor *cursor, int64_t *ret_ms)
{
    int64_t unit_ms = SECOND_MS;
    *ret_ms = 0;
    const char *start = cursor->at;
    for (; cursor->at < cursor->end && isdigit((unsigned char)*cursor->at); cursor->at++) {
        unit_ms /= 10;
        *ret_ms += (*cursor->at - '0') * unit_ms;
    }
    return cursor->at > start;
}

static bool take_offset(struct cursor *cursor, int64_t *ret_ms)
{
    int hours, minutes;
    char sign;
    *ret_ms = 0;
    if (take_one_of(cursor, "Zz", NULL))
        return true;
    if (!take_one_of(cursor, "+-", &sign) || !take_number(cursor, 2, 23, &hours) ||
        !take_one_of(cursor, ":", NULL) || !take_number(cursor, 2, 59, &minutes))
        return false;
    *ret_ms = (hours * 60 + minutes) * MINUTE_MS * (sign == '-' ? -1 : 1);
    return true;
}

static bool take_time(struct cursor *cursor, int64_t *ret_ms)
{
    int hours, minutes, seconds;
    int64_t fraction_ms = 0, offset_ms;
    if (!take_number(cursor, 2, 23, &hours) || !take_one_of(cursor, ":", NULL) ||
        !take_number(cursor, 2, 59, &minutes) || !take_one_of(cursor, ":", NULL) ||
        !take_number(cursor, 2, 59, &seconds) ||
        (take_one_of(cursor, ".", NULL) && !take_fraction(cursor, &fraction_ms)) ||
        !take_offset(cursor, &offset_ms))
        return false;
    *ret_ms = (hours * 60 + minutes) * MINUTE_MS + seconds * SECOND_MS + fraction_ms - offset_ms;
    return true;
}

bool timestamp_parse(const char *text, size_t size, int64_t *ret_wall_ms)
{
    struct cursor cursor = {text, text + size};
    int64_t day_ms, time_ms = DAY_MS - 1;
    if (!take_day(&cursor, &day_ms))
        return false;
    if (cursor.at < cursor.end &&
        (!take_one_of(&cursor, "Tt", NULL) || !take_time(&cursor, &time_ms)))
        return false;
    if (cursor.at != cursor.end || day_ms + time_ms < 0)
        return false;
    *ret_wall_ms = day_ms + time_ms;
    return true;
}
