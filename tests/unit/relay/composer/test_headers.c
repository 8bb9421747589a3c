#include "relay/composer/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/composer/head.h"

static const struct header_values values = {
    .template = "login_code_valid",
    .brand = "acme",
    .locale = "hu-x-formal",
    .id = "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001",
};

static struct headers *create(const char *text, json_t *faults)
{
    json_auto_t *object = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(object || !text);
    return headers_create(object, faults);
}

static void fills_in(void **state)
{
    (void)state;
    static const struct {
        const char *object, *want;
    } cases[] = {
        {NULL, ""},
        {"null", ""},
        {"{}", ""},
        {"{\"X-Tag\":\"mail\"}", "X-Tag: mail\r\n"},
        {"{\"Feedback-ID\":\"{template}:{brand}:kratos:acme\"}",
         "Feedback-ID: login_code_valid:acme:kratos:acme\r\n"},
        {"{\"A\":\"{id}\",\"B\":\"{locale}{brand}\"}",
         "A: 0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001\r\nB: hu-x-formalacme\r\n"},
        {"{\"X-SMTPAPI\":\"{{\\\"category\\\": \\\"{template}\\\"}\"}",
         "X-SMTPAPI: {\"category\": \"login_code_valid\"}\r\n"},
        {"{\"X\":\"} {{ }} {{{brand}\"}", "X: } { }} {acme\r\n"},
        {"{\"X-Tag\":\"Bejelentkezés\"}", "X-Tag: =?utf-8?B?QmVqZWxlbnRrZXrDqXM=?=\r\n"},
        {"{\"References\":\"<{id}@acme.example>\"}",
         "References: <0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001@acme.example>\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *faults = json_array();
        struct headers *headers = create(cases[i].object, faults);
        if (!headers)
            fail_msg("%s: %s", cases[i].object, json_dumps(faults, 0));
        AUTO_BUFFER struct buffer out;
        struct error err;
        buffer_init(&out, 4096);
        assert_true(headers_put(headers, &values, &out, &err));
        assert_string_equal(out.data ? out.data : "", cases[i].want);
        headers_destroy(headers);
    }
}

static void refuses(const char *name, const char *text, const char *want)
{
    json_auto_t *object = json_object();
    json_auto_t *faults = json_array();
    assert_int_equal(json_object_set_new(object, name, json_string(text)), 0);
    struct headers *headers = headers_create(object, faults);
    if (headers)
        fail_msg("took %s: %s", name, text);
    assert_int_equal(json_array_size(faults), 1);
    const json_t *fault = json_array_get(faults, 0);
    assert_string_equal(json_string_value(json_object_get(fault, "where")), "mail_headers");
    const char *what = json_string_value(json_object_get(fault, "what"));
    if (!strstr(what, want))
        fail_msg("%s: %s: %s", name, text, what);
}

static void refuses_headers_that_are_not_an_operators(void **state)
{
    (void)state;
    static const char *const names[] = {
        "From",
        "sender",
        "REPLY-TO",
        "To",
        "Cc",
        "bCC",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "X-Entity-Ref-ID",
        "Expires",
        "MIME-Version",
        "Content-Type",
        "content-language",
        "Content-Disposition",
        "Resent-To",
        "Resent-Bcc",
        "Received",
        "Received-SPF",
        "Return-Path",
        "Delivered-To",
        "DKIM-Signature",
        "ARC-Seal",
        "DomainKey-Signature",
        "Authentication-Results",
        "Errors-To",
        "Apparently-To",
        "List-Unsubscribe",
        "list-id",
        "List-Unsubscribe-Post",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        refuses(names[i], "x", names[i]);
}

static void refuses_what_is_no_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",         ".X",
        "X.Y",      "X{id}",
        "X Y",      "X:",
        "X\r\nBcc", "X\n",
        "Ö",        "X\u2028",
        "X\t",      " X",
        "\x7f",     "N2345678901234567890123456789012345678901234567890123456789012345",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        refuses(names[i], "x", "a name is not");
}

static void refuses_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "X-Tag: is empty"},
        {" ", "X-Tag: is empty"},
        {" a", "X-Tag: is empty, or has a space"},
        {"a ", "X-Tag: is empty, or has a space"},
        {"a\r\nBcc: b@c", "header X-Tag: holds a control character"},
        {"a\nb", "header X-Tag: holds a control character"},
        {"a\rb", "header X-Tag: holds a control character"},
        {"a\r\n b", "header X-Tag: holds a control character"},
        {"a\tb", "header X-Tag: holds a control character"},
        {"a\xc2\x85", "header X-Tag: holds a control character"},
        {"a\u2028", "header X-Tag: holds a control character"},
        {"a\u2029", "header X-Tag: holds a control character"},
        {"{to}", "X-Tag: {to} is none of {template}, {brand}"},
        {"{code}", "X-Tag: {code} is none of"},
        {"{Brand}", "X-Tag: {Brand} is none of"},
        {"{ brand}", "X-Tag: { brand} is none of"},
        {"{}", "X-Tag: {} is none of"},
        {"{", "X-Tag: {} is none of"},
        {"{brand", "X-Tag: {brand} is none of"},
        {"{brand{id}", "X-Tag: {brand} is none of"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuses("X-Tag", cases[i].text, cases[i].want);
}

