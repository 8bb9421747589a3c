#include "templates/time_text.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/udat.h>
#include <unicode/udatpg.h>
#include <unicode/uloc.h>
#include <unicode/ures.h>
#include <unicode/ustring.h>

#include "templates/zone.h"

#define PATTERN_SIZE 128
#define RESULT_SIZE 256
#define WALL_MS_MAX INT64_C(253402300799999) // 9999-12-31T23:59:59.999Z

struct time_text {
    char locale[ULOC_FULLNAME_CAPACITY]; // with "@numbers=latn"
    bool is_known;                       // by ICU; what it does not know would become English
    UDateFormat *format;                 // NULL until a first time is written
    UCalendar *calendar;
    const UChar *applied;      // the pattern that format has
    char zone[ZONE_NAME_SIZE]; // that calendar has
    UChar clock[PATTERN_SIZE];
    UChar moment[PATTERN_SIZE];
};

// ---- a language -----------------------------------------------------------------------------

static bool has_language(const char *locale)
{
    char language[ULOC_LANG_CAPACITY];
    UErrorCode status = U_ZERO_ERROR;
    int32_t size = uloc_getLanguage(locale, language, sizeof(language), &status);
    if (U_FAILURE(status) || size == 0)
        return false;
    for (int32_t i = 0; i < uloc_countAvailable(); i++) {
        const char *known = uloc_getAvailable(i);
        if (strncmp(known, language, (size_t)size) == 0 && (!known[size] || known[size] == '_'))
            return true;
    }
    return false;
}

static const UChar UTC[] = u"Etc/UTC";

// ICU looks for newer tables of its time zones in a folder of the system when it first needs one,
// and keeps what it found. It would also look for the machine's own zone, which nobody is to see.
static void load_zones(UErrorCode *status)
{
    static const char *const tables[] = {"zoneinfo64", "timezoneTypes", "metaZones"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        ures_close(ures_openDirect(NULL, tables[i], status));
    ucal_setDefaultTimeZone(UTC, status);
}

struct time_text *time_text_create(const char *language, struct error *err)
{
    struct time_text *text = calloc(1, sizeof(*text));
    UErrorCode status = U_ZERO_ERROR;
    if (!text) {
        error_set(err, ERR_TEMPORARY, "out of memory");
        return NULL;
    }
    uloc_forLanguageTag(language, text->locale, sizeof(text->locale), NULL, &status);
    if (status == U_STRING_NOT_TERMINATED_WARNING)
        status = U_BUFFER_OVERFLOW_ERROR;
    text->is_known = has_language(text->locale);
    if (!text->is_known)
        memcpy(text->locale, "root", sizeof("root"));
    uloc_setKeywordValue("numbers", "latn", text->locale, sizeof(text->locale), &status);
    load_zones(&status);
    if (U_FAILURE(status)) {
        error_set(err, ERR_INPUT, "%s is no language tag: %s", language, u_errorName(status));
        time_text_destroy(text);
        return NULL;
    }
    return text;
}

void time_text_destroy(struct time_text *text)
{
    if (!text)
        return;
    if (text->format)
        udat_close(text->format);
    if (text->calendar)
        ucal_close(text->calendar);
    free(text);
}

// The order of the fields, and what stands between them, is the language's.
static void find_patterns(struct time_text *text, UErrorCode *status)
{
    static const UChar clock_fields[] = u"jmz";
    static const UChar moment_fields[] = u"dMMMMjmz";
    if (!text->is_known) {
        u_strcpy(text->clock, u"HH:mm z");
        u_strcpy(text->moment, u"MM-dd HH:mm z");
        return;
    }
    UDateTimePatternGenerator *generator = udatpg_open(text->locale, status);
    udatpg_getBestPattern(generator, clock_fields, -1, text->clock, PATTERN_SIZE, status);
    udatpg_getBestPattern(generator, moment_fields, -1, text->moment, PATTERN_SIZE, status);
    if (*status == U_STRING_NOT_TERMINATED_WARNING)
        *status = U_BUFFER_OVERFLOW_ERROR;
    udatpg_close(generator);
}

static bool open_format(struct time_text *text)
{
    UErrorCode status = U_ZERO_ERROR;
    find_patterns(text, &status);
    UDateFormat *format =
        udat_open(UDAT_PATTERN, UDAT_PATTERN, text->locale, UTC, -1, text->clock, -1, &status);
    UCalendar *calendar = ucal_open(UTC, -1, text->locale, UCAL_DEFAULT, &status);
    if (U_FAILURE(status)) {
        udat_close(format);
        ucal_close(calendar);
        return false;
    }
    text->format = format;
    text->calendar = calendar;
    text->applied = text->clock;
    return true;
}

// ---- writing --------------------------------------------------------------------------------

static bool set_zone(struct time_text *text, const char *zone)
{
    if (strcmp(text->zone, zone) == 0)
        return true;
    UErrorCode status = U_ZERO_ERROR;
    UChar id[ZONE_NAME_SIZE];
    size_t size = strnlen(zone, ZONE_NAME_SIZE);
    if (size == ZONE_NAME_SIZE)
        return false;
    u_charsToUChars(zone, id, (int32_t)size + 1);
    text->zone[0] = '\0';
    ucal_setTimeZone(text->calendar, id, -1, &status);
    if (U_FAILURE(status))
        return false;
    memcpy(text->zone, zone, size + 1);
    return true;
}

static void append_utf8(UChar *result, int32_t size, bool is_clock, struct buffer *out)
{
    UErrorCode status = U_ZERO_ERROR;
    char utf8[RESULT_SIZE * 3];
    int32_t utf8_size = 0;
    // U+202F before "PM" is a box in older fonts, and a lone "CET" on the next line reads badly.
    for (int32_t i = 0; i < size; i++) {
        if (result[i] == 0x202f || (is_clock && result[i] == ' '))
            result[i] = 0xa0;
    }
    u_strToUTF8(utf8, sizeof(utf8), &utf8_size, result, size, &status);
    buffer_append(out, utf8, (size_t)utf8_size);
}

static bool write_time(struct time_text *text, const UChar *pattern, const char *zone,
                       int64_t wall_ms, struct buffer *out)
{
    if (wall_ms < 0 || wall_ms > WALL_MS_MAX || (!text->format && !open_format(text)) ||
        !set_zone(text, zone))
        return false;
    UErrorCode status = U_ZERO_ERROR;
    UChar result[RESULT_SIZE];
    if (text->applied != pattern)
        udat_applyPattern(text->format, false, pattern, -1);
    text->applied = pattern;
    ucal_setMillis(text->calendar, (UDate)wall_ms, &status);
    int32_t size =
        udat_formatCalendar(text->format, text->calendar, result, RESULT_SIZE, NULL, &status);
    if (U_FAILURE(status))
        return false;
    append_utf8(result, size, pattern == text->clock, out);
    return !out->failed;
}

bool time_text_clock(struct time_text *text, const char *zone, int64_t wall_ms, struct buffer *out)
{
    return write_time(text, text->clock, zone, wall_ms, out);
}

bool time_text_moment(struct time_text *text, const char *zone, int64_t wall_ms, struct buffer *out)
{
    return write_time(text, text->moment, zone, wall_ms, out);
}

// ---- reading --------------------------------------------------------------------------------

// Moves *text behind count digits; false where they are not there, or not from least to most.
static bool read_digits(const char **text, size_t count, int64_t least, int64_t most,
                        int64_t *ret_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        number = number * 10 + (**text - '0');
    }
    *ret_number = number;
    return number >= least && number <= most;
}

