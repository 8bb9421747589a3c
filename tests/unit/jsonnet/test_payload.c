#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/payload.h"
#include "relay/base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *parse(const char *text)
{
    struct error err;
    json_t *document = payload_parse(text, strlen(text), &err);
    if (!document)
        fail_msg("%s: %s", text, err.message);
    return document;
}

static void assert_cleans_to(const char *text, const char *want)
{
    json_auto_t *document = parse(text);
    AUTO_FREE char *got =
        json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    assert_string_equal(got, want);
}

static void makes_harmless_what_jansson_and_jsonnet_cannot_carry(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{}", "{}"},
        {" [ 1 , true , null ] \n", "[1,true,null]"},
        // NUL and surrogates
        {"[\"a\\u0000b\"]", "[\"a\uFFFDb\"]"},
        {"{\"k\\u0000\":1}", "{\"k\uFFFD\":1}"},
        {"[\"\\ud83d\\ude00 \\uD83D\\uDE00\"]", "[\"\U0001F600 \U0001F600\"]"},
        {"[\"\\ud83d\"]", "[\"\uFFFD\"]"},
        {"[\"\\ud83dx\"]", "[\"\uFFFDx\"]"},
        {"[\"\\ude00\\ud83d\"]", "[\"\uFFFD\uFFFD\"]"},
        {"[\"\\ud83d\\ud83d\\ude00\"]", "[\"\uFFFD\U0001F600\"]"},
        {"[\"\\\\u0000\"]", "[\"\\\\u0000\"]"}, // an escaped backslash, no escape
        {"[\"\\\\\\u0000\"]", "[\"\\\\\uFFFD\"]"},
        {"[\"\\\"\\u0000\"]", "[\"\\\"\uFFFD\"]"},
        // bytes that are not UTF-8: stray, overlong, surrogate, beyond Unicode, cut short
        {"[\"\x80\"]", "[\"\uFFFD\"]"},
        {"[\"\xC0\xAF\"]", "[\"\uFFFD\uFFFD\"]"},
        {"[\"\xED\xA0\x80\"]", "[\"\uFFFD\uFFFD\uFFFD\"]"},
        {"[\"\xF4\x90\x80\x80\"]", "[\"\uFFFD\uFFFD\uFFFD\uFFFD\"]"},
        {"[\"\xE2\x82\"]", "[\"\uFFFD\uFFFD\"]"},
        {"[\"\xE2\x82\xAC \xF0\x9F\x98\x80 \xC3\xA9\"]", "[\"\u20AC \U0001F600 \u00E9\"]"},
        // numbers
        {"[9007199254740992,-9007199254740992,0,-0]", "[9007199254740992,-9007199254740992,0,0]"},
        {"[9007199254740993]", "[\"9007199254740993\"]"},
        {"[-9007199254740993]", "[\"-9007199254740993\"]"},
        {"[12345678901234567168,1]", "[\"12345678901234567168\",1]"},
        {"{\"a\":1e999,\"b\":-1E400}", "{\"a\":\"1e999\",\"b\":\"-1E400\"}"},
        {"[1.5,1e3,1e-999]", "[1.5,1000.0,0.0]"},
        {"[\"9007199254740993\",\"1e999\"]", "[\"9007199254740993\",\"1e999\"]"},
        // the last of duplicate keys
        {"{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_cleans_to(cases[i].text, cases[i].want);
}

static void a_number_of_many_digits_becomes_a_string(void **state)
{
    (void)state;
    char text[512];
    memset(text, '3', sizeof(text));
    text[0] = '[';
    text[2] = '.';
    memcpy(text + sizeof(text) - 2, "]", 2);
    json_auto_t *document = parse(text);
    assert_true(json_is_string(json_array_get(document, 0)));
    assert_int_equal(json_string_length(json_array_get(document, 0)), sizeof(text) - 3);
}

static void refuses_what_is_no_json_without_quoting_it(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "1",
        "\"secret\"",
        "null",
        "{\"code\": secret}",
        "{\"code\": \"secret}",
        "[\"secret\"",
        "[\"secret\"]]",
        "{\"secret\" 1}",
        "[\"secret\n\"]",
        "[\"\\q secret\"]",
        "[\"\\u00g0 secret\"]",
        "[\"secret\\",
        "[01]",
        "[1-2]",
        "[-]",
        "[\xFF]",
        "\xEF\xBB\xBF{}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        assert_null(payload_parse(cases[i], strlen(cases[i]), &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.message, "line "));
        assert_null(strstr(err.message, "secret"));
    }
}

static void a_raw_nul_is_refused(void **state)
{
    (void)state;
    struct error err;
    assert_null(payload_parse("[\"a\0b\"]", 7, &err));
    assert_null(payload_parse("[1]\0", 4, &err));
}

// text is `depth` times open, then middle, then as many times close.
static char *nested(size_t depth, const char *open, const char *middle, const char *close)
{
    size_t size = depth * (strlen(open) + strlen(close)) + strlen(middle) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    char *at = text;
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < depth; i++)
        at = stpcpy(at, close);
    return text;
}

static size_t depth_of(const json_t *value)
{
    size_t depth = 0;
    for (; json_is_array(value); value = json_array_get(value, 0))
        depth++;
    return depth;
}

