// What a canonical mail, or a payload, is composed to.
#include "compose_fixture.h"

#define LACKS_TEXTS "there are no texts of its type, and it has none of its own (fallback)"
#define LACKS_CODE                                                                                 \
    "the texts of its type need a code or a link (data.code, data.url), and it has neither that "  \
    "nor a text of its own (fallback)"

static void composes_a_mail(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    AUTO_COMPOSITION struct composition composition;
    json_t *mails = compose(*state, "{\"body\":\"x\"}", mail, &composition);
    assert_int_equal(json_array_size(mails), 1);
    json_t *got = json_array_get(mails, 0);
    assert_string_equal(text(got, "channel"), "email");
    assert_string_equal(text(got, "template"), "login_code_valid");
    assert_string_equal(text(got, "lane"), "code");
    assert_string_equal(text(got, "locale"), "de");
    assert_string_equal(text(got, "recipient"), "Zoe@example.com");
    assert_string_equal(text(got, "sender"), "no-reply@acme.example");
    assert_true(json_is_true(json_object_get(got, "coded")));
    assert_true(json_is_null(json_object_get(got, "park")));
    assert_int_equal(strlen(text(got, "content_digest")), 64);
    assert_int_equal(composition.blob_count, 3);
    assert_string_equal(composition.blobs[json_integer_value(json_object_get(got, "mask"))].data,
                        "750046\n");
    const char *bytes = composition.blobs[json_integer_value(json_object_get(got, "mime"))].data;
    assert_non_null(strstr(bytes, "\r\nContent-Language: de\r\n"));
    assert_non_null(strstr(bytes, "750046"));
}

static void takes_the_lifetime_from_the_best_place(void **state)
{
    static const struct {
        const char *template;
        int minutes; // the payload's; 0: none
        int want;
    } cases[] = {
        {"login_code_valid", 15, 15},
        {"login_code_valid", 30, 20},
        {"login_code_valid", 0, 20},
        {"recovery_code_valid", 45, 45},
        {"recovery_code_valid", 0, 60},
        {"recovery_code_invalid", 0, 24 * 60},
        {"authenticator_key_added", 0, 48 * 60},
        {"brand_new", 0, 60},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical(cases[i].template, "{\"code\":\"750046\"}");
        if (cases[i].minutes)
            json_object_set_new(mail, "expires_in_minutes", json_integer(cases[i].minutes));
        AUTO_COMPOSITION struct composition composition;
        json_t *mails = compose(*state, "{}", mail, &composition);
        json_int_t got =
            json_integer_value(json_object_get(json_array_get(mails, 0), "lifetime_ms"));
        assert_int_equal(got, cases[i].want * MINUTE_MS);
    }
}