static bool read_char(const char **text, const char *one_of)
{
    if (!**text || !strchr(one_of, **text))
        return false;
    (*text)++;
    return true;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162; // of 1970-01-01
    for (int64_t i = 1; i < month; i++)
        days += days_in(year, i);
    return days + day - 1;
}

static bool read_date(const char **text, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!read_digits(text, 4, 1970, 9999, &year) || !read_char(text, "-") ||
        !read_digits(text, 2, 1, 12, &month) || !read_char(text, "-") ||
        !read_digits(text, 2, 1, days_in(year, month), &day))
        return false;
    *ret_days = days_before(year, month, day);
    return true;
}

// A second 60 is the first of the next minute. Of its parts only thousandths count.
static bool read_time(const char **text, int64_t *ret_ms)
{
    int64_t hour, minute, second, digit;
    if (!read_digits(text, 2, 0, 23, &hour) || !read_char(text, ":") ||
        !read_digits(text, 2, 0, 59, &minute) || !read_char(text, ":") ||
        !read_digits(text, 2, 0, 60, &second))
        return false;
    int64_t ms = ((hour * 60 + minute) * 60 + second) * 1000;
    if (read_char(text, ".")) {
        if (!read_digits(text, 1, 0, 9, &digit))
            return false;
        ms += digit * 100;
        for (int64_t unit = 10; read_digits(text, 1, 0, 9, &digit); unit /= 10)
            ms += digit * unit;
    }
    *ret_ms = ms;
    return true;
}

static bool read_offset(const char **text, int64_t *ret_ms)
{
    int64_t hours, minutes;
    *ret_ms = 0;
    if (read_char(text, "Zz"))
        return true;
    int64_t sign = **text == '-' ? -1 : 1;
    if (!read_char(text, "+-") || !read_digits(text, 2, 0, 23, &hours) || !read_char(text, ":") ||
        !read_digits(text, 2, 0, 59, &minutes))
        return false;
    *ret_ms = sign * (hours * 60 + minutes) * 60000;
    return true;
}

bool time_text_parse(const char *rfc3339, int64_t *ret_wall_ms)
{
    int64_t days, ms, offset_ms;
    if (!rfc3339 || !read_date(&rfc3339, &days) || !read_char(&rfc3339, "Tt ") ||
        !read_time(&rfc3339, &ms) || !read_offset(&rfc3339, &offset_ms) || *rfc3339)
        return false;
    int64_t wall_ms = days * 86400000 + ms - offset_ms;
    if (wall_ms < 0 || wall_ms > WALL_MS_MAX)
        return false;
    *ret_wall_ms = wall_ms;
    return true;
}
