#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/payload.h"
#include "jsonnet/table.h"
#include "relay/base/cleanup.h"

#define NO_PLACE "that is no path into a payload, such as 'template_data.to'"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *parse(const char *text)
{
    struct error err;
    json_t *value = payload_parse(text, strlen(text), &err);
    if (!value)
        fail_msg("%s: %s", text, err.message);
    return value;
}

static const char PAYLOAD[] =
    "{\"kind\": \"login\", \"to\": \"x@example.com\", \"otp\": 4711, \"minutes\": 15, \"zero\": 0,"
    " \"user\": {\"first\": \"Ada\", \"last\": \"Byron\", \"lang\": \"hu\", \"otp\": \"0815\"},"
    " \"langs\": [\"de\", \"fr\"]}";

static void looks_up_each_part(void **state)
{
    (void)state;
    json_auto_t *document = parse(PAYLOAD);
    static const struct {
        const char *table, *want;
    } cases[] = {
        {"{\"data\": {}}", "{\"data\":{}}"},
        {"{\"data\": {}, \"to\": \"nobody|to\"}", "{\"data\":{},\"to\":\"x@example.com\"}"},
        {"{\"data\": {}, \"to\": \"nobody\"}", "{\"data\":{},\"to\":null}"},
        {"{\"data\": {\"name\": \"user.first+user.last\", \"own\": \"\\\"word\\\"\"}}",
         "{\"data\":{\"name\":\"Ada Byron\",\"own\":\"word\"}}"},
        {"{\"data\": {\"name\": [\"nobody|user|\", \"to|last\"]}}",
         "{\"data\":{\"name\":\"Byron\"}}"},
        {"{\"data\": {\"code\": [\"\", \"otp\", 6], \"b\": [\"user|\", \"otp\", 6]}}",
         "{\"data\":{\"code\":\"004711\",\"b\":\"0815\"}}"},
        {"{\"data\": {}, \"locales\": [\"user|\", \"lang|langs.1|nothing\"]}",
         "{\"data\":{},\"locales\":[\"hu\",\"fr\"]}"},
        {"{\"data\": {}, \"locales\": \"langs.0|nothing|langs.1\"}",
         "{\"data\":{},\"locales\":[\"de\",\"fr\"]}"},
        {"{\"data\": {}, \"locales\": \"nothing\"}", "{\"data\":{},\"locales\":[]}"},
        {"{\"data\": {}, \"expires_in_minutes\": \"zero|kind|minutes\"}",
         "{\"data\":{},\"expires_in_minutes\":15}"},
        {"{\"data\": {}, \"expires_in_minutes\": \"zero\"}",
         "{\"data\":{},\"expires_in_minutes\":null}"},
        {"{\"data\": {}, \"fallback\": {\"subject\": \"kind\", \"html\": \"nothing\"}}",
         "{\"data\":{},\"fallback\":{\"subject\":\"login\",\"html\":null}}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_auto_t *table = parse(cases[i].table);
        struct error err;
        if (!table_check(table, &err))
            fail_msg("%s: %s", cases[i].table, err.message);
        json_auto_t *mail = table_apply(table, document);
        AUTO_FREE char *got = json_dumps(mail, JSON_COMPACT);
        assert_string_equal(got, cases[i].want);
    }
}

static void chooses_by_the_mails_template(void **state)
{
    (void)state;
    json_auto_t *document = parse(PAYLOAD);
    static const struct {
        const char *table, *want; // want: data.code
    } cases[] = {
        {"{\"template\": \"kind\", \"data\": {\"code\": {\"login\": \"to\", \"otherwise\": "
         "\"otp\"}}}",
         "x@example.com"},
        {"{\"template\": \"to\", \"data\": {\"code\": {\"login\": \"to\", \"otherwise\": "
         "\"otp\"}}}",
         "4711"},
        {"{\"template\": \"nothing\", \"data\": {\"code\": {\"login\": \"to\", \"otherwise\": "
         "\"otp\"}}}",
         "4711"},
        {"{\"data\": {\"code\": {\"login\": \"to\", \"otherwise\": \"otp\"}}}", "4711"},
        {"{\"template\": \"to\", \"data\": {\"code\": {\"login\": \"to\"}}}", NULL},
        {"{\"template\": {\"otherwise\": \"kind\"}, \"data\": {\"code\": {\"login\": \"to\"}}}",
         "x@example.com"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_auto_t *table = parse(cases[i].table);
        assert_true(table_check(table, NULL));
        json_auto_t *mail = table_apply(table, document);
        const char *got = json_string_value(payload_at(mail, "data.code"));
        if (cases[i].want)
            assert_string_equal(got, cases[i].want);
        else
            assert_null(got);
    }
}

static void says_which_key_is_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *table, *want;
    } cases[] = {
        {"[]", "no object"},
        {"{}", "data is missing"},
        {"{\"to\": \"a\"}", "data is missing"},
        {"{\"data\": \"a\"}", "data is no object of paths"},
        {"{\"data\": {}, \"too\": \"a\"}", "too is no key of a mail"},
        {"{\"data\": {}, \"to\": 1}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": null}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": []}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\"]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\", 6]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\", \"b\", 0]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\", \"b\", 19]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\", \"b\", \"6\"]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": [\"a\", \"b\", 6, 7]}", "to: " NO_PLACE},
        {"{\"data\": {}, \"to\": {\"x\": {\"y\": \"a\"}}}", "to.x: " NO_PLACE},
        {"{\"data\": {\"code\": {\"x\": null}}}", "data.code.x: " NO_PLACE},
        {"{\"data\": {\"code\": {\"x\": \"a\", \"otherwise\": [\"a\"]}}}",
         "data.code.otherwise: " NO_PLACE},
        {"{\"data\": {\"code\": 6}}", "data.code: " NO_PLACE},
        {"{\"data\": {}, \"locales\": {\"otherwise\": \"a\"}}", "locales: " NO_PLACE},
        {"{\"data\": {}, \"expires_in_minutes\": [\"a\", \"b\"]}", "expires_in_minutes: " NO_PLACE},
        {"{\"data\": {}, \"fallback\": {\"text\": true}}", "fallback.text: " NO_PLACE},
        {"{\"data\": {}, \"fallback\": []}", "fallback is no object of paths"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_auto_t *table = parse(cases[i].table);
        struct error err = {0};
        assert_false(table_check(table, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(err.message, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_up_each_part),
        cmocka_unit_test(chooses_by_the_mails_template),
        cmocka_unit_test(says_which_key_is_at_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
