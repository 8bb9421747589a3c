#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/deliverer/reply.h"

static void reads_lines_of_replies(void **state)
{
    (void)state;
    static const struct {
        const char *line, *enhanced, *text;
        int code;
        bool valid, last;
    } cases[] = {
        {"250 2.1.0 Ok\r\n", "2.1.0", "Ok", 250, true, true},
        {"250-first", "", "first", 250, true, false},
        {"250\r\n", "", "", 250, true, true},
        {"250 \r\n", "", "", 250, true, true},
        {"354 go", "", "go", 354, true, true},
        {"550 5.7.123 no", "5.7.123", "no", 550, true, true},
        {"550 5.7.1", "5.7.1", "", 550, true, true},
        {"550 5.7.1234 no", "", "5.7.1234 no", 550, true, true},
        {"550 5.7 no", "", "5.7 no", 550, true, true},
        {"550 3.7.1 no", "", "3.7.1 no", 550, true, true},
        {"550 5.7.1x no", "", "5.7.1x no", 550, true, true},
        {"150 no", "", "", 0, false, false},
        {"650 no", "", "", 0, false, false},
        {"25x no", "", "", 0, false, false},
        {"250x", "", "", 0, false, false},
        {"25", "", "", 0, false, false},
        {"", "", "", 0, false, false},
        {"\r\n", "", "", 0, false, false},
        {"garbage", "", "", 0, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply;
        bool last;
        assert_int_equal(reply_parse_line(cases[i].line, strlen(cases[i].line), &reply, &last),
                         cases[i].valid);
        if (!cases[i].valid)
            continue;
        assert_int_equal(reply.code, cases[i].code);
        assert_int_equal(last, cases[i].last);
        assert_string_equal(reply.enhanced, cases[i].enhanced);
        assert_string_equal(reply.text, cases[i].text);
    }
}

static void refuses_a_nul(void **state)
{
    (void)state;
    struct reply reply;
    bool last;
    assert_false(reply_parse_line("250 a\0b", 7, &reply, &last));
}

static void masks_what_must_not_be_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain words", "plain words"},
        {"<zoe@example.com>: no such user", "<[address]>: no such user"},
        {"zoe.o'hara@example.com", "zoe.o'[address]"},
        {"code 123456 is spam", "code **** is spam"},
        {"123 is short, 123456789 is long", "123 is short, 123456789 is long"},
        {"1234 and 12345678", "**** and ****"},
        {"queued as 4bXyZ12345z", "queued as 4bXyZ12345z"},
        {"see https://acme.example/r?flow=1&token=x now", "see [link] now"},
        {"first\r\nsecond", "first"},
        {"tab\there\x1b[31m", "tab here [31m"},
        {"123\t456 ends", "123 456 ends"},
        {"gr\xc3\xbc\xc3\x9f", "gr????"},
        {"ends with blanks   ", "ends with blanks"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[REPLY_TEXT_MAX + 1];
        reply_clean(cases[i].text, strlen(cases[i].text), NULL, text);
        assert_string_equal(text, cases[i].want);
    }
}

static void masks_the_secrets_of_the_mail(void **state)
{
    (void)state;
    static const char secrets[] = "AB12-CD\n7Qx9canary_token-0123456789abcdef\n83640917\n";
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"token 7Qx9canary_token-0123456789abcdef refused", "token **** refused"},
        {"TOKEN=7QX9CANARY_TOKEN-0123456789ABCDEF.", "TOKEN=****."},
        {"x7Qx9canary_token-0123456789abcdefx", "x****x"},
        {"code ab12-cd, or AB12-CD", "code ****, or ****"},
        {"its first: 7Qx9cana", "its first: ****"}, // as where a reply is folded
        {"its first: 7Qx9canary_tok...", "its first: ****..."},
        {"too little: 7Qx9can AB12-C", "too little: 7Qx9can AB12-C"},
        {"0083640917", "00****"},
        {"zoe@7Qx9canary_token-0123456789abcdef.example", "[address]"},
        {"AB12-CDAB12-CD", "********"},
        {"nothing of the kind", "nothing of the kind"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[REPLY_TEXT_MAX + 1];
        reply_clean(cases[i].text, strlen(cases[i].text), secrets, text);
        assert_string_equal(text, cases[i].want);
    }
}

// What is cut off would else leave the first of it.
static void masks_a_secret_that_the_end_cuts(void **state)
{
    (void)state;
    char long_text[REPLY_TEXT_MAX + 40], text[REPLY_TEXT_MAX + 1];
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text + REPLY_TEXT_MAX - 10, "7Qx9canary_token-0123456789abcdef", 33);
    reply_clean(long_text, sizeof(long_text), "7Qx9canary_token-0123456789abcdef\n", text);
    assert_null(strstr(text, "7Qx9"));
    assert_int_equal(strlen(text), REPLY_TEXT_MAX);
    // Of a mail with as many secrets as fit, and a line of nothing but what is replaced by more.
    char line[REPLY_RAW_SIZE];
    memset(line, 'a', sizeof(line));
    reply_clean(line, sizeof(line), "a\n", text);
    assert_int_equal(strspn(text, "*"), REPLY_TEXT_MAX);
}

static void prints_our_own_words_as_they_are(void **state)
{
    (void)state;
    static const char own[] = "token file /etc/2026/t\xc3\xb6ken@acme: No such file\nmore";
    char text[REPLY_TEXT_MAX + 1];
    reply_print(own, strlen(own), text);
    assert_string_equal(text, "token file /etc/2026/t??ken@acme: No such file");
}

static void cuts_long_texts(void **state)
{
    (void)state;
    char long_text[1000], text[REPLY_TEXT_MAX + 1];
    memset(long_text, 'x', sizeof(long_text));
    reply_clean(long_text, sizeof(long_text), NULL, text);
    assert_int_equal(strlen(text), REPLY_TEXT_MAX);
    // A code that the cut would leave half of is masked before the cut.
    memset(long_text, ' ', REPLY_TEXT_MAX - 2);
    snprintf(long_text + REPLY_TEXT_MAX - 2, sizeof("123456"), "123456");
    reply_clean(long_text, REPLY_TEXT_MAX + 4, NULL, text);
    assert_string_equal(text + REPLY_TEXT_MAX - 3, " **");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_of_replies),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(masks_what_must_not_be_shown),
        cmocka_unit_test(masks_the_secrets_of_the_mail),
        cmocka_unit_test(masks_a_secret_that_the_end_cuts),
        cmocka_unit_test(prints_our_own_words_as_they_are),
        cmocka_unit_test(cuts_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