static void cuts_what_is_nested_too_deep(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 31, 32, 33, 34, 2049, 1000000};
    for (size_t i = 0; i < COUNT(depths); i++) {
        AUTO_FREE char *text = nested(depths[i], "[", "1", "]");
        json_auto_t *document = parse(text);
        assert_int_equal(depth_of(document),
                         depths[i] < PAYLOAD_DEPTH_MAX ? depths[i] : PAYLOAD_DEPTH_MAX);
    }
    AUTO_FREE char *objects = nested(1000, "{\"a]}\\\"\":", "\"]}\"", "}");
    json_auto_t *document = parse(objects);
    assert_true(json_is_object(document));
}

static void goes_on_behind_what_was_cut(void **state)
{
    (void)state;
    AUTO_FREE char *deep = nested(40, "[", "", "]");
    char text[128];
    snprintf(text, sizeof(text), "{\"deep\":%s,\"code\":\"\\u0000\"}", deep);
    json_auto_t *document = parse(text);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "\uFFFD");
    // Unclosed brackets stay a fault.
    struct error err;
    assert_null(payload_parse(text, strlen(text) - 1, &err));
    AUTO_FREE char *unclosed = nested(1000000, "[", "", "");
    assert_null(payload_parse(unclosed, strlen(unclosed), &err));
}

static const char LOOKED_INTO[] =
    "{\"a\": {\"b\": \"deep\", \"empty\": \"\", \"none\": null, \"list\": [\"zero\", {\"k\": "
    "\"one\"}]},"
    " \"to\": \"x@example.com\", \"\": \"nameless\", \"odd key/:$\": \"odd\", \"n\": 42, \"zero\": "
    "0,"
    " \"half\": 0.5, \"yes\": true, \"below\": -3, \"first\": \"Ada\", \"last\": \"Byron\"}";

static void looks_values_up(void **state)
{
    (void)state;
    json_auto_t *document = parse(LOOKED_INTO);
    static const struct {
        const char *paths, *want; // want as JSON
    } cases[] = {
        {"to", "\"x@example.com\""},
        {"a.b", "\"deep\""},
        {"a.list.0", "\"zero\""},
        {"a.list.1.k", "\"one\""},
        {"odd key/:$", "\"odd\""},
        {"missing|a.none|a.b|to", "\"deep\""},
        {"a.empty|a.b", "\"\""},
        {"yes", "true"},
        {"zero", "0"},
        {"a.none", NULL},
        {"missing", NULL},
        {"missing.b.c", NULL},
        {"to.b", NULL},
        {"a.list.2", NULL},
        {"a.list.-1", NULL},
        {"a.list.1x", NULL},
        {"a.list.99999999999999999999", NULL},
        {"a..b", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *value = payload_at(document, cases[i].paths);
        AUTO_FREE char *got = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        if (cases[i].want)
            assert_string_equal(got ? got : "nothing", cases[i].want);
        else
            assert_null(got);
    }
    assert_ptr_equal(payload_at(document, "missing|"), document);
}

static void looks_texts_up(void **state)
{
    (void)state;
    json_auto_t *document = parse(LOOKED_INTO);
    static const struct {
        const char *objects, *paths, *want;
        int digits;
    } cases[] = {
        {"", "a.empty|a.b", "deep", 0},
        {"", "yes|half|a|a.list|n", "42", 0},
        {"", "below", "-3", 0},
        {"", "first+last", "Ada Byron", 0},
        {"", "missing+last", "Byron", 0},
        {"", "missing+yes|first", "Ada", 0},
        {"", "missing+yes", NULL, 0},
        {"", "missing|\"email\"", "email", 0},
        {"", "to|\"email\"", "x@example.com", 0},
        {"missing|a", "first|b", "deep", 0},
        {"a|", "first", "Ada", 0},
        {"to", "first", NULL, 0},
        {"", "n", "000042", 6},
        {"", "n", "42", 2},
        {"", "below", "-3", 6},
        {"", "zero", "0", 6},
        {"", "first", "Ada", 6},
        {"a|", "missing|n", "0042", 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_auto_t *text =
            payload_text(document, cases[i].objects, cases[i].paths, cases[i].digits);
        if (cases[i].want)
            assert_string_equal(json_string_value(text), cases[i].want);
        else
            assert_null(text);
    }
    json_auto_t *texts = payload_texts(document, "a|missing|", "b|empty|first|n|yes");
    AUTO_FREE char *got = json_dumps(texts, JSON_COMPACT);
    assert_string_equal(got, "[\"deep\",\"Ada\",\"42\"]");
}

static void looks_numbers_up(void **state)
{
    (void)state;
    json_auto_t *document = parse(LOOKED_INTO);
    assert_int_equal(json_integer_value(payload_number(document, "to|zero|below|n")), 42);
    assert_true(json_real_value(payload_number(document, "half")) > 0);
    assert_null(payload_number(document, "zero|below|yes|to|a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_harmless_what_jansson_and_jsonnet_cannot_carry),
        cmocka_unit_test(a_number_of_many_digits_becomes_a_string),
        cmocka_unit_test(refuses_what_is_no_json_without_quoting_it),
        cmocka_unit_test(a_raw_nul_is_refused),
        cmocka_unit_test(cuts_what_is_nested_too_deep),
        cmocka_unit_test(goes_on_behind_what_was_cut),
        cmocka_unit_test(looks_values_up),
        cmocka_unit_test(looks_texts_up),
        cmocka_unit_test(looks_numbers_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
