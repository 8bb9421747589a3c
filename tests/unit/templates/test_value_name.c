#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "templates/value.h"

#define ZWJ "\u200d"
#define ZWNJ "\u200c"
#define EMOJI_STYLE "\ufe0f"

// NULL where it is no name. Valid until the next call.
static const char *read_name(const char *text)
{
    static char name[VALUE_NAME_SIZE];
    json_auto_t *value = json_string(text);
    assert_non_null(value);
    memset(name, '?', sizeof(name));
    return value_read_name(value, name) ? name : NULL;
}

static void assert_name(const char *text, const char *want)
{
    const char *name = read_name(text);
    if ((name == NULL) != (want == NULL) || (name && strcmp(name, want) != 0))
        fail_msg("\"%s\" is %s, not %s", text, name ? name : "no name", want ? want : "no name");
}

static void takes_out_what_is_not_seen(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"  Anna \t\n M\u00e1ria ", "Anna M\u00e1ria"},
        {"Anna\u00a0\u3000\u2028B\u2800", "Anna B"},
        {"a\u202eb\u200bc\u2066d\ufeff", "abcd"},
        {"\u200fAnna\u200e\u061c", "Anna"},
        {"An\u00adna\u034f\u2060\u180e\u115f\u3164\uffa0", "Anna"},
        {"\x01"
         "An\x7f\xc2\x85na\x1b",
         "An na"},
        {"Anna\ue000\uf8ff\U000f0000", "Anna"},
        {"Anna\ufffc\ufff9\U000e0041\ufdd0\U0001ffff", "Anna"},
        {"\u845b\U000e0100\u57ce", "\u845b\u57ce"}, // a variant of a Kanji: its usual form does
        {"An" ZWJ "na", "Anna"},
        {"An" ZWNJ "na", "Anna"},
        {ZWJ "Anna" ZWJ, "Anna"},
        {ZWNJ ZWNJ "Anna " ZWNJ " B", "Anna B"},
        {"\u0639\u0644\u06cc" ZWNJ, "\u0639\u0644\u06cc"},
        {"\u0639\u0644\u06cc" ZWNJ ZWNJ "\u0631", "\u0639\u0644\u06cc" ZWNJ "\u0631"},
        {"\u0639\u0644\u06cc\u064e" ZWNJ "\u0631", "\u0639\u0644\u06cc\u064e" ZWNJ "\u0631"},
        {"\u0627" ZWNJ "\u0631", "\u0627\u0631"}, // an Alef does not join anyway
        {"\u0dc1\u0dca" ZWJ, "\u0dc1\u0dca"},
        {"😀" ZWJ "a", "😀a"},
        {"Anna" EMOJI_STYLE, "Anna"},
        {"1" EMOJI_STYLE "\u20e3 Anna", "1\u20e3 Anna"},
        {"\u0301Anna \u0301Bea", "Anna Bea"}, // accents of nothing, or of what is before the name
        {"A\u0301\u0302\u0303\u0304\u0305\u0306nna", "A\u0301\u0302\u0303\u0304nna"},
        {"A\u0301\u0302\u200b\u0303\u0304\u200b\u0305nna", "A\u0301\u0302\u0303\u0304nna"},
        {"A\u0301\u0302\u0303\u0304" ZWJ "\u0305nna", "A\u0301\u0302\u0303\u0304nna"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_name(cases[i].text, cases[i].want);
}

// ---- long ones ------------------------------------------------------------------------------

static size_t repeat(char *text, const char *character, size_t count)
{
    size_t size = strlen(character);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * size, character, size + 1);
    return size * count;
}

