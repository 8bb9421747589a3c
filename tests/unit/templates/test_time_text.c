#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

#include "templates/time_text.h"
#include "templates/zone.h"

#define NBSP "\u00a0"

static const int64_t WINTER = 1795273500000; // 2026-11-21T15:05:00Z
static const int64_t SUMMER = 1784100300000; // 2026-07-15T07:25:00Z
static const int64_t NIGHT = 1798758300000;  // 2026-12-31T23:05:00Z

static struct time_text *create(const char *language)
{
    struct error err = {0};
    struct time_text *text = time_text_create(language, &err);
    if (!text)
        fail_msg("%s: %s", language, err.message);
    return text;
}

// Nothing breaks a time of day; what comes back has plain spaces, so that tables read well.
static const char *clock_of(struct time_text *text, const char *zone, int64_t wall_ms)
{
    static char result[256];
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, sizeof(result));
    assert_true(time_text_clock(text, zone, wall_ms, &out));
    assert_null(strchr(out.data, ' '));
    memcpy(result, out.data, out.size + 1);
    for (char *space; (space = strstr(result, NBSP));) {
        *space = ' ';
        memmove(space + 1, space + 2, strlen(space + 2) + 1);
    }
    return result;
}

static const char *moment_of(struct time_text *text, const char *zone, int64_t wall_ms)
{
    static char result[256];
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, sizeof(result));
    assert_true(time_text_moment(text, zone, wall_ms, &out));
    memcpy(result, out.data, out.size + 1);
    return result;
}

// ---- writing --------------------------------------------------------------------------------

