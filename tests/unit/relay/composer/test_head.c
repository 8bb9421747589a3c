#include "relay/composer/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LINE_COLUMNS 76

// Each as a whole header of its name "X".
static bool put_text(struct buffer *out, const char *value, struct error *err)
{
    return head_put_text(out, "X", value, err);
}

static bool put_words(struct buffer *out, const char *value, struct error *err)
{
    return head_put_words(out, "X", value, err);
}

static bool put_verbatim(struct buffer *out, const char *value, struct error *err)
{
    return head_put_verbatim(out, "X", value, err);
}

static bool put_display(struct buffer *out, const char *value, struct error *err)
{
    return head_put_mailbox(out, "X", value, "a@acme.example", err);
}

static bool put_address(struct buffer *out, const char *value, struct error *err)
{
    return head_put_mailbox(out, "X", "Acme", value, err);
}

typedef bool put_fn(struct buffer *out, const char *value, struct error *err);
static put_fn *const all[] = {put_text, put_words, put_verbatim, put_display, put_address};
#define ALL_COUNT (sizeof(all) / sizeof(all[0]))

static void put(put_fn *function, const char *value, struct buffer *out)
{
    struct error err;
    buffer_init(out, 1 << 20);
    if (!function(out, value, &err))
        fail_msg("%s: %s", value, err.message);
    assert_false(out->failed);
}

// One header, whose further lines begin with a space and hold more than that; none is long.
static void check_lines(const struct buffer *out, size_t columns)
{
    size_t lines = 0;
    for (const char *line = out->data; *line; lines++) {
        const char *end = strstr(line, "\r\n");
        assert_non_null(end);
        if ((size_t)(end - line) > columns)
            fail_msg("a line of %zu columns in %s", (size_t)(end - line), out->data);
        assert_null(memchr(line, '\r', (size_t)(end - line)));
        assert_null(memchr(line, '\n', (size_t)(end - line)));
        if (lines > 0) {
            assert_int_equal(*line, ' ');
            assert_true(strspn(line, " ") < (size_t)(end - line));
        }
        line = end + 2;
    }
}

static void refuses_whatever_ends_a_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a\r\nBcc: SECRET@x", "a\nSECRET",     "a\rSECRET",      "\nSECRET",       "SECRET\r\n",
        "SECRET\r\n folded",  "a\r\n\tSECRET", "SECRET\tb",      "SECRET\x1f",     "SECRET\x7f",
        "SECRET\v",           "SECRET\f",      "SECRET\xc2\x85", "\xc2\x80SECRET", "SECRET\xc2\x9f",
        "SECRET\u2028b",      "SECRET\u2029b", "SECRET\xff",     "\xc2",           "SECRET\xc0\x8a",
        "SECRET\xed\xa0\x80",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t j = 0; j < ALL_COUNT; j++) {
            AUTO_BUFFER struct buffer out;
            struct error err;
            buffer_init(&out, 1 << 20);
            if (all[j](&out, bad[i], &err))
                fail_msg("function %zu took case %zu", j, i);
            assert_int_equal(err.code, ERR_INPUT);
            assert_non_null(strstr(err.message, "header X:"));
            assert_null(strstr(err.message, "SECRET"));
            assert_int_equal(out.size, 0);
        }
    }
}

static void writes_nothing_but_ascii_verbatim(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer out, mailbox;
    struct error err;
    buffer_init(&out, 100);
    assert_false(put_verbatim(&out, "hü", &err));
    assert_string_equal(err.message, "header X: is not ASCII");
    assert_int_equal(out.size, 0);
    buffer_init(&mailbox, 100);
    assert_true(head_put_mailbox(&mailbox, "X", "", "zoë@acme.example", &err));
    assert_string_equal(mailbox.data, "X: zoë@acme.example\r\n");
}

static void takes_what_stands_beside_the_refused(void **state)
{
    (void)state;
    static const char *const good[] = {"\xc2\xa0", "\u2027", "\u202f", "~", "\u200d", "\u200f"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        AUTO_BUFFER struct buffer out;
        put(put_text, good[i], &out);
    }
}

static void keeps_a_machines_words_whole(void **state)
{
    (void)state;
    char word[HEAD_VALUE_MAX + 2];
    memset(word, 'w', sizeof(word));
    word[HEAD_VALUE_MAX] = '\0';
    AUTO_BUFFER struct buffer out;
    put(put_words, word, &out);
    assert_int_equal(out.size, strlen("X: ") + HEAD_VALUE_MAX + 2);
    check_lines(&out, 998);

    struct error err;
    word[HEAD_VALUE_MAX] = 'w';
    word[HEAD_VALUE_MAX + 1] = '\0';
    buffer_clear(&out);
    assert_false(put_words(&out, word, &err));
    assert_false(put_verbatim(&out, word, &err));
    assert_false(put_address(&out, word, &err));
    assert_int_equal(out.size, 0);
}