static void cuts_at_64_characters_as_people_count(void **state)
{
    (void)state;
    static const struct {
        const char *character;
        size_t want; // of them
    } cases[] = {
        {"x", 63},
        {"ő", 63},
        {"o\u030b", 63},
        {"😀", 63},
        {"각", 63},
        {"a\u0301\u0302\u0303\u0304", 50}, // 256 code points are read
        // These are wider, if a machine cannot draw them as one.
        {"🇭🇺", 47},
        {"👍🏽", 47},
        {"\u1100\u1161\u11a8", 31},
        {"👩" ZWJ "👩" ZWJ "👧" ZWJ "👦", 23},
        {"ക\u0d3e\u0d3e\u0d3e\u0d3e", 19},
    };
    char text[16 * 1024];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text[0] = 'x';
        repeat(text + 1, cases[i].character, 100);
        const char *name = read_name(text);
        assert_non_null(name);
        if (strlen(name) != 1 + strlen(cases[i].character) * cases[i].want ||
            strncmp(name, text, strlen(name)) != 0)
            fail_msg("%zu bytes of %s", strlen(name), cases[i].character);
    }
}

static void judges_what_is_before_the_cut(void **state)
{
    (void)state;
    char text[VALUE_NAME_SIZE * 2];
    repeat(text, "x", 64);
    snprintf(text + 64, sizeof(text) - 64, " see evil.example 123456");
    const char *name = read_name(text);
    assert_non_null(name);
    assert_int_equal(strlen(name), 64);
    repeat(text, "x", 63);
    snprintf(text + 63, sizeof(text) - 63, "  y");
    name = read_name(text);
    assert_int_equal(strlen(name), 63); // and no space at the end
    repeat(text, "x", 63);
    snprintf(text + 63, sizeof(text) - 63, "\u0639" ZWNJ "\u0644");
    assert_string_equal(read_name(text) + 63, "\u0639"); // nor a joiner
    repeat(text, "x", 45);
    snprintf(text + 45, sizeof(text) - 45, " see evil.example and much more");
    assert_null(read_name(text));
}

static void bounds_what_is_heaped_on_one_letter(void **state)
{
    (void)state;
    static char text[256 * 1024];
    size_t size = repeat(text, "A", 1);
    repeat(text + size, "\u0301", 10000);
    assert_string_equal(read_name(text), "A\u0301\u0301\u0301\u0301");
    size = repeat(text, "\u200b", 50000);
    repeat(text + size, "A", 1);
    assert_string_equal(read_name(text), "A");
    // One cluster without end: it is cut where a cluster ends, so nothing is left.
    static const char *const endless[] = {"\u1100", "\u0d3e", "\U0001f468" ZWJ};
    for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
        size = repeat(text, "\u0d15", 1);
        repeat(text + size, endless[i], 10000);
        const char *name = read_name(text);
        if (name && strlen(name) > 96 * (4 + strlen(ZWJ)))
            fail_msg("%zu bytes of %s", strlen(name), endless[i]);
    }
    repeat(text, "\u1100", 10000);
    assert_null(read_name(text));
    size = repeat(text, "\u0d15", 1);
    repeat(text + size, "\u0d3e", 255);
    assert_null(read_name(text));
    assert_name("A \U0001f468" ZWJ "\U0001f468" ZWJ "\U0001f468" ZWJ "\U0001f468" ZWJ "\U0001f468",
                "A \U0001f468" ZWJ "\U0001f468" ZWJ "\U0001f468" ZWJ "\U0001f468\U0001f468");
    // Letters that grow when they are folded.
    repeat(text, "\ufdfa", 200);
    const char *name = read_name(text);
    assert_true(name == NULL || strlen(name) == 64 * 3);
}

// ---- where no file may be opened --------------------------------------------------------------

static int read_confined(void)
{
    static const int forbidden[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(newfstatat),
                                    SCMP_SYS(stat), SCMP_SYS(access)};
    char text[1024];
    repeat(text, "ő", 100);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, forbidden[i], 0) != 0)
            return 2;
    }
    if (seccomp_load(filter) != 0)
        return 3;
    return read_name(text) && read_name("علی" ZWNJ "رضا") ? 0 : 4;
}

static void opens_no_file_even_the_first_time(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_confined());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        // First, while ICU has loaded nothing yet.
        cmocka_unit_test(opens_no_file_even_the_first_time),
        cmocka_unit_test(takes_out_what_is_not_seen),
        cmocka_unit_test(cuts_at_64_characters_as_people_count),
        cmocka_unit_test(judges_what_is_before_the_cut),
        cmocka_unit_test(bounds_what_is_heaped_on_one_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
