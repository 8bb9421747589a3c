#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "templates/value.h"

static void reads_codes(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want; // NULL: refused
    } cases[] = {
        {"\"123456\"", "123456"},
        {"\"AB-cd-12\"", "AB-cd-12"},
        {"123456", "123456"},
        {"\"1234\"", "1234"},
        {"\"12345678901234567890123456789012\"", "12345678901234567890123456789012"},
        {"\"123456789012345678901234567890123\"", NULL},
        {"\"123\"", NULL},
        {"\"-12345\"", NULL},
        {"123", NULL},
        {"-123456", NULL},
        {"1234.5", NULL},
        {"\"12 456\"", NULL},
        {"\"12345\\n\"", NULL},
        {"\"<b>1234\"", NULL},
        {"\"\"", NULL},
        {"null", NULL},
        {"[\"123456\"]", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        char code[VALUE_CODE_SIZE];
        assert_int_equal(value_read_code(value, code), cases[i].want != NULL);
        if (cases[i].want)
            assert_string_equal(code, cases[i].want);
    }
}

static void reads_links(void **state)
{
    (void)state;
    static const struct {
        const char *url, *want; // NULL: refused
    } cases[] = {
        {"https://auth.example.org/self-service/verification?flow=1&code=2", "auth.example.org"},
        {"HTTP://127.0.0.1:4433/x", "127.0.0.1"},
        {"https://[2001:db8::1]:8443/", "[2001:db8::1]"},
        {"https://a.example?x=user@b.example", "a.example"},
        {"https://a.example#x", "a.example"},
        {"https://bank.example@evil.example/", NULL},
        {"https://a.example./x", "a.example."},
        {"HTTPS://Login.A.example:443", "Login.A.example"},
        {"https://a.example:/", "a.example"},
        {"https://a.example:65535/", "a.example"},
        {"https://a.example:65536/", NULL},
        {"https://a.example:000443/", NULL},
        {"https://a.example:443:/", NULL},
        {"https://a.example:65535?x", "a.example"},
        {"https://a.example:x/", NULL},
        {"https://a.example:4a/", NULL},
        {"https://a.example:-1/", NULL},
        {"https://a.example:80:80/", NULL},
        {"https://[::1]x/", NULL},
        {"https://[::1]:x/", NULL},
        {"https://user@a.example/", NULL},
        {"https://user:pass@a.example/", NULL},
        {"https://@a.example/", NULL},
        {"https://a.example\\@evil.example/", NULL},
        {"https:\\\\evil.example/", NULL},
        {"https:/\\evil.example/", NULL},
        {"https:/evil.example", NULL},
        {"https:evil.example", NULL},
        {"https:////evil.example/", NULL},
        {"https://evil.example%2f.acme.example/", NULL},
        {"https://evil%2eexample/", NULL},
        {"https://a..example/", NULL},
        {"https://.a.example/", NULL},
        {"https://a_b.example,evil.example/", NULL},
        {"https://\tevil.example/", NULL},
        {"ht\ntps://a.example/", NULL},
        {"https://a.example/\x7f", NULL},
        {"data:text/html,x", NULL},
        {"httpss://a.example/", NULL},
        {"https://[::1", NULL},
        {"https:///path", NULL},
        {"https://", NULL},
        {"//a.example/", NULL},
        {"javascript:alert(1)", NULL},
        {"ftp://a.example/", NULL},
        {" https://a.example/", NULL},
        {"https://a.example/\"onclick=", NULL},
        {"https://a.example/ x", NULL},
        {"https://a.example/\n", NULL},
        {"https://\u00e4.example/", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *value = json_string(cases[i].url);
        const char *url;
        char host[VALUE_HOST_SIZE];
        assert_int_equal(value_read_url(value, &url, host), cases[i].want != NULL);
        if (cases[i].want) {
            assert_string_equal(host, cases[i].want);
            assert_string_equal(url, cases[i].url);
        }
    }
}

static void knows_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a",     "a.example",     "a.example.",         "A-1_b.example",         "127.0.0.1",
        "[::1]", "[2001:db8::1]", "[::ffff:127.0.0.1]", "xn--bcher-kva.example", "localhost",
    };
    static const char *const bad[] = {
        "",     ".",      "..",           ".a",
        "a..b", "a..",    "a b",          "a/b",
        "a:1",  "a%2eb",  "a@b",          "b\u00fccher.example",
        "[",    "[]",     "[::1",         "[::1]x",
        "[1]",  "[g::1]", "[::1%25eth0]", "::1",
        "a\\b", "*.a",    "a,b",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!value_is_host(good[i]))
            fail_msg("%s is refused", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (value_is_host(bad[i]))
            fail_msg("%s is taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_codes),
        cmocka_unit_test(reads_links),
        cmocka_unit_test(knows_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
