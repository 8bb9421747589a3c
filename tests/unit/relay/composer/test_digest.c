#include "relay/composer/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void digest(const char *text, char ret_hex[DIGEST_HEX_SIZE])
{
    static const char *const without[] = {"html_body", "request_headers", NULL};
    json_error_t error;
    json_auto_t *document = json_loads(text, JSON_DECODE_ANY, &error);
    if (!document)
        fail_msg("%s in %s", error.text, text);
    digest_json(document, without, ret_hex);
    assert_int_equal(strlen(ret_hex), DIGEST_HEX_SIZE - 1);
}

static void tells_documents_apart(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{}",
        "[]",
        "null",
        "\"\"",
        "0",
        "0.0",
        "true",
        "false",
        "[[]]",
        "[{}]",
        "[\"\"]",
        "{\"a\":\"b\"}",
        "{\"a\":[\"b\"]}",
        "{\"a\":{\"b\":\"\"}}",
        "{\"a\":\"b\",\"c\":\"d\"}",
        "{\"c\":\"d\",\"a\":\"b\"}",
        "{\"a\":\"bkc\"}",
        "{\"a\":\"}\"}",
        "[\"a\",\"b\"]",
        "[\"ab\"]",
        "[\"as\",\"b\"]",
        "[[\"a\"],\"b\"]",
        "[[\"a\",\"b\"]]",
        "[12]",
        "[1,2]",
        "[\"1\"]",
        "[1]",
        "[1.0]",
        "[-1]",
        "[0.1]",
        "[0.2]",
        "[null]",
        "[true]",
        "[false]",
        "{\"a\":{\"html_body\":1}}",
        "{\"a\":{\"html_body\":2}}",
        "[\"html_body\"]",
    };
    enum { COUNT = sizeof(documents) / sizeof(documents[0]) };
    char digests[COUNT][DIGEST_HEX_SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        digest(documents[i], digests[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(digests[i], digests[k]) == 0)
                fail_msg("%s is taken for %s", documents[i], documents[k]);
        }
    }
}

static void knows_a_document_again(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
    } cases[] = {
        {"{\"a\":1,\"b\":[true,null]}", " { \"a\" : 1, \"b\" : [ true, null ] } "},
        {"{\"a\":\"\\u00e1\"}", "{\"a\":\"\u00e1\"}"},
        {"{\"a\":1}", "{\"html_body\":\"<p>\",\"a\":1,\"request_headers\":{\"x\":[1]}}"},
        {"{}", "{\"html_body\":null}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char one[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE];
        digest(cases[i].one, one);
        digest(cases[i].other, other);
        assert_string_equal(one, other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_documents_apart),
        cmocka_unit_test(knows_a_document_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
