// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <jansson.h>
#include <string.h>

#include "relay/cli/example_mail.h"

#define NOW_MS INT64_C(1795222923004) // 2026-11-21T01:02:03.004Z

// The example as an object; the caller json_decref()s it.
static json_t *make(const char *name, const char *need, const char *brand_text)
{
    json_auto_t *type = json_pack("{s:s, s:s}", "name", name, "need", need);
    json_auto_t *brand = json_loads(brand_text, 0, NULL);
    struct buffer bytes;
    buffer_init(&bytes, 65536);
    assert_true(example_mail(type, brand, NOW_MS, &bytes));
    json_t *mail = json_loadb(bytes.data, bytes.size, 0, NULL);
    assert_non_null(mail);
    buffer_finish(&bytes);
    return mail;
}

static void has_what_its_type_needs(void **state)
{
    (void)state;
    static const struct {
        const char *need;
        bool has_code, has_url;
    } cases[] = {{"code", true, true}, {"link", false, true}, {"nothing", false, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *mail = make("own_type", cases[i].need, "{}");
        const json_t *data = json_object_get(mail, "data");
        assert_int_equal(json_object_get(data, "code") != NULL, cases[i].has_code);
        assert_int_equal(json_object_get(data, "url") != NULL, cases[i].has_url);
        assert_string_equal(json_string_value(json_object_get(mail, "template")), "own_type");
        assert_string_equal(json_string_value(json_object_get(data, "at")),
                            "2026-11-21T01:02:03.004Z");
        assert_int_equal(json_integer_value(json_object_get(mail, "expires_in_minutes")), 15);
        json_decref(mail);
    }
}

static void knows_nothing_of_who_has_no_account(void **state)
{
    (void)state;
    static const struct {
        const char *type, *need;
        size_t facts;
    } cases[] = {
        {"recovery_invalid", "nothing", 0}, {"_invalid", "nothing", 0},
        {"invalid", "nothing", 2},          {"authenticator_key_added", "nothing", 2},
        {"own_invalid", "code", 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *mail = make(cases[i].type, cases[i].need, "{}");
        assert_int_equal(json_object_size(json_object_get(mail, "data")), cases[i].facts);
        json_decref(mail);
    }
}

static void its_link_is_of_a_host_that_the_brand_allows(void **state)
{
    (void)state;
    static const struct {
        const char *brand, *url;
    } cases[] = {
        {"{}", "https://login.example.com/"},
        {"{\"link_hosts\": null}", "https://login.example.com/"},
        {"{\"link_hosts\": []}", "https://login.example.com/"},
        {"{\"link_hosts\": [\"id.acme.example\", \"x\"]}", "https://id.acme.example/"},
        {"{\"link_hosts\": [\"*.acme.example\"]}", "https://login.acme.example/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *mail = make("recovery_valid", "link", cases[i].brand);
        const char *url = json_string_value(json_object_get(json_object_get(mail, "data"), "url"));
        assert_memory_equal(url, cases[i].url, strlen(cases[i].url));
        json_decref(mail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_what_its_type_needs),
        cmocka_unit_test(knows_nothing_of_who_has_no_account),
        cmocka_unit_test(its_link_is_of_a_host_that_the_brand_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