// Judged by what it could come to, so that no mail fails by it.
static void refuses_what_may_become_too_long(void **state)
{
    (void)state;
    char text[HEAD_VALUE_MAX + 10];
    memset(text, 'x', sizeof(text));
    memcpy(text, "{id}", 4);
    text[4 + HEAD_VALUE_MAX - 64] = '\0';
    json_auto_t *faults = json_array();
    json_auto_t *object = json_pack("{s:s}", "X-Tag", text);
    struct headers *headers = headers_create(object, faults);
    assert_non_null(headers);
    headers_destroy(headers);

    text[4 + HEAD_VALUE_MAX - 64] = 'x';
    text[4 + HEAD_VALUE_MAX - 63] = '\0';
    refuses("X-Tag", text, "header X-Tag: is over 900 bytes");
}

static void refuses_what_is_no_object_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *object, *want;
    } cases[] = {
        {"[]", "is no object of names and texts"},
        {"\"X\"", "is no object of names and texts"},
        {"{\"X-Tag\":5}", "X-Tag: is no text"},
        {"{\"X-Tag\":null}", "X-Tag: is no text"},
        {"{\"X-Tag\":[\"a\"]}", "X-Tag: is no text"},
        {"{\"X-Tag\":\"a\",\"x-tag\":\"b\"}", "x-tag: is there twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *faults = json_array();
        assert_null(create(cases[i].object, faults));
        assert_int_equal(json_array_size(faults), 1);
        const json_t *what = json_object_get(json_array_get(faults, 0), "what");
        assert_string_equal(json_string_value(what), cases[i].want);
    }
    json_auto_t *faults = json_array();
    json_auto_t *hidden = json_object();
    json_object_set_new(hidden, "X-Tag", json_stringn("a\0b", 3));
    assert_null(headers_create(hidden, faults));
}

static void takes_so_many_and_names_every_fault(void **state)
{
    (void)state;
    json_auto_t *object = json_object();
    json_auto_t *faults = json_array();
    for (int i = 0; i < HEADERS_COUNT_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "X-%d", i);
        json_object_set_new(object, name, json_string("x"));
    }
    struct headers *headers = headers_create(object, faults);
    assert_non_null(headers);
    headers_destroy(headers);
    json_object_set_new(object, "X-Last", json_string("x"));
    json_object_set_new(object, "Bcc", json_string("x"));
    assert_null(headers_create(object, faults));
    assert_int_equal(json_array_size(faults), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in),
        cmocka_unit_test(refuses_headers_that_are_not_an_operators),
        cmocka_unit_test(refuses_what_is_no_name),
        cmocka_unit_test(refuses_texts),
        cmocka_unit_test(refuses_what_may_become_too_long),
        cmocka_unit_test(refuses_what_is_no_object_of_texts),
        cmocka_unit_test(takes_so_many_and_names_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