static void writes_times_as_each_language_does(void **state)
{
    (void)state;
    static const struct {
        const char *language, *zone;
        const int64_t *wall_ms;
        const char *clock, *moment;
    } cases[] = {
        {"en", "Europe/Budapest", &WINTER, "4:05 PM GMT+1", "November 21 at 4:05" NBSP "PM GMT+1"},
        {"en", "America/New_York", &SUMMER, "3:25 AM EDT", "July 15 at 3:25" NBSP "AM EDT"},
        {"en", "UTC", &SUMMER, "7:25 AM UTC", "July 15 at 7:25" NBSP "AM UTC"},
        {"en-GB", "Europe/Budapest", &WINTER, "16:05 CET", "21 November at 16:05 CET"},
        {"en-GB", "Europe/London", &SUMMER, "08:25 BST", "15 July at 08:25 BST"},
        {"hu", "Europe/Budapest", &WINTER, "16:05 CET", "november 21. 16:05 CET"},
        {"hu", "Europe/Budapest", &SUMMER, "09:25 CEST", "július 15. 09:25 CEST"},
        {"hu", "Europe/Budapest", &NIGHT, "00:05 CET", "január 1. 00:05 CET"},
        {"de", "Europe/Berlin", &WINTER, "16:05 MEZ", "21. November um 16:05 MEZ"},
        {"de", "GMT-03:30", &WINTER, "11:35 GMT-3:30", "21. November um 11:35 GMT-3:30"},
        {"ar", "Africa/Cairo", &WINTER, "5:05 م غرينتش+2", "21 نوفمبر في 5:05 م غرينتش+2"},
        {"fr", "Europe/Paris", &WINTER, "16:05 UTC+1", "21 novembre à 16:05 UTC+1"},
        {"fa", "UTC", &WINTER, "15:05 (UTC)", "30 آبان ساعت 15:05 (UTC)"},
        {"zh-Hant", "Asia/Taipei", &WINTER, "下午11:05 [GMT+8]", "11月21日 下午11:05 [GMT+8]"},
        {"pt-BR", "America/Sao_Paulo", &WINTER, "12:05 BRT", "21 de novembro às 12:05 BRT"},
        {"tlh", "Europe/Budapest", &WINTER, "16:05 GMT+1", "11-21 16:05 GMT+1"},
        {"x-klingon", "UTC", &WINTER, "15:05 UTC", "11-21 15:05 UTC"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct time_text *text = create(cases[i].language);
        char zone[ZONE_NAME_SIZE];
        assert_true(zone_resolve(cases[i].zone, zone));
        // In either order: one format serves both.
        assert_string_equal(moment_of(text, zone, *cases[i].wall_ms), cases[i].moment);
        assert_string_equal(clock_of(text, zone, *cases[i].wall_ms), cases[i].clock);
        assert_string_equal(moment_of(text, zone, *cases[i].wall_ms), cases[i].moment);
        time_text_destroy(text);
    }
}

static void changes_zones_as_it_is_told(void **state)
{
    (void)state;
    struct time_text *text = create("hu");
    for (int i = 0; i < 3; i++) {
        assert_string_equal(clock_of(text, "Europe/Budapest", WINTER), "16:05 CET");
        assert_string_equal(clock_of(text, "Etc/UTC", WINTER), "15:05 UTC");
        assert_string_equal(clock_of(text, "GMT+05:45", WINTER), "20:50 GMT+5:45");
        assert_string_equal(moment_of(text, "Pacific/Auckland", WINTER),
                            "november 22. 04:05 GMT+13");
    }
    time_text_destroy(text);
}

// A run of four digits is a code to a mail program, other digits are none to a reader who
// compares them with the code, and what turns the direction would turn the rest of the line.
static void is_harmless_in_every_language_of_icu(void **state)
{
    (void)state;
    static const char *const zones[] = {"Europe/Budapest", "Asia/Kolkata", "Etc/UTC"};
    for (int32_t i = 0; i < uloc_countAvailable(); i++) {
        UErrorCode status = U_ZERO_ERROR;
        char tag[ULOC_FULLNAME_CAPACITY];
        if (strchr(uloc_getAvailable(i), '_') && i % 7 != 0)
            continue; // all languages, some of their countries
        uloc_toLanguageTag(uloc_getAvailable(i), tag, sizeof(tag), true, &status);
        assert_true(U_SUCCESS(status));
        struct time_text *text = create(tag);
        for (size_t k = 0; k < sizeof(zones) / sizeof(zones[0]); k++) {
            const char *moment = moment_of(text, zones[k], WINTER);
            UChar units[256];
            UChar32 characters[256];
            int32_t size, digits = 0, digits_max = 0;
            u_strFromUTF8(units, 256, NULL, moment, -1, &status);
            u_strToUTF32(characters, 256, &size, units, -1, &status);
            assert_true(U_SUCCESS(status));
            for (int32_t at = 0; at < size; at++) {
                UChar32 c = characters[at];
                digits = u_isdigit(c) ? digits + 1 : 0;
                digits_max = digits > digits_max ? digits : digits_max;
                if ((u_isdigit(c) && c > '9') || c < 0x20 || c == 0x202f ||
                    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
                    fail_msg("%s has U+%04x: %s", tag, (unsigned)c, moment);
            }
            if (digits_max > 3 || strchr(moment, '<') || strstr(moment, "2026"))
                fail_msg("%s: %s", tag, moment);
        }
        time_text_destroy(text);
    }
}

static void writes_nothing_where_it_cannot(void **state)
{
    (void)state;
    static const int64_t times[] = {-1, INT64_MIN, 253402300800000, INT64_MAX};
    struct time_text *text = create("en-GB");
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, 1024);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        assert_false(time_text_clock(text, "Etc/UTC", times[i], &out));
    assert_false(time_text_clock(
        text, "Europe/Budapestxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", WINTER, &out));
    assert_int_equal(out.size, 0);
    assert_true(time_text_clock(text, "Etc/UTC", 0, &out));
    assert_true(time_text_moment(text, "Etc/UTC", 253402300799999, &out));
    assert_string_equal(out.data, "00:00" NBSP "UTC31 December at 23:59 UTC");
    time_text_destroy(text);

    time_text_destroy(NULL);
}

// ---- where no file may be opened --------------------------------------------------------------

static bool forbid_files(void)
{
    static const int forbidden[] = {SCMP_SYS(open),  SCMP_SYS(openat),     SCMP_SYS(stat),
                                    SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(readlink),
                                    SCMP_SYS(access)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, forbidden[i], 0) != 0)
            return false;
    }
    return seccomp_load(filter) == 0;
}

