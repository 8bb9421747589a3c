#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include <cmocka.h>

#include "templates/zone.h"

#define WINDOWS_MAX 200

// ---- Windows' names, as ICU has them --------------------------------------------------------

struct windows {
    char names[WINDOWS_MAX][ZONE_NAME_SIZE];
    size_t count;
};

static void add_once(struct windows *windows, const char *name)
{
    for (size_t i = 0; i < windows->count; i++) {
        if (strcmp(windows->names[i], name) == 0)
            return;
    }
    assert_true(windows->count < WINDOWS_MAX);
    snprintf(windows->names[windows->count++], ZONE_NAME_SIZE, "%s", name);
}

// ICU tells the name of any zone, so all zones tell all names.
static void list_windows(struct windows *windows)
{
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *zones = ucal_openTimeZones(&status);
    const char *zone;
    while ((zone = uenum_next(zones, NULL, &status))) {
        UChar id[ZONE_NAME_SIZE], windows_id[ZONE_NAME_SIZE];
        char name[ZONE_NAME_SIZE];
        u_uastrcpy(id, zone);
        if (ucal_getWindowsTimeZoneID(id, -1, windows_id, ZONE_NAME_SIZE, &status) > 0)
            add_once(windows, u_austrcpy(name, windows_id));
    }
    uenum_close(zones);
    assert_int_equal(status, U_ZERO_ERROR);
    assert_true(windows->count > 130);
}

static double offset_at(const char *zone, double wall_ms)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar id[ZONE_NAME_SIZE];
    u_uastrcpy(id, zone);
    UCalendar *calendar = ucal_open(id, -1, "root", UCAL_GREGORIAN, &status);
    ucal_setMillis(calendar, wall_ms, &status);
    double offset = ucal_get(calendar, UCAL_ZONE_OFFSET, &status) +
                    ucal_get(calendar, UCAL_DST_OFFSET, &status);
    ucal_close(calendar);
    assert_int_equal(status, U_ZERO_ERROR);
    return offset;
}

// The same clock in winter and in summer.
static bool is_same_time(const char *zone, const char *other)
{
    return offset_at(zone, 1768500000000) == offset_at(other, 1768500000000) &&
           offset_at(zone, 1784100000000) == offset_at(other, 1784100000000);
}

static void assert_means(const char *name, const char *want)
{
    char zone[ZONE_NAME_SIZE] = "";
    if (!zone_resolve(name, zone) || !is_same_time(zone, want))
        fail_msg("%s is %s, not %s", name, zone, want);
}

static void squeeze(const char *name, bool keeps_signs, char ret_name[ZONE_NAME_SIZE])
{
    size_t size = 0;
    for (; *name; name++) {
        if (!strchr(" .()", *name) && (keeps_signs || !strchr("+-", *name)))
            ret_name[size++] = *name;
    }
    ret_name[size] = '\0';
}

static void knows_every_name_of_windows_in_every_spelling(void **state)
{
    (void)state;
    static struct windows windows;
    list_windows(&windows);
    for (size_t i = 0; i < windows.count; i++) {
        const char *name = windows.names[i];
        UErrorCode status = U_ZERO_ERROR;
        UChar id[ZONE_NAME_SIZE], zone_id[ZONE_NAME_SIZE];
        char want[ZONE_NAME_SIZE], squeezed[ZONE_NAME_SIZE];
        u_uastrcpy(id, name);
        assert_true(ucal_getTimeZoneIDForWindowsID(id, -1, NULL, zone_id, ZONE_NAME_SIZE, &status) >
                    0);
        u_austrcpy(want, zone_id);
        assert_means(name, want);
        squeeze(name, true, squeezed);
        assert_means(squeezed, want);
        squeeze(name, false, squeezed);
        assert_means(squeezed, want);
        for (char *at = squeezed; *at; at++)
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        assert_means(squeezed, want);
    }
}

// ---- others ---------------------------------------------------------------------------------

