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
        {"https://a.example:65535?x", "a.example"},
        {"https://a.example:65536/", NULL},
        {"https://a.example:443:/", NULL},
        {"https://a.example:x/", NULL},
        {"https://[::1]x/", NULL},
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

static void reads_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want; // NULL: refused
    } cases[] = {
        {"Zo\u00eb O'Hara & S\u00f8n <b>", "Zo\u00eb O'Hara & S\u00f8n <b>"},
        {"  Anna \t\n M\u00e1ria ", "Anna M\u00e1ria"},
        {"J.R.R. Tolkien", "J.R.R. Tolkien"},
        {"Dr. Anna", "Dr. Anna"},
        {"John Smith 3rd", "John Smith 3rd"},
        {"a\u202eb\u200bc\u2066d\ufeff", "abcd"},
        {"\u1f600", "\u1f600"},
        {"{{code}}", "{{code}}"},
        {"Click http://a", NULL},
        {"WWW.a", NULL},
        {"www\u200b.a", NULL},
        {"a@b", NULL},
        {"your code 1234", NULL},
        {"12\u200b34", NULL},
        {"\uff11\uff12\uff13\uff14", NULL},
        {"visit evil.example", NULL},
        {" \u200b ", NULL},
        {"null", NULL},
        {"null null", NULL},
        {"Anna undefined", NULL},
        {"None", NULL},
        {"<nil>", NULL},
        {"[object Object]", NULL},
        {"{}", NULL},
        {"[]", NULL},
        {"{\"first\":\"Anna\"}", NULL},
        {"[\"Anna\"]", NULL},
        {"0", NULL},
        {"42", NULL},
        {"Zo\ufffd", NULL},
        {"-", NULL},
        {"...", NULL},
        {"Jennifer Null", "Jennifer Null"},
        {"Nullius", "Nullius"},
        {"\u9065 \u4f50\u85e4", "\u9065 \u4f50\u85e4"},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *value = json_string(cases[i].name);
        char name[VALUE_NAME_SIZE];
        assert_int_equal(value_read_name(value, name), cases[i].want != NULL);
        if (cases[i].want)
            assert_string_equal(name, cases[i].want);
    }
    char name[VALUE_NAME_SIZE];
    json_auto_t *number = json_integer(7);
    assert_false(value_read_name(number, name));
    assert_false(value_read_name(NULL, name));
}

static void cuts_long_names(void **state)
{
    (void)state;
    char text[100 * 4 + 1] = "";
    for (size_t i = 0; i < 100; i++)
        memcpy(text + i * 4, "\U0001f600", 5);
    json_auto_t *value = json_string(text);
    char name[VALUE_NAME_SIZE];
    assert_true(value_read_name(value, name));
    assert_int_equal(strlen(name), 64 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_codes),
        cmocka_unit_test(reads_links),
        cmocka_unit_test(reads_names),
        cmocka_unit_test(cuts_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
