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
        {"550 2.1.5 no", "", "2.1.5 no", 550, true, true},
        {"450 5.7.1 no", "", "5.7.1 no", 450, true, true},
        {"354 2.0.0 go", "", "2.0.0 go", 354, true, true},
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

// What is shown of a reply with that text.
static const char *clean(const char *text, const struct mask *mask)
{
    static struct reply_shown shown;
    struct reply reply = {0};
    snprintf(reply.text, sizeof(reply.text), "%s", text);
    reply_clean(&reply, mask, &shown);
    return shown.text;
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
        assert_string_equal(clean(cases[i].text, &(struct mask){0}), cases[i].want);
    }
}

struct masked {
    const char *text, *want;
};

static void assert_masked(const struct masked *cases, size_t count, const struct mask *mask)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(clean(cases[i].text, mask), cases[i].want);
}

static void masks_the_secrets_of_the_mail(void **state)
{
    (void)state;
    static const struct mask mask = {.secrets =
                                         "AB12-CD\n7Qx9canary_token-0123456789abcdef\n83640917\n"};
    static const struct masked cases[] = {
        {"token 7Qx9canary_token-0123456789abcdef refused", "token **** refused"},
        {"TOKEN=7QX9CANARY_TOKEN-0123456789ABCDEF.", "TOKEN=****."},
        {"x7Qx9canary_token-0123456789abcdefx", "x****x"},
        {"code ab12-cd, or AB12-CD", "code ****, or ****"},
        {"its first: 7Qx9cana", "its first: ****"}, // as where a reply is folded
        {"its first: 7Qx9canary_tok...", "its first: ****..."},
        {"its end: ...789abcdef", "its end: ...****"},
        {"its end is too little: 9abcdef", "its end is too little: 9abcdef"},
        {"too little: 7Qx9can or AB1x", "too little: 7Qx9can or AB1x"},
        {"0083640917", "00****"},
        {"zoe@7Qx9canary_token-0123456789abcdef.example", "[address]"},
        {"AB12-CDAB12-CD", "****"},
        {"nothing of the kind", "nothing of the kind"},
    };
    assert_masked(cases, sizeof(cases) / sizeof(cases[0]), &mask);
}

static void masks_a_secret_in_another_shape(void **state)
{
    (void)state;
    static const struct mask mask = {.secrets = "482913\nZx9kQ2mPq7LwR4tV8yN1\n"};
    static const struct masked cases[] = {
        {"spam 482-913", "spam ****"},
        {"spam 482 913!", "spam ****!"},
        {"spam 4.8.2.9.1.3", "spam ****"},
        {"spam 482\t913", "spam ****"},
        {"spam 482\xc2\xa0\x39\x31\x33", "spam ****"}, // a blank that does not break
        {"spam %34%38%32%39%31%33 or 482%20913", "spam **** or ****"},
        {"spam =34=38=32=39=31=33", "spam ****"},
        {"spam &#52;&#56;&#50;&#57;&#49;&#51;", "spam ****"},
        {"spam &#x34;8&#x32;9&#X31;3;", "spam ****;"},
        {"link?id=ab&token=Zx9kQ2mPq7LwR4tV8yN1", "link?id=ab&token=****"},
        {"t=%5ax9kQ2%6dPq7LwR4tV8yN1", "t=****"},
        {"token Zx9kQ2-mPq7LwR4tV8yN1", "token ****"},
        {"token ...Q2mPq7LwR4tV8yN1", "token ...****"},
        {"spam WW91ciBjb2RlIGlzIDQ4MjkxMw==", "spam ****=="}, // "Your code is 482913"
        {"spam WXWW91ciBjb2RlIGlzIDQ4MjkxMw", "spam ****"},   // behind half a group
        {"spam Wng5a1EybVBxN0x3UjR0Vjh5TjE", "spam ****"},    // the token
        {"a%zz &#999; &#; &#x; %4 =", "a%zz &#999; &#; &#x; %4 ="},
        {"its first half, the end of a line: 482", "its first half, the end of a line: ****"},
        {"its first half, the end of a line: 4 8-2=", "its first half, the end of a line: ****="},
        {"482 is no half elsewhere, and 48", "482 is no half elsewhere, and 48"},
    };
    assert_masked(cases, sizeof(cases) / sizeof(cases[0]), &mask);
}

static void masks_what_the_relay_logs_in_with(void **state)
{
    (void)state;
    static const struct mask mask = {.password = "Sup3r \"S3cret\n", .token = "ya29.a0Sup3r-_~"};
    static const struct masked cases[] = {
        {"bad password Sup3r \"S3cret", "bad password ****"},
        {"bad AHJlbGF5AFN1cDNyICJTM2NyZXQK", "bad ****"}, // PLAIN
        {"bad U3VwM3IgIlMzY3JldAo=", "bad ****="},        // LOGIN
        {"{\"token\":\"ya29.a0Sup3r-_~\"}", "{\"token\":\"****-_~\"}"},
        {"bad dXNlcj1yAWF1dGg9QmVhcmVyIHlhMjkuYTBTdXAzci1ffgEB", "bad ****"}, // XOAUTH2
    };
    assert_masked(cases, sizeof(cases) / sizeof(cases[0]), &mask);
    assert_string_equal(clean("so short: a!", &(struct mask){.password = "a!"}), "so short: ****");
    assert_string_equal(clean("none", &(struct mask){.password = "", .token = ""}), "none");
}