static void folds_words_for_people(void **state)
{
    (void)state;
    static const struct {
        put_fn *put;
        const char *value, *want;
    } cases[] = {
        {put_text, "", "X: \r\n"},
        {put_text, "plain", "X: plain\r\n"},
        {put_text, " led", "X: =?utf-8?B?IGxlZA==?=\r\n"},
        {put_text, "trailed ", "X: =?utf-8?B?dHJhaWxlZCA=?=\r\n"},
        {put_text, "ő", "X: =?utf-8?B?xZE=?=\r\n"},
        {put_words, "a=?b", "X: =?utf-8?B?YT0/Yg==?=\r\n"},
        {put_words, "ő", "X: =?utf-8?B?xZE=?=\r\n"},
        {put_display, "Acme", "X: Acme <a@acme.example>\r\n"},
        {put_display, "Acme Inc", "X: Acme Inc <a@acme.example>\r\n"},
        {put_display, "Acme, Inc.", "X: \"Acme, Inc.\" <a@acme.example>\r\n"},
        {put_display, "a@b", "X: \"a@b\" <a@acme.example>\r\n"},
        {put_display, "back\\slash \"q\"", "X: \"back\\\\slash \\\"q\\\"\" <a@acme.example>\r\n"},
        {put_display, " a, b ", "X: \" a, b \" <a@acme.example>\r\n"},
        {put_display, "\"", "X: \"\\\"\" <a@acme.example>\r\n"},
        {put_display, "\\", "X: \"\\\\\" <a@acme.example>\r\n"},
        {put_display, "(c) <b>; x: y", "X: \"(c) <b>; x: y\" <a@acme.example>\r\n"},
        {put_display, " ", "X: =?utf-8?B?IA==?= <a@acme.example>\r\n"},
        {put_display, "", "X: a@acme.example\r\n"},
        {put_display, "😀", "X: =?utf-8?B?8J+YgA==?= <a@acme.example>\r\n"},
        {put_verbatim, "two  spaces ", "X: two  spaces \r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_BUFFER struct buffer out;
        put(cases[i].put, cases[i].value, &out);
        assert_string_equal(out.data, cases[i].want);
    }
}

// 200 characters of whatever they are made, and what goes beyond.
static void folds_names_of_any_length(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a",     "ab ",     "\"", "\\",      ", ", "é", "日", "😀", "👨\u200d👩\u200d👧",
        "שלום ", "a\u202e", "=?", "\"ab\" ",
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        AUTO_BUFFER struct buffer name;
        buffer_init(&name, 1 << 20);
        for (size_t count = 1; count <= 200; count++) {
            buffer_puts(&name, units[i]);
            AUTO_BUFFER struct buffer out, text;
            put(put_display, name.data, &out);
            check_lines(&out, LINE_COLUMNS);
            assert_non_null(strstr(out.data, "<a@acme.example>\r\n"));
            put(put_text, name.data, &text);
            check_lines(&text, LINE_COLUMNS);
        }
    }
}

static void folds_behind_a_long_name_of_a_header(void **state)
{
    (void)state;
    char name[65];
    for (size_t size = 1; size < sizeof(name); size++) {
        memset(name, 'N', size);
        name[size] = '\0';
        AUTO_BUFFER struct buffer out;
        struct error err;
        buffer_init(&out, 1 << 20);
        assert_true(head_put_words(&out, name, "öööööööööö öööööööööööö 日日日日日日日日", &err));
        check_lines(&out, LINE_COLUMNS);
    }
}

static void writes_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *want; // NULL: refused
    } cases[] = {
        {INT64_C(1763688000000), "X: Fri, 21 Nov 2025 01:20:00 +0000\r\n"},
        {INT64_C(1763688000999), "X: Fri, 21 Nov 2025 01:20:00 +0000\r\n"},
        {0, "X: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
        {INT64_C(253402300799000), "X: Fri, 31 Dec 9999 23:59:59 +0000\r\n"},
        {INT64_C(253402300800000), NULL},
        {INT64_MAX, NULL},
        {INT64_MIN, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_BUFFER struct buffer out;
        struct error err;
        buffer_init(&out, 100);
        bool ok = head_put_date(&out, "X", cases[i].wall_ms, &err);
        assert_int_equal(ok, cases[i].want != NULL);
        if (cases[i].want)
            assert_string_equal(out.data, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_whatever_ends_a_line),
        cmocka_unit_test(writes_nothing_but_ascii_verbatim),
        cmocka_unit_test(takes_what_stands_beside_the_refused),
        cmocka_unit_test(keeps_a_machines_words_whole),
        cmocka_unit_test(folds_words_for_people),
        cmocka_unit_test(folds_names_of_any_length),
        cmocka_unit_test(folds_behind_a_long_name_of_a_header),
        cmocka_unit_test(writes_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