static int write_confined(void)
{
    static const char *const languages[] = {"en", "hu", "ar", "zh", "tlh"};
    struct time_text *texts[5];
    for (size_t i = 0; i < 5; i++)
        texts[i] = time_text_create(languages[i], NULL);
    if (!forbid_files())
        return 2;
    for (size_t i = 0; i < 5; i++) {
        struct buffer out;
        char zone[ZONE_NAME_SIZE];
        buffer_init(&out, 1024);
        if (!texts[i] || !zone_resolve("CentralEuropeStandardTime", zone) ||
            !time_text_clock(texts[i], zone, WINTER, &out) ||
            !zone_resolve("America/New_York", zone) ||
            !time_text_moment(texts[i], zone, SUMMER, &out))
            return 3;
    }
    return 0;
}

static void opens_no_file_even_the_first_time(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(write_confined());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// ---- reading --------------------------------------------------------------------------------

static void reads_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-21T15:05:00Z", 1795273500000},
        {"2026-11-21t15:05:00z", 1795273500000},
        {"2026-11-21 15:05:00Z", 1795273500000},
        {"2026-11-21T16:05:00+01:00", 1795273500000},
        {"2026-11-21T11:35:00.000-03:30", 1795273500000},
        {"2026-11-21T15:05:00.1Z", 1795273500100},
        {"2026-11-21T15:05:00.123456789Z", 1795273500123},
        {"2026-11-21T15:05:00.0009Z", 1795273500000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T23:59:60Z", 951868800000},
        {"2000-03-01T00:00:00Z", 951868800000},
        {"2100-03-01T00:00:00Z", 4107542400000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"1970-01-01T01:00:00+01:00", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t wall_ms = -1;
        if (!time_text_parse(cases[i].text, &wall_ms) || wall_ms != cases[i].want)
            fail_msg("%s is %lld", cases[i].text, (long long)wall_ms);
    }
}

static void reads_nothing_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21T15:05Z",
        "2026-11-21T15:05:00",
        "2026-11-21T15:05:00.Z",
        "2026-11-21T15:05:00+1",
        "2026-11-21T15:05:00+0100",
        "2026-11-21T15:05:00+24:00",
        "2026-11-21T15:05:00+01:60",
        "2026-11-21T15:05:00Z ",
        " 2026-11-21T15:05:00Z",
        "2026-11-21T15:05:00ZZ",
        "2026-11-21T24:05:00Z",
        "2026-11-21T15:60:00Z",
        "2026-11-21T15:05:61Z",
        "2026-13-21T15:05:00Z",
        "2026-00-21T15:05:00Z",
        "2026-11-31T15:05:00Z",
        "2026-11-00T15:05:00Z",
        "2023-02-29T15:05:00Z",
        "2100-02-29T15:05:00Z",
        "0001-01-01T00:00:00Z", // Go's zero
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "+2026-11-21T15:05:00Z",
        "20261121T150500Z",
        "2026-11-21X15:05:00Z",
        "2026-11-2\xd9\xa1T15:05:00Z",
        "1795273500",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t wall_ms = 7;
        if (time_text_parse(texts[i], &wall_ms))
            fail_msg("%s is %lld", texts[i], (long long)wall_ms);
        assert_int_equal(wall_ms, 7);
    }
    int64_t wall_ms;
    assert_false(time_text_parse(NULL, &wall_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        // First, while ICU has loaded nothing yet.
        cmocka_unit_test(opens_no_file_even_the_first_time),
        cmocka_unit_test(writes_times_as_each_language_does),
        cmocka_unit_test(changes_zones_as_it_is_told),
        cmocka_unit_test(is_harmless_in_every_language_of_icu),
        cmocka_unit_test(writes_nothing_where_it_cannot),
        cmocka_unit_test(reads_rfc_3339),
        cmocka_unit_test(reads_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