static void masks_the_recipient(void **state)
{
    (void)state;
    static const struct mask mask = {.recipient = "zoe.miller@example.com"};
    static const struct masked cases[] = {
        {"User zoe.miller unknown", "User [address] unknown"},
        {"ZOE.MILLER at example.com: no such user", "[address] at example.com: no such user"},
        {"mailbox zoe.miller%40example.com unknown", "mailbox [address] unknown"},
        {"zoe.miller=40example.com &zoe&#46;miller&#64;example.com;", "[address] &[address];"},
        {"prvs=zoe.miller=example.com or zoe.miller=a.example",
         "prvs=[address] or [address]=a.example"},
        {"\"zoe.miller\"@example.com", "\"[address]"},
        {"em9lLm1pbGxlckBleGFtcGxlLmNvbQ", "[address]"},
        {"zoe.millers or szoe.miller", "zoe.millers or szoe.miller"},
    };
    assert_masked(cases, sizeof(cases) / sizeof(cases[0]), &mask);
    assert_string_equal(clean("Zoe, zoes", &(struct mask){.recipient = "zoe@x.y"}),
                        "[address], zoes");
    assert_string_equal(clean("zo!", &(struct mask){.recipient = "zo@x.y"}), "zo!");
}

static void leaves_an_enhanced_code_out_that_is_of_a_secret(void **state)
{
    (void)state;
    static const struct mask mask = {.secrets = "482913\n"};
    static const struct {
        const char *line, *enhanced, *text;
    } cases[] = {
        {"550 5.7.1 no", "5.7.1", "no"},
        {"550 5.482.913 no", "", "no"},
        {"550 5.7.482 913 no", "", "**** no"},
        {"550-5.7.482", "", ""},
        {"482 913", "", "****"},
        {"450 4.1.1 482913", "4.1.1", "****"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply;
        struct reply_shown shown;
        bool last;
        assert_true(reply_parse_line(cases[i].line, strlen(cases[i].line), &reply, &last));
        reply_clean(&reply, &mask, &shown);
        assert_string_equal(shown.enhanced, cases[i].enhanced);
        assert_string_equal(shown.text, cases[i].text);
    }
}

// What is cut off would else leave the first of it.
static void masks_a_secret_that_the_end_cuts(void **state)
{
    (void)state;
    char long_text[REPLY_TEXT_MAX + 40];
    memset(long_text, 'x', sizeof(long_text));
    snprintf(long_text + REPLY_TEXT_MAX - 10, 34, "%s", "7Qx9canary_token-0123456789abcdef");
    const char *text =
        clean(long_text, &(struct mask){.secrets = "7Qx9canary_token-0123456789abcdef\n"});
    assert_null(strstr(text, "7Qx9"));
    assert_int_equal(strlen(text), REPLY_TEXT_MAX - 10 + strlen("****"));
    // Of a line of nothing but what is replaced by more.
    char line[REPLY_RAW_SIZE];
    for (size_t i = 0; i < sizeof(line); i++)
        line[i] = "a."[i % 2];
    line[sizeof(line) - 1] = '\0';
    text = clean(line, &(struct mask){.secrets = "a\n"});
    assert_int_equal(strspn(text, "*."), REPLY_TEXT_MAX);
}

static void prints_our_own_words_as_they_are(void **state)
{
    (void)state;
    static const struct reply reply = {
        .text = "token file /etc/2026/t\xc3\xb6ken@acme: No such file\nmore"};
    struct reply_shown shown;
    reply_print(&reply, &shown);
    assert_string_equal(shown.text, "token file /etc/2026/t??ken@acme: No such file");
    assert_string_equal(shown.enhanced, "");
}

static void cuts_long_texts(void **state)
{
    (void)state;
    static const struct mask none = {0};
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(strlen(clean(long_text, &none)), REPLY_TEXT_MAX);
    // A code that the cut would leave half of is masked before the cut.
    memset(long_text, ' ', REPLY_TEXT_MAX - 2);
    snprintf(long_text + REPLY_TEXT_MAX - 2, sizeof("123456"), "123456");
    assert_string_equal(clean(long_text, &none) + REPLY_TEXT_MAX - 3, " **");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_of_replies),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(masks_what_must_not_be_shown),
        cmocka_unit_test(masks_the_secrets_of_the_mail),
        cmocka_unit_test(masks_a_secret_in_another_shape),
        cmocka_unit_test(masks_what_the_relay_logs_in_with),
        cmocka_unit_test(masks_the_recipient),
        cmocka_unit_test(leaves_an_enhanced_code_out_that_is_of_a_secret),
        cmocka_unit_test(masks_a_secret_that_the_end_cuts),
        cmocka_unit_test(prints_our_own_words_as_they_are),
        cmocka_unit_test(cuts_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
