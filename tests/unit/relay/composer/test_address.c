#include "relay/composer/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void accepts_what_kratos_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *given, *want;
        bool smtputf8;
    } cases[] = {
        {"user@example.com", "user@example.com", false},
        {"User.Name+tag@Example.COM", "User.Name+tag@example.com", false},
        {"foo.@docomo.ne.jp", "foo.@docomo.ne.jp", false},
        {".a..b@example.com", ".a..b@example.com", false},
        {"!#$%&'*+/=?^_`{|}~.-@example.com", "!#$%&'*+/=?^_`{|}~.-@example.com", false},
        {"-oQ@x", "-oQ@x", false},
        {"user@localhost", "user@localhost", false},
        {"user@example.com.", "user@example.com", false},
        {"用户@例子.广告。", "用户@xn--fsqu00a.xn--4rr70v", true},
        {"zoë@example.com", "zoë@example.com", true},
        {"用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v", true},
        {"info@bücher.example", "info@xn--bcher-kva.example", false},
        {"info@straße.example", "info@xn--strae-oqa.example", false},
        {"info@xn--bcher-kva.example", "info@xn--bcher-kva.example", false},
        {"संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c", true},
        {"Zoë O'Hara <zoe.ohara@example.com>", "zoe.ohara@example.com", false},
        {"\"O'Hara, Zoë\" <zoe.ohara@example.com>", "zoe.ohara@example.com", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        struct error err;
        if (!address_parse(cases[i].given, &address, &err))
            fail_msg("%s: %s", cases[i].given, err.message);
        assert_string_equal(address.text, cases[i].want);
        assert_int_equal(address.smtputf8, cases[i].smtputf8);
        assert_string_equal(address.text + address.domain_at, strchr(cases[i].want, '@') + 1);
    }
}

static void refuses_what_could_be_syntax(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "@",
        "a@",
        "@b",
        "a",
        "a b@example.com",
        "=?utf-8?Q?victim=40bank.example=2C?=x@evil.example",
        "x=?utf-8?B?dmljdGltQGJhbmsuZXhhbXBsZQ==?=@evil.example",
        " a@example.com",
        "a@example.com ",
        "a@exa mple.com",
        "a@b>\r\nRCPT TO:<x",
        "a@b\r\n",
        "a\r\n@b",
        "a@b\nBcc: c@d",
        "a\t@b",
        "\"a b\"@example.com",
        "\"a\"@example.com",
        "<a@example.com>",
        "<a@example.com",
        "a@example.com>",
        "a@b,c@d",
        "a@b;c@d",
        "a@b@c",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a(b)@example.com",
        "a\\b@example.com",
        "a:b@example.com",
        "a@-example.com",
        "a@exa_mple.com",
        "a@example..com",
        "a@.example.com",
        "a@.",
        "a\x7f@example.com",
        "a\x01@example.com",
        "\xff@example.com",
        "a@\xff.example",
        "a\u200b@example.com",
        "a\u202e@example.com",
        "a\u00a0@example.com",
        "a\u201c@example.com",
        "a@exa\u202emple.com",
        "x@y <a@example.com>",
        "x, <a@example.com>",
        "x <b@c> <a@example.com>",
        "x\r\n <a@example.com>",
        "x <a@example.com> y",
        "x <a b@example.com>",
        "x <>",
        "a@xn--\u00fc.example",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address = {.text = "untouched"};
        struct error err;
        if (address_parse(cases[i], &address, &err))
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(address.text, "untouched");
    }
}

static void counts_bytes(void **state)
{
    (void)state;
    static const char domain[] = "@mail.example.com.de";
    char text[400];
    struct address address;
    struct error err;
    // 320 bytes: 300 of local part, "@", and a domain of 19.
    memset(text, 'a', 300);
    memcpy(text + 300, domain, sizeof(domain));
    assert_int_equal(strlen(text), 320);
    assert_true(address_parse(text, &address, &err));
    memset(text, 'a', 301);
    memcpy(text + 301, domain, sizeof(domain));
    assert_false(address_parse(text, &address, &err));
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(address_parse(text, &address, &err));

    // In A-labels it is longer than it was: 310 bytes given, over 320 made.
    memset(text, 'a', 302);
    memcpy(text + 302, "@ü.ü.ü", sizeof("@ü.ü.ü"));
    assert_false(address_parse(text, &address, &err));
}

static void keeps_a_senders_name(void **state)
{
    (void)state;
    static const struct {
        const char *given, *name, *address;
    } cases[] = {
        {"no-reply@acme.example", "", "no-reply@acme.example"},
        {"Acme <no-reply@acme.example>", "Acme", "no-reply@acme.example"},
        {"\"Acme, Inc.\" <no-reply@acme.example>", "Acme, Inc.", "no-reply@acme.example"},
        {"\"The \\\"A\\\"\" <a@acme.example>", "The \"A\"", "a@acme.example"},
        {"Szolgáltató <a@acme.example>", "Szolgáltató", "a@acme.example"},
        {"<a@acme.example>", "", "a@acme.example"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mailbox mailbox;
        struct error err;
        if (!mailbox_parse(cases[i].given, &mailbox, &err))
            fail_msg("%s: %s", cases[i].given, err.message);
        assert_string_equal(mailbox.name, cases[i].name);
        assert_string_equal(mailbox.address.text, cases[i].address);
    }
}

static void refuses_a_bad_sender(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "Acme",
        "Acme <>",
        "Acme <a@b> x",
        "Ac\nme <a@acme.example>",
        "Acme <a b@acme.example>",
        "A\xff <a@acme.example>",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mailbox mailbox;
        struct error err;
        if (mailbox_parse(cases[i], &mailbox, &err))
            fail_msg("accepted: %s", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_kratos_accepts),
        cmocka_unit_test(refuses_what_could_be_syntax),
        cmocka_unit_test(counts_bytes),
        cmocka_unit_test(keeps_a_senders_name),
        cmocka_unit_test(refuses_a_bad_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
