#include "relay/composer/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/kind.h"
#include "relay/composer/query.h"

static json_t *json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("%s in %s", error.text, text);
    return value;
}

static void reads_every_field(void **state)
{
    (void)state;
    json_auto_t *canonical =
        json("{\"channel\":\"email\",\"template\":\"login_code_valid\",\"to\":\"a@b\","
             "\"data\":{\"code\":\"123456\",\"url\":\"https://x/?flow=1\"},\"locales\":[\"hu\"],"
             "\"accept_language\":\"de\",\"timezone\":\"Europe/Budapest\",\"identity_id\":\"7c0f\","
             "\"default_locale\":\"de-AT\","
             "\"expires_in_minutes\":15,\"fallback\":{\"subject\":\"s\",\"text\":\"t\",\"html\":"
             "\"h\"}}");
    struct mail mail;
    struct error err;
    assert_true(mail_read(canonical, &mail, &err));
    assert_int_equal(mail.channel, MAIL_EMAIL);
    assert_string_equal(mail.template, "login_code_valid");
    assert_string_equal(mail.to, "a@b");
    assert_string_equal(mail_data_text(&mail, "code"), "123456");
    assert_int_equal(json_array_size(mail.locales), 1);
    assert_string_equal(mail.accept_language, "de");
    assert_string_equal(mail.default_locale, "de-AT");
    assert_string_equal(mail.timezone, "Europe/Budapest");
    assert_string_equal(mail.identity_id, "7c0f");
    assert_int_equal(mail.lifetime_ms, 15 * 60000);
    assert_string_equal(mail.subject, "s");
    assert_string_equal(mail.text, "t");
    assert_string_equal(mail.html, "h");
    assert_true(mail_has_secret(&mail));
}