static void knows_what_means_one_zone(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"Europe/Budapest", "Europe/Budapest"},
        {"  Europe/Budapest ", "Europe/Budapest"},
        {"America/Argentina/ComodRivadavia", "America/Argentina/ComodRivadavia"},
        {"America/Port-au-Prince", "America/Port-au-Prince"},
        {"Asia/Kolkata", "Asia/Kolkata"},
        {"Europe/Kyiv", "Europe/Kyiv"},
        {"UTC", "Etc/UTC"},
        {"utc", "Etc/UTC"},
        {"GMT", "Etc/GMT"},
        {"GMT0", "GMT0"},
        {"Zulu", "Zulu"},
        {"Etc/GMT-1", "Etc/GMT-1"}, // east of Greenwich, as POSIX turns it around
        {"CET", "CET"},
        {"EST", "EST"},
        {"EST5EDT", "EST5EDT"},
        {"GB", "GB"},
        {"NZ-CHAT", "NZ-CHAT"},
        {"Central Europe Standard Time", "Europe/Budapest"},
        {"CentralEuropeStandardTime", "Europe/Budapest"},
        {"Central_Europe_Standard_Time", "Europe/Budapest"},
        {"CENTRALEUROPESTANDARDTIME", "Europe/Budapest"},
        {"CentralEuropeanStandardTime", "Europe/Warsaw"},
        {"E. South America Standard Time", "America/Sao_Paulo"},
        {"ESouthAmericaStandardTime", "America/Sao_Paulo"},
        {"Central Standard Time (Mexico)", "America/Mexico_City"},
        {"CentralStandardTimeMexico", "America/Mexico_City"},
        {"Central Standard Time", "America/Chicago"},
        {"US Eastern Standard Time", "America/Indianapolis"},
        {"Kamchatka Standard Time", "Asia/Kamchatka"},
        {"Mid-Atlantic Standard Time", "Atlantic/South_Georgia"},
        {"UTC-02", "GMT-02:00"},
        {"UTC02", "Etc/GMT+2"},
        {"UTC12", "Etc/GMT-12"},
        {"utc13", "Etc/GMT-13"},
        {"UTC-12", "GMT-12:00"}, // and not Windows' UTC+12 without its sign
        {"UTC - 12", "GMT-12:00"},
        {"UTC+1", "GMT+01:00"},
        {"UTC +1 ", "GMT+01:00"},
        {"gmt+01:00", "GMT+01:00"},
        {"GMT-0330", "GMT-03:30"},
        {"+05:45", "GMT+05:45"},
        {"-3", "GMT-03:00"},
        {"UTC+14", "GMT+14:00"},
        {"GMT+0", "GMT+00:00"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char zone[ZONE_NAME_SIZE] = "";
        zone_resolve(cases[i].name, zone);
        if (strcmp(zone, cases[i].want) != 0)
            fail_msg("\"%s\" is \"%s\", not %s", cases[i].name, zone, cases[i].want);
    }
}

static void does_not_know_what_could_mean_several_or_none(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        " ",
        ".",
        "()",
        "BST",
        "IST",
        "PST",
        "CST",
        "AST",
        "cet",
        "ET ",
        "Europe",
        "Europe/",
        "Europe/Buda",
        "europe/budapest",
        "Europe/Budapest/x",
        "Etc/Unknown",
        "Factory",
        "Mars/Olympus",
        "Standard Time",
        "Central Europe",
        "Central Europe Standard Time 2",
        "UTC12345",
        "UTC1",
        "UTC.-12",
        "UTC_-_12",
        "UTC+",
        "UTC+15",
        "UTC+14:15",
        "UTC+100",
        "UTC+01:5",
        "UTC+01:20",
        "UTC+01:60",
        "UTC+01:00:00",
        "UTC++1",
        "UTC+-1",
        "UTC1+1",
        "GMT+25:99",
        "GMT+99999999999999999999",
        "+",
        "12",
        "../../etc/passwd",
        "/etc/localtime",
        ":/etc/localtime",
        "Europe\\Budapest",
        "Europe/Budapest\n",
        "Europe/Budap\xc3\xa9st",
        "\xff\xfe",
        "%s%n",
        "<b>UTC</b>",
        "Europe/Budapestxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char zone[ZONE_NAME_SIZE] = "untouched";
        if (zone_resolve(names[i], zone))
            fail_msg("\"%s\" is %s", names[i], zone);
        assert_string_equal(zone, "untouched");
    }
    char zone[ZONE_NAME_SIZE];
    assert_false(zone_resolve(NULL, zone));
}

// Every name of ICU's that is not in the list of those with several meanings.
static void knows_all_of_icu_but_what_is_ambiguous(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT",     "CNT",
        "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST", "MIT",     "NET",
        "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST", "Factory", "Etc/Unknown",
    };
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *zones = ucal_openTimeZones(&status);
    const char *name;
    size_t unknown_count = 0;
    while ((name = uenum_next(zones, NULL, &status))) {
        char zone[ZONE_NAME_SIZE];
        bool want = true;
        for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
            want = want && strcmp(unknown[i], name) != 0;
        unknown_count += !want;
        if (zone_resolve(name, zone) != want)
            fail_msg("%s is %sknown", name, want ? "not " : "");
        if (want && !is_same_time(zone, name))
            fail_msg("%s is %s", name, zone);
    }
    uenum_close(zones);
    assert_true(unknown_count >= 26);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_name_of_windows_in_every_spelling),
        cmocka_unit_test(knows_what_means_one_zone),
        cmocka_unit_test(does_not_know_what_could_mean_several_or_none),
        cmocka_unit_test(knows_all_of_icu_but_what_is_ambiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
