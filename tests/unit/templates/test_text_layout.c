#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "templates/text_layout.h"

#define TEN "123456789 "
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

struct layout_case {
    const char *text, *want;
};

static void lay_out(void (*layout)(const char *, size_t, struct buffer *),
                    const struct layout_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer out AUTO_BUFFER;
        buffer_init(&out, 4000);
        layout(cases[i].text, strlen(cases[i].text), &out);
        buffer_append(&out, "", 0);
        assert_string_equal(out.data, cases[i].want);
    }
}

static void lays_out_bodies(void **state)
{
    (void)state;
    static const struct layout_case cases[] = {
        {"\n\n a \t\r\n\r\n\n\nb", " a\n\nb\n"},
        {"a\n-- \nb\n-- \r\n--  \n--\t\n --- \n- -- \n", "a\n-- \nb\n-- \n--\n--\n ---\n- --\n"},
        {"", "\n"},
        {"a\n\n\n", "a\n"},
        {SEVENTY "12345678", SEVENTY "12345678\n"},
        {SEVENTY "123456789", TEN TEN TEN TEN TEN TEN "123456789\n123456789\n"},
        {"  " SEVENTY "x 1234567", "  " SEVENTY "x\n  1234567\n"},
        {SEVENTY "https://a.example/" TEN "x",
         TEN TEN TEN TEN TEN TEN "123456789\nhttps://a.example/123456789 x\n"},
        {SEVENTY "\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1",
         SEVENTY "\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\u00e1\n"},
    };
    lay_out(text_layout_body, cases, sizeof(cases) / sizeof(cases[0]));

    char word[301];
    memset(word, 'x', 300);
    word[300] = '\0';
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, 4000);
    text_layout_body(word, 300, &out);
    assert_int_equal(out.size, 301);
}

// What fits, and the same with a column more.
static void counts_columns_as_a_terminal_does(void **state)
{
    (void)state;
    static const struct {
        const char *word; // so wide that it just fits behind seventy columns
        const char *why;
    } cases[] = {
        {"1234567", "ASCII"},
        {"\u00e1\u0151\u0431\u03b1\u05d0\u0628!", "letters of one column"},
        {"a\u0301e\u0301i\u0301o\u0301u\u0301y\u0301!", "combining marks"},
        {"\u0628\u064e\u0628\u064e\u0628\u064e\u0628\u0628\u0628\u0628", "Arabic vowel signs"},
        {"\u65e5\u672c\u8a9e!", "Chinese characters"},
        {"\uff11\uff12\uff13!", "full width digits"},
        {"\ud55c\uae00\u1112\u1161\u11ab!", "Hangul, in syllables and in letters"},
        {"\U0001f600\U0001f680\U0001f468\u200d!", "emoji and a joiner"},
        {"\u2068Acme!\u2069\u200f\ufeff12", "isolates, marks, no space"},
        {"a\u00adbcdef", "a soft hyphen"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[300];
        char want[300];
        for (int too_long = 0; too_long <= 1; too_long++) {
            struct buffer out AUTO_BUFFER;
            buffer_init(&out, 1000);
            snprintf(text, sizeof(text), SEVENTY "x%s%s", cases[i].word, too_long ? "x" : "");
            snprintf(want, sizeof(want), TEN TEN TEN TEN TEN TEN "123456789%sx%s%s\n",
                     too_long ? "\n" : " ", cases[i].word, too_long ? "x" : "");
            text_layout_body(text, strlen(text), &out);
            if (strcmp(out.data, want) != 0)
                fail_msg("%s: %s", cases[i].why, out.data);
        }
    }
}

static void lays_out_subjects(void **state)
{
    (void)state;
    static const struct layout_case cases[] = {
        {" a\r\n\tBcc: b\x7f c ", "a Bcc: b c"},
        {"", ""},
        {SEVENTY SEVENTY SEVENTY, SEVENTY SEVENTY TEN TEN TEN TEN TEN "123456789"},
        {"\u00e1 \u00e9", "\u00e1 \u00e9"},
        {"a\xc2\x85\xc2\x80"
         "b\u2028c\u2029",
         "a b c"},
        {"\xc2\xa0\u2027\u202a", "\xc2\xa0\u2027\u202a"},
    };
    lay_out(text_layout_subject, cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_out_bodies),
        cmocka_unit_test(counts_columns_as_a_terminal_does),
        cmocka_unit_test(lays_out_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