static void refuses_what_is_no_canonical_mail(void **state)
{
    (void)state;
    static const struct {
        const char *canonical, *want;
    } cases[] = {
        {"[]", "the mail is no object"},
        {"\"x\"", "the mail is no object"},
        {"1", "the mail is no object"},
        {"{}", "data is missing"},
        {"{\"data\":[]}", "data is no object"},
        {"{\"data\":{},\"channel\":\"fax\"}", "channel is none of email, sms and http"},
        {"{\"data\":{},\"channel\":1}", "channel is no text"},
        {"{\"data\":{},\"to\":[\"a@b\",\"c@d\"]}", "to is no text"},
        {"{\"data\":{},\"to\":\"a@b\\u0000c\"}", "to holds a NUL"},
        {"{\"data\":{},\"fallback\":\"secret\"}", "fallback is no object"},
        {"{\"data\":{},\"fallback\":{\"text\":5}}", "fallback: text is no text"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *canonical = json(cases[i].canonical);
        struct mail mail;
        struct error err = {0};
        if (mail_read(canonical, &mail, &err))
            fail_msg("accepted: %s", cases[i].canonical);
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(err.message, cases[i].want);
    }
}

static void leaves_out_wrong_details(void **state)
{
    (void)state;
    json_auto_t *canonical = json(
        "{\"data\":{\"code\":7},\"to\":null,\"template\":\"../../etc/x\\n\",\"locales\":\"hu\","
        "\"accept_language\":[1],\"timezone\":{\"a\":1},\"identity_id\":5,"
        "\"expires_in_minutes\":\"15\",\"fallback\":null}");
    struct mail mail;
    struct error err;
    assert_true(mail_read(canonical, &mail, &err));
    assert_string_equal(mail.template, MAIL_TEMPLATE_UNKNOWN);
    assert_null(mail.to);
    assert_null(mail.locales);
    assert_null(mail.accept_language);
    assert_null(mail.default_locale);
    assert_null(mail.timezone);
    assert_null(mail.identity_id);
    assert_int_equal(mail.lifetime_ms, 0);
    assert_null(mail_data_text(&mail, "code"));
    assert_true(mail_has_secret(&mail));
}

static void bounds_minutes(void **state)
{
    (void)state;
    static const struct {
        const char *minutes;
        int64_t want_ms;
    } cases[] = {
        {"0", 0}, {"-5", 0}, {"0.5", 30000}, {"15", 900000}, {"1e300", INT64_C(366) * 24 * 3600000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *canonical = json("{\"data\":{}}");
        json_object_set_new(canonical, "expires_in_minutes", json(cases[i].minutes));
        struct mail mail;
        struct error err;
        assert_true(mail_read(canonical, &mail, &err));
        assert_int_equal(mail.lifetime_ms, cases[i].want_ms);
    }
}

static void keeps_known_keys_alone(void **state)
{
    (void)state;
    json_auto_t *canonical =
        json("{\"data\":{\"a\":1},\"to\":\"x@y\",\"request_headers\":{"
             "\"Cookie\":[\"secret\"]},\"anything\":1,\"default_locale\":\"de\"}");
    json_auto_t *kept = mail_strip(canonical);
    json_auto_t *want = json("{\"data\":{\"a\":1},\"to\":\"x@y\",\"default_locale\":\"de\"}");
    assert_true(json_equal(kept, want));
}

static void a_zone_may_have_spaces_but_no_line_ends(void **state)
{
    (void)state;
    static const struct {
        const char *canonical;
        bool is_kept;
    } cases[] = {
        {"{\"data\":{},\"timezone\":\"Central Standard Time (Mexico)\"}", true},
        {"{\"data\":{},\"timezone\":\"Europe/Budapest\\n\"}", false},
        {"{\"data\":{},\"timezone\":\"\\u007f\"}", false},
        {"{\"data\":{},\"timezone\":\"\"}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *canonical = json(cases[i].canonical);
        json_auto_t *kept = mail_strip(canonical);
        struct mail mail;
        struct error err;
        assert_true(mail_read(canonical, &mail, &err));
        assert_int_equal(mail.timezone != NULL, cases[i].is_kept);
        assert_int_equal(json_object_get(kept, "timezone") != NULL, cases[i].is_kept);
    }
}

static void what_is_too_large_to_be_a_wish_is_not_kept(void **state)
{
    (void)state;
    char large[2001] = "";
    memset(large, 'x', sizeof(large) - 1);
    static const char *const keys[] = {"template",       "accept_language", "timezone",
                                       "default_locale", "identity_id",     "expires_in_minutes"};
    json_auto_t *canonical = json("{\"data\":{},\"to\":\"x@y\"}");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        json_object_set_new(canonical, keys[i], json_string(large));
    json_object_set_new(canonical, "locales",
                        json_pack("[s, s, i, [s], s]", "hu", large, 5, large, "German (Austria)"));
    json_auto_t *kept = mail_strip(canonical);
    json_auto_t *want =
        json("{\"data\":{},\"to\":\"x@y\",\"locales\":[\"hu\",\"German (Austria)\"]}");
    assert_true(json_equal(kept, want));

    json_object_set_new(canonical, "locales", json_string(large));
    json_auto_t *without = mail_strip(canonical);
    assert_null(json_object_get(without, "locales"));
    json_t *many = json_array();
    for (size_t i = 0; i < 33; i++)
        json_array_append_new(many, json_string("hu"));
    json_object_set_new(canonical, "locales", many);
    json_auto_t *fewer = mail_strip(canonical);
    assert_null(json_object_get(fewer, "locales"));
}

#define FIREFOX "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"

static void of_who_asked_two_words_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *given, *kept; // of the keys user_agent and client; NULL: nothing
        const char *browser, *system;
    } cases[] = {
        {"\"user_agent\":\"" FIREFOX "\"", "{\"browser\":\"Firefox\",\"system\":\"Windows\"}",
         "Firefox", "Windows"},
        {"\"client\":{\"browser\":\"Firefox\",\"system\":\"Windows\"}",
         "{\"browser\":\"Firefox\",\"system\":\"Windows\"}", "Firefox", "Windows"},
        {"\"client\":{\"browser\":\"Firefox\"}", "{\"browser\":\"Firefox\"}", "Firefox", NULL},
        {"\"client\":{\"system\":\"Linux\",\"ip\":\"192.0.2.1\"}", "{\"system\":\"Linux\"}", NULL,
         "Linux"},
        {"\"user_agent\":\"" FIREFOX "\",\"client\":{\"browser\":\"Chrome\",\"system\":\"Linux\"}",
         "{\"browser\":\"Firefox\",\"system\":\"Windows\"}", "Firefox", "Windows"},
        {"\"user_agent\":\"SECRET/1\",\"client\":{\"browser\":\"Chrome\",\"system\":\"Linux\"}",
         "{\"browser\":\"Chrome\",\"system\":\"Linux\"}", "Chrome", "Linux"},
        {"\"user_agent\":\"SECRET/1\"", NULL, NULL, NULL},
        {"\"user_agent\":[\"" FIREFOX "\"]", NULL, NULL, NULL},
        {"\"user_agent\":\"\"", NULL, NULL, NULL},
        {"\"user_agent\":5,\"client\":\"Firefox\"", NULL, NULL, NULL},
        {"\"client\":{\"browser\":\"SECRET\",\"system\":[\"Windows\"]}", NULL, NULL, NULL},
        {"\"client\":[\"Firefox\"]", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "{\"to\":\"x@y\",\"data\":{},%s}", cases[i].given);
        json_auto_t *canonical = json(text);
        struct mail mail;
        struct error err;
        assert_true(mail_read(canonical, &mail, &err));
        assert_true(mail.client.browser == user_agent_word(cases[i].browser));
        assert_true(mail.client.system == user_agent_word(cases[i].system));
        json_auto_t *kept = mail_strip(canonical);
        assert_null(json_object_get(kept, "user_agent"));
        json_auto_t *want = cases[i].kept ? json(cases[i].kept) : NULL;
        if (want ? !json_equal(json_object_get(kept, "client"), want)
                 : json_object_get(kept, "client") != NULL)
            fail_msg("%s: %s", cases[i].given, json_dumps(kept, 0));
    }
}

static void a_header_of_any_length_is_kept_by_none(void **state)
{
    (void)state;
    char header[2 * USER_AGENT_SIZE_MAX];
    memset(header, ' ', sizeof(header));
    memcpy(header, FIREFOX, strlen(FIREFOX));
    header[sizeof(header) - 1] = '\0';
    json_auto_t *canonical =
        json_pack("{s:s, s:{}, s:s}", "to", "x@y", "data", "user_agent", header);
    struct mail mail;
    struct error err;
    assert_true(mail_read(canonical, &mail, &err));
    assert_null(mail.client.browser);
    json_auto_t *kept = mail_strip(canonical);
    assert_int_equal(json_object_size(kept), 2);
    json_object_set_new(canonical, "user_agent", json_stringn(FIREFOX "\0x", sizeof(FIREFOX) + 1));
    assert_true(mail_read(canonical, &mail, &err));
    assert_null(mail.client.browser);
}

static void what_a_mail_is_known_by_is_kept_as_it_is(void **state)
{
    (void)state;
    json_auto_t *canonical = json(
        "{\"channel\":\"email\",\"template\":\"t\",\"to\":\"x@y\",\"data\":{\"a\":1},\"locales\":"
        "[\"hu\"],\"accept_language\":\"de, "
        "en;q=0.5\",\"default_locale\":\"de\",\"timezone\":\"UTC\","
        "\"identity_id\":\"7c0f\",\"brand\":\"acme\",\"client\":{\"browser\":\"Firefox\"},"
        "\"expires_in_minutes\":15,\"fallback\":{\"text\":\"t\"}}");
    json_auto_t *kept = mail_strip(canonical);
    assert_true(json_equal(kept, canonical));
}

static void takes_defaults_where_it_has_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *canonical, *defaults, *want;
    } cases[] = {
        {"{\"to\":\"a@b\"}", "{\"template\":\"t\"}", "{\"to\":\"a@b\",\"template\":\"t\"}"},
        {"{\"template\":null}", "{\"template\":\"t\"}", "{\"template\":\"t\"}"},
        {"{\"template\":\"own\"}", "{\"template\":\"t\"}", "{\"template\":\"own\"}"},
        {"{\"template\":\"\"}", "{\"template\":\"t\"}", "{\"template\":\"t\"}"},
        {"{\"template\":[]}", "{\"template\":\"t\"}", "{\"template\":\"t\"}"},
        {"{\"template\":{}}", "{\"template\":\"t\"}", "{\"template\":{}}"},
        {"{\"template\":[null]}", "{\"template\":\"t\"}", "{\"template\":[null]}"},
        {"{\"minutes\":0}", "{\"minutes\":5}", "{\"minutes\":0}"},
        {"{\"template\":false}", "{\"template\":\"t\"}", "{\"template\":false}"},
        {"{}", "{}", "{}"},
        {"[]", "{\"template\":\"t\"}", "[]"},
        {"null", "{\"template\":\"t\"}", "null"},
        {"\"x\"", "{\"template\":\"t\"}", "\"x\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *canonical = json(cases[i].canonical);
        json_auto_t *before = json(cases[i].canonical);
        json_auto_t *defaults = json(cases[i].defaults);
        json_auto_t *want = json(cases[i].want);
        json_auto_t *got = mail_with_defaults(canonical, defaults);
        if (!json_equal(got, want))
            fail_msg("%s with %s", cases[i].canonical, cases[i].defaults);
        assert_true(json_equal(canonical, before));
        json_auto_t *without = mail_with_defaults(canonical, NULL);
        assert_ptr_equal(without, canonical);
    }
}