static void parks_what_cannot_be_a_mail(void **state)
{
    static const struct {
        const char *change, *park;
        size_t blobs;
        const char *detail;
    } cases[] = {
        {"{\"to\":null}", "no_recipient", 1, NULL},
        {"{\"to\":\"\"}", "no_recipient", 1, NULL},
        {"{\"to\":\"a@b, c@d\"}", "bad_recipient", 1, NULL},
        {"{\"channel\":\"sms\",\"to\":\"+36301234567\"}", "unsupported_channel", 1, NULL},
        {"{\"channel\":\"http\"}", "unsupported_channel", 1, NULL},
        {"{\"channel\":\"fax\"}", "not_canonical", 0, "channel is none of email, sms and http"},
        {"{\"data\":null}", "not_canonical", 0, "data is no object"},
        {"{\"data\":{}}", "no_content", 1, LACKS_CODE},
        {"{\"template\":\"brand_new\"}", "no_content", 1, LACKS_TEXTS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_auto_t *change = json(cases[i].change);
        json_object_update(mail, change);
        AUTO_COMPOSITION struct composition composition;
        json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
        if (!text(got, "park") || strcmp(text(got, "park"), cases[i].park) != 0)
            fail_msg("%s: %s", cases[i].change, text(got, "park"));
        assert_true(json_is_null(json_object_get(got, "mime")));
        assert_int_equal(composition.blob_count, cases[i].blobs);
        assert_string_equal(text(got, "lane"), "code");
        if (cases[i].detail)
            assert_string_equal(text(got, "detail"), cases[i].detail);
        else
            assert_null(text(got, "detail"));
    }
}

// Every result of an operator's function that is not as it should be: what comes of it.
static void has_an_outcome_for_every_wrong_result(void **state)
{
    static const struct {
        const char *change;
        const char *park; // NULL: it goes
        const char *detail;
    } cases[] = {
        {"{\"to\":[\"a@b.example\",\"c@d.example\"]}", "not_canonical", "to is no text"},
        {"{\"to\":[\"a@b.example\"]}", "not_canonical", "to is no text"},
        {"{\"to\":{\"email\":\"a@b.example\"}}", "not_canonical", "to is no text"},
        {"{\"to\":5}", "not_canonical", "to is no text"},
        {"{\"to\":\"a@b.example,c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"a@b.example, c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"a@b.example;c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"a@b.example c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"a@b.example\\r\\nBcc: c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"a@b.example>,<c@d.example\"}", "bad_recipient", NULL},
        {"{\"to\":\"nobody\"}", "bad_recipient", NULL},
        {"{\"channel\":\"fax\"}", "not_canonical", "channel is none of email, sms and http"},
        {"{\"channel\":\"Email\"}", "not_canonical", "channel is none of email, sms and http"},
        {"{\"channel\":[\"email\"]}", "not_canonical", "channel is no text"},
        {"{\"channel\":null}", NULL, NULL},
        {"{\"template\":null}", "no_content", LACKS_TEXTS},
        {"{\"template\":[\"login_code_valid\"]}", "no_content", LACKS_TEXTS},
        {"{\"data\":\"750046\"}", "not_canonical", "data is no object"},
        {"{\"data\":[]}", "not_canonical", "data is no object"},
        {"{\"data\":{\"code\":null}}", "no_content", LACKS_CODE},
        {"{\"data\":{\"code\":[\"750046\"]}}", "no_content", LACKS_CODE},
        {"{\"data\":{\"code\":\"750046\",\"name\":{\"a\":1},\"url\":5}}", NULL, NULL},
        {"{\"locales\":\"hu\"}", NULL, NULL},
        {"{\"locales\":[null,5,{},\"hu\"]}", NULL, NULL},
        {"{\"accept_language\":[\"hu\"]}", NULL, NULL},
        {"{\"timezone\":{},\"brand\":[],\"http\":7,\"identity_id\":false}", NULL, NULL},
        {"{\"expires_in_minutes\":\"15\"}", NULL, NULL},
        {"{\"fallback\":[]}", "not_canonical", "fallback is no object"},
        {"{\"fallback\":{\"html\":[]}}", "not_canonical", "fallback: html is no text"},
        {"{\"fallback\":null,\"locales\":null,\"timezone\":null,\"brand\":null,\"http\":null,"
         "\"accept_language\":null,\"identity_id\":null,\"expires_in_minutes\":null}",
         NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_auto_t *change = json(cases[i].change);
        json_object_update(mail, change);
        AUTO_COMPOSITION struct composition composition;
        json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
        const char *park = text(got, "park"), *detail = text(got, "detail");
        if (strcmp(park ? park : "", cases[i].park ? cases[i].park : "") != 0 ||
            strcmp(detail ? detail : "", cases[i].detail ? cases[i].detail : "") != 0)
            fail_msg("%s: %s, %s", cases[i].change, park, detail);
        assert_int_equal(json_is_null(json_object_get(got, "mime")), cases[i].park != NULL);
    }
}

// A stranger chooses these; they are wishes, and no mail is lost to one.
static void a_huge_wish_is_left_out_and_the_mail_goes(void **state)
{
    static const char *const keys[] = {"locales", "timezone", "accept_language", "identity_id"};
    size_t size = 600000;
    char *huge = calloc(1, size + 1);
    memset(huge, 'x', size);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_t *wish = i == 0 ? json_pack("[s, s]", huge, "hu") : json_string(huge);
        json_object_set_new(mail, keys[i], wish);
        AUTO_COMPOSITION struct composition composition;
        json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
        assert_null(text(got, "park"));
        assert_true(composition.blobs[0].size < 4096);
    }
    free(huge);
}

static void sends_an_unknown_type_with_its_own_text(void **state)
{
    json_auto_t *mail = canonical("brand_new", "{}");
    json_object_set_new(mail, "fallback", json("{\"subject\":\"Own\",\"text\":\"Words.\"}"));
    AUTO_COMPOSITION struct composition composition;
    json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
    assert_null(text(got, "park"));
    assert_true(json_is_true(json_object_get(got, "coded")));
    assert_non_null(strstr(composition.blobs[1].data, "\r\nSubject: Own\r\n"));
}

static void knows_what_supersedes(void **state)
{
    static const char headers[] = "{\"request_headers\":{\"User-Agent\":[\"Firefox\"]}}";
    static const char link[] = "{\"url\":\"https://x/?flow=0f3c-9a&token=t\"}";
    static const struct {
        const char *template, *data, *document, *want;
    } cases[] = {
        {"recovery_valid", link, headers, "flow:recovery_valid:0f3c-9a"},
        {"recovery_valid", link, "{}", "flow:recovery_valid:0f3c-9a"},
        {"recovery_valid", "{\"url\":\"https://x/?flow=a%22b\"}", "{}", NULL},
        {"login_code_valid", "{\"code\":\"750046\"}", "{}", NULL},
        {"authenticator_key_added", link, headers, NULL},
        {"recovery_code_invalid", "{}", headers, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical(cases[i].template, cases[i].data);
        AUTO_COMPOSITION struct composition composition;
        json_t *got = json_array_get(compose(*state, cases[i].document, mail, &composition), 0);
        const char *supersede = text(got, "supersede");
        assert_int_equal(supersede != NULL, cases[i].want != NULL);
        if (supersede)
            assert_string_equal(supersede, cases[i].want);
    }
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    AUTO_COMPOSITION struct composition composition;
    json_t *got = json_array_get(compose(*state, headers, mail, &composition), 0);
    // printf 'login_code_valid\0zoe@example.com\0Firefox\0\0' | sha256sum
    assert_string_equal(text(got, "supersede"),
                        "browser:"
                        "964d745aff3abe426cb73f7357ef2ffb2277d0d267fac3c5ea9d70dd711c6085");
}

static void splits_an_array(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    json_auto_t *results = json_array();
    for (int i = 0; i < MAIL_COUNT_MAX; i++)
        json_array_append(results, mail);
    AUTO_COMPOSITION struct composition composition;
    json_t *mails = compose(*state, "{}", results, &composition);
    assert_int_equal(json_array_size(mails), MAIL_COUNT_MAX);
    assert_int_equal(composition.blob_count, 3 * MAIL_COUNT_MAX);
    assert_non_null(strstr(composition.blobs[1].data, "-eeeeffff0001@acme"));
    assert_non_null(strstr(composition.blobs[46].data, "-eeeeffff0001-15@acme"));

    json_array_append(results, mail);
    json_auto_t *payload = json("{}");
    struct composition none;
    struct error err;
    assert_false(compose_payload(*state, &request, payload, results, &none, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

static void fills_in_a_routes_defaults(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    json_object_set_new(mail, "locales", json("[]"));
    json_object_set_new(mail, "expires_in_minutes", json_null());
    json_auto_t *other = canonical("login_code_valid", "{\"code\":\"830175\"}");
    json_object_set_new(other, "expires_in_minutes", json_integer(5));
    json_auto_t *results = json_pack("[O, O]", mail, other);
    json_auto_t *defaults = json("{\"template\":\"welcome\",\"default_locale\":\"hu\","
                                 "\"expires_in_minutes\":7,\"timezone\":\"Europe/Budapest\"}");
    struct compose_request with_defaults = request;
    with_defaults.defaults = defaults;
    json_auto_t *payload = json("{}");
    AUTO_COMPOSITION struct composition composition;
    struct error err;
    assert_true(compose_payload(*state, &with_defaults, payload, results, &composition, &err));
    static const struct {
        const char *locale, *source;
        int minutes;
    } want[] = {{"hu", "default", 7}, {"de", "payload", 5}};
    for (size_t i = 0; i < 2; i++) {
        json_t *got = json_array_get(composition.mails, i);
        assert_string_equal(text(got, "template"), "login_code_valid");
        assert_string_equal(text(got, "locale"), want[i].locale);
        assert_string_equal(text(got, "locale_source"), want[i].source);
        assert_int_equal(json_integer_value(json_object_get(got, "lifetime_ms")),
                         want[i].minutes * MINUTE_MS);
    }
    // What is stored has them, so that a later attempt is the same mail.
    json_auto_t *stored = json(composition.blobs[0].data);
    assert_string_equal(text(stored, "timezone"), "Europe/Budapest");
    assert_int_equal(json_integer_value(json_object_get(stored, "expires_in_minutes")), 7);
}

static void has_nothing_to_send(void **state)
{
    static const char *const results[] = {"[null]", "[[]]"};
    for (size_t i = 0; i < 2; i++) {
        json_auto_t *wrapped = json(results[i]);
        AUTO_COMPOSITION struct composition composition;
        json_t *mails = compose(*state, "{}", json_array_get(wrapped, 0), &composition);
        assert_int_equal(json_array_size(mails), 0);
    }
}

static void renders_a_stored_mail_again(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    json_object_set_new(mail, "expires_in_minutes", json_integer(15));
    AUTO_COMPOSITION struct composition first;
    compose(*state, "{}", mail, &first);
    json_auto_t *stored = json(first.blobs[0].data);

    struct compose_request later = request;
    later.elapsed_ms = 5 * MINUTE_MS;
    AUTO_COMPOSITION struct composition second;
    struct error err;
    assert_true(compose_render(*state, &later, stored, &second, &err));
    json_t *got = json_array_get(second.mails, 0);
    assert_null(text(got, "content_digest"));
    assert_null(text(got, "supersede"));
    assert_int_equal(json_integer_value(json_object_get(got, "lifetime_ms")), 15 * MINUTE_MS);
    assert_string_equal(second.blobs[0].data, first.blobs[0].data);
    assert_non_null(strstr(first.blobs[1].data, "15 Min"));
    assert_non_null(strstr(second.blobs[1].data, "10 Min"));
}

// A wish that we serve goes before a route's language, that before the settings'; and so again.
static void speaks_a_routes_language_to_who_has_no_wish_that_is_served(void **state)
{
    static const struct {
        const char *change, *want;
    } cases[] = {
        {"{}", "hu"},
        {"{\"locales\":[\"fr\"]}", "hu"},
        {"{\"locales\":[\"de\"]}", "de"},
        {"{\"accept_language\":\"fr, de;q=0.2\"}", "de"},
        {"{\"accept_language\":\"fr\"}", "hu"},
        {"{\"data\":{\"code\":\"750046\",\"request_url\":\"https://x/?lang=de\"}}", "de"},
        {"{\"default_locale\":\"de-AT\"}", "de"}, // the normaliser's own
        {"{\"default_locale\":\"\"}", "hu"},
        {"{\"default_locale\":\"fr\"}", "en"},
        {"{\"default_locale\":[\"de\"]}", "en"},
    };
    json_auto_t *defaults = json("{\"default_locale\":\"hu\"}"), *payload = json("{}");
    struct compose_request with_defaults = request;
    with_defaults.defaults = defaults;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_object_del(mail, "locales");
        json_auto_t *change = json(cases[i].change);
        json_object_update(mail, change);
        AUTO_COMPOSITION struct composition first, second;
        struct error err;
        assert_true(compose_payload(*state, &with_defaults, payload, mail, &first, &err));
        const char *locale = text(json_array_get(first.mails, 0), "locale");
        if (strcmp(locale, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].change, locale);
        json_auto_t *stored = json(first.blobs[0].data);
        assert_true(compose_render(*state, &request, stored, &second, &err));
        assert_string_equal(text(json_array_get(second.mails, 0), "locale"), cases[i].want);
    }
}

static void parks_what_is_no_json(void **state)
{
    AUTO_COMPOSITION struct composition composition;
    struct error err;
    assert_true(compose_unparseable(*state, "{", 1, &composition, &err));
    json_t *got = json_array_get(composition.mails, 0);
    assert_string_equal(text(got, "park"), "unparseable");
    assert_string_equal(text(got, "lane"), "code");
    assert_true(json_is_null(json_object_get(got, "canonical")));
    assert_int_equal(composition.blob_count, 0);
}

static void names_every_wrong_setting(void **state)
{
    (void)state;
    const struct composer_settings settings = {
        .templates_dir = REPOSITORY_ROOT "/templates",
        .default_locale = "tlh",
        .timezone = "UTC",
        .mail_from = "nobody",
    };
    json_auto_t *faults = json_array();
    assert_null(composer_create(&settings, faults));
    assert_true(json_array_size(faults) >= 2);
    assert_string_equal(text(json_array_get(faults, 0), "where"), "mail_from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composes_a_mail),
        cmocka_unit_test(takes_the_lifetime_from_the_best_place),
        cmocka_unit_test(parks_what_cannot_be_a_mail),
        cmocka_unit_test(has_an_outcome_for_every_wrong_result),
        cmocka_unit_test(a_huge_wish_is_left_out_and_the_mail_goes),
        cmocka_unit_test(sends_an_unknown_type_with_its_own_text),
        cmocka_unit_test(knows_what_supersedes),
        cmocka_unit_test(splits_an_array),
        cmocka_unit_test(fills_in_a_routes_defaults),
        cmocka_unit_test(has_nothing_to_send),
        cmocka_unit_test(renders_a_stored_mail_again),
        cmocka_unit_test(speaks_a_routes_language_to_who_has_no_wish_that_is_served),
        cmocka_unit_test(parks_what_is_no_json),
        cmocka_unit_test(names_every_wrong_setting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
