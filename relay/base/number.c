#include "relay/base/number.h"

#include <string.h>

#define YEAR_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

bool number_parse(const char *text, size_t size, int64_t max, int64_t *ret_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = text[i] - '0';
        if (digit < 0 || digit > 9 || digit > max || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (size == 0)
        return false;
    *ret_number = number;
    return true;
}

static size_t unit_parse(const char *text, size_t size, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        // "ms" stands before "m", which it begins with.
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t length = strlen(units[i].name);
        if (size >= length && memcmp(text, units[i].name, length) == 0) {
            *ret_ms = units[i].ms;
            return length;
        }
    }
    return 0;
}

bool duration_parse(const char *text, size_t size, int64_t *ret_ms)
{
    int64_t total_ms = 0;
    const char *end = text + size;
    if (size == 0)
        return false;
    while (text < end) {
        const char *digits = text;
        while (text < end && *text >= '0' && *text <= '9')
            text++;
        int64_t count, unit_ms;
        if (!number_parse(digits, (size_t)(text - digits), YEAR_MS, &count))
            return false;
        size_t unit_size = unit_parse(text, (size_t)(end - text), &unit_ms);
        if (unit_size == 0 || count > (YEAR_MS - total_ms) / unit_ms)
            return false;
        total_ms += count * unit_ms;
        text += unit_size;
    }
    *ret_ms = total_ms;
    return true;
}