static void knows_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *template, *lane;
        bool secret;
        int hours;
    } cases[] = {
        {"login_code_valid", "code", true, 1},
        {"verification_valid", "code", true, 1},
        {"recovery_code_invalid", "bulk", false, 24},
        {"verifiable_address_changed", "notice", false, 48},
        {"authenticator_key_added", "notice", false, 48},
        {"brand_new_type", "code", true, 1},
        {"", "code", true, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct kind *kind = kind_find(cases[i].template);
        assert_string_equal(kind_lane_name(kind->lane), cases[i].lane);
        assert_int_equal(kind->secret, cases[i].secret);
        assert_int_equal(kind_lane_lifetime_ms(kind->lane), cases[i].hours * 3600000);
    }
}

static void finds_query_values(void **state)
{
    (void)state;
    static const struct {
        const char *url, *name, *want;
    } cases[] = {
        {"https://x/y?flow=0f3c-1&token=a", "flow", "0f3c-1"},
        {"https://x/y?token=a&flow=b#flow=c", "flow", "b"},
        {"https://x/y#?flow=c", "flow", NULL},
        {"https://x/y?xflow=1&flow=", "flow", NULL},
        {"https://x/y?flow=&flow=2", "flow", "2"},
        {"https://x/y?ui_locales=es-MX%20en+de", "ui_locales", "es-MX en de"},
        {"https://x/y?lang=%0d%0aX", "lang", NULL},
        {"https://x/y?lang=%4", "lang", NULL},
        {"https://x/y?lang=%zz", "lang", NULL},
        {"https://x/y?lang=0123456789012345", "lang", NULL},
        {"https://x/y", "lang", NULL},
        {"?", "lang", NULL},
        {NULL, "lang", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char value[16] = "";
        bool found = query_value(cases[i].url, cases[i].name, value, sizeof(value));
        assert_int_equal(found, cases[i].want != NULL);
        if (found)
            assert_string_equal(value, cases[i].want);
    }
}

static unsigned until_failure;

static void *allocate_but_once(size_t size)
{
    return until_failure-- > 0 ? malloc(size) : NULL;
}

// Whichever allocation fails: no mail is stored that lacks what it came with.
static void without_memory_nothing_is_stripped(void **state)
{
    (void)state;
    json_auto_t *canonical =
        json("{\"to\":\"a@b\",\"data\":{},\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64; "
             "rv:128.0) Gecko/20100101 Firefox/128.0\",\"locales\":[\"a\",\"b\",\"c\",\"d\","
             "\"e\",\"f\",\"g\",\"h\",\"i\",\"hu\"]}");
    json_auto_t *whole = mail_strip(canonical);
    unsigned failures = 0;
    for (unsigned i = 0; i < 60; i++) {
        until_failure = i;
        json_set_alloc_funcs(allocate_but_once, free);
        json_auto_t *got = mail_strip(canonical);
        json_set_alloc_funcs(malloc, free);
        failures += !got;
        if (got && !json_equal(got, whole))
            fail_msg("allocation %u: %s", i, json_dumps(got, 0));
    }
    assert_in_range(failures, 10, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(refuses_what_is_no_canonical_mail),
        cmocka_unit_test(leaves_out_wrong_details),
        cmocka_unit_test(bounds_minutes),
        cmocka_unit_test(keeps_known_keys_alone),
        cmocka_unit_test(a_zone_may_have_spaces_but_no_line_ends),
        cmocka_unit_test(what_is_too_large_to_be_a_wish_is_not_kept),
        cmocka_unit_test(of_who_asked_two_words_are_kept),
        cmocka_unit_test(a_header_of_any_length_is_kept_by_none),
        cmocka_unit_test(what_a_mail_is_known_by_is_kept_as_it_is),
        cmocka_unit_test(without_memory_nothing_is_stripped),
        cmocka_unit_test(takes_defaults_where_it_has_nothing),
        cmocka_unit_test(knows_kinds),
        cmocka_unit_test(finds_query_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
