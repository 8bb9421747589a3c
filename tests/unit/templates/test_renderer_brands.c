#include "tests/unit/templates/renderer_fixture.h"

static void write_brand(struct fixture *fixture, const char *name, const char *json)
{
    char file[64];
    snprintf(file, sizeof(file), "brands/%s.json", name);
    folder_write(fixture->dir, file, json);
}

static void renders_under_the_brand_asked_for(void **state)
{
    struct fixture *fixture = *state;
    write_brand(fixture, "other",
                "{\"name\": \"Other\", \"clients\": [\"client-7\"], \"x\": \"z\"}");
    load(fixture);
    assert_no_fault(fixture->faults);
    static const struct {
        const char *brand, *id, *head;
    } cases[] = {
        {NULL, "default", "Brand y\n"},     {"default", "default", "Brand y\n"},
        {"other", "other", "Other z\n"},    {"client-7", "other", "Other z\n"},
        {"nobody", "default", "Brand y\n"},
    };
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct render_request request = {
            .template = "login_code_valid", .data = data, .brand = cases[i].brand};
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        assert_string_equal(mail.brand->id, cases[i].id);
        assert_memory_equal(mail.text, cases[i].head, strlen(cases[i].head));
    }
    assert_int_equal(renderer_brand_count(fixture->renderer), 2);
    assert_string_equal(renderer_brand(fixture->renderer, 0)->id, "default");
    assert_string_equal(renderer_brand(fixture->renderer, 1)->id, "other");
}

// What a locked phone shows is the brand's to choose, also where the subject is Kratos' own.
static void shows_the_code_outside_only_where_the_brand_wants_it(void **state)
{
    struct fixture *fixture = *state;
    write_brand(fixture, "closed", "{\"code_in_subject\": false}");
    write_brand(fixture, "half", "{\"code_in_subject\": {\"login_code_valid\": true}}");
    load(fixture);
    assert_no_fault(fixture->faults);
    static const struct {
        const char *brand, *template, *data, *subject, *preheader;
    } cases[] = {
        {NULL, "login_code_valid", "750046", "750046 for Brand", "Code 750046"},
        {"closed", "login_code_valid", "750046", "Sign in", "Inside"},
        {"half", "login_code_valid", "750046", "750046 for Brand", "Code 750046"},
        {"half", "verification_code_valid", "750046", "Verify", ""},
        {NULL, "verification_code_valid", "750046", "Verify", ""},
        // Kratos' own texts.
        {NULL, "login_code_valid", "", "Use code 750046", ""},
        {"closed", "login_code_valid", "", "Sign in", ""},
        {"half", "login_code_valid", "", "Use code 750046", ""},
        {"half", "verification_code_valid", "", "Verify", ""},
        {NULL, "custom_code_valid", "", "Use code 750046", ""},
        {"closed", "custom_code_valid", "", "From Brand", ""},
        {"closed", "custom", "", "Use code 750046", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *data = json_pack("{s:s}", "code", cases[i].data);
        struct render_request request = {.template = cases[i].template,
                                         .data = data,
                                         .brand = cases[i].brand,
                                         .subject = "Use code 750046",
                                         .text = "750046"};
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        char preheader[64];
        snprintf(preheader, sizeof(preheader), "<!--%s-->", cases[i].preheader);
        assert_string_equal(mail.subject, cases[i].subject);
        assert_non_null(strstr(mail.html, preheader));
    }
}

static void leaves_out_or_refuses_links_to_other_hosts(void **state)
{
    static const char own[] = "Own: https://evil.example/";
    static const struct {
        const char *template, *data, *text, *html;
        const char *want; // in the text
        enum refusal refusal;
    } cases[] = {
        // A code goes without the link, a link does not go.
        {"verification_code_valid", "{'code':'750046','url':'https://auth.acme.example/v'}", own,
         NULL, "Verify: https://auth.acme.example/v", REFUSAL_NONE},
        {"verification_code_valid", "{'code':'750046','url':'https://evil.example/'}", own, NULL,
         "Enter or click.\nCode: 750046\n", REFUSAL_NONE},
        {"recovery_valid", "{'url':'https://login.other.example/v'}", own, NULL,
         "Recover: https://login.other.example/v", REFUSAL_NONE},
        {"recovery_valid", "{'url':'https://evil.example/'}", "Own", NULL, NULL,
         REFUSAL_LINK_NOT_ALLOWED},
        {"recovery_valid", "{'url':'https://evil.example/'}", NULL, NULL, NULL,
         REFUSAL_LINK_NOT_ALLOWED},
        {"recovery_valid", "{'url':'https://other.example/'}", own, NULL, NULL,
         REFUSAL_LINK_NOT_ALLOWED},
        // One that is no link is none, and Kratos' own words are looked at.
        {"recovery_valid", "{'url':'javascript:x'}", own, NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        {"recovery_valid", "{'url':'javascript:x'}", "Own", NULL, "Own", REFUSAL_NONE},
        {"recovery_valid", "{'url':'javascript:x'}", NULL, NULL, NULL, REFUSAL_NO_CONTENT},
        {"login_code_valid", "{}", own, NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        // A code type's forbidden link says nothing of its own words: without its code they go.
        {"verification_code_valid", "{'url':'https://evil.example/'}", "Own", NULL, "Own",
         REFUSAL_NONE},
        {"verification_code_valid", "{'url':'https://evil.example/'}", NULL, NULL, NULL,
         REFUSAL_NO_CONTENT},
        {"login_code_valid", "{}", "Own: https://AUTH.acme.example./x", NULL, "Own: https",
         REFUSAL_NONE},
        {"custom", "{}", "see (http://auth.acme.example:80), or not", NULL, "see (http",
         REFUSAL_NONE},
        {"custom", "{}", "HTTP://evil.example", NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        {"custom", "{}", "ht\x01tps://evil.example", NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        {"custom", "{}", "www.evil.example/x", NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        {"custom", "{}", "Hello\n\nvisit ev\x01il.example", NULL, NULL, REFUSAL_LINK_NOT_ALLOWED},
        {"custom", "{}", NULL, "<p>a <a href=\"https://evil.example\">b</a>", NULL,
         REFUSAL_LINK_NOT_ALLOWED},
        {"custom", "{}", NULL, "<p>a <a href='https://auth.acme.example'>b</a>",
         "a b https://auth.acme.example", REFUSAL_NONE},
        // Where hosts are named, nobody's HTML is shown.
        {"custom", "{}", "Own", "<p>html <a href=\"https://evil.example\">b</a>", "Own",
         REFUSAL_NONE},
        {"custom", "{}", "Own", "<html><p>html https://evil.example</html>", "Own", REFUSAL_NONE},
    };
    struct fixture *fixture = *state;
    write_brand(fixture, "strict",
                "{\"link_hosts\": [\"auth.acme.example\", \"*.other.example\"]}");
    load(fixture);
    assert_no_fault(fixture->faults);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];
        snprintf(json, sizeof(json), "%s", cases[i].data);
        for (char *at = json; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        json_auto_t *data = json_loads(json, 0, NULL);
        assert_non_null(data);
        struct render_request request = {.template = cases[i].template,
                                         .data = data,
                                         .brand = "strict",
                                         .subject = "s",
                                         .text = cases[i].text,
                                         .html = cases[i].html};
        if (cases[i].refusal != REFUSAL_NONE) {
            if (refuse(fixture->renderer, &request) != cases[i].refusal)
                fail_msg("case %zu", i);
            continue;
        }
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        if (!strstr(mail.text, cases[i].want) || strstr(mail.html, "evil"))
            fail_msg("case %zu: %s\n%s", i, mail.text, mail.html);

        // Nobody else minds.
        request.brand = NULL;
        struct rendered free_mail AUTO_RENDERED = render(fixture->renderer, &request);
        assert_non_null(free_mail.text);
    }
}

static void refuses_links_in_kratos_own_subject(void **state)
{
    struct fixture *fixture = *state;
    write_brand(fixture, "strict", "{\"link_hosts\": [\"a.example\"]}");
    load(fixture);
    struct render_request request = {.template = "custom",
                                     .brand = "strict",
                                     .subject = "go to https://evil.example",
                                     .text = "Own"};
    assert_int_equal(refuse(fixture->renderer, &request), REFUSAL_LINK_NOT_ALLOWED);
    request.subject = "go to w\u202eww.e\u200bvil"; // as it will be shown
    assert_int_equal(refuse(fixture->renderer, &request), REFUSAL_LINK_NOT_ALLOWED);
    request.subject = "go to https://a.example";
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.subject, request.subject);
}

static void write_variant(struct fixture *fixture, const char *tag)
{
    char file[64];
    char catalog[sizeof(EN) + 64];
    snprintf(file, sizeof(file), "locales/%s.json", tag);
    snprintf(catalog, sizeof(catalog), "{\"locale\": \"%s\",%s", tag, strchr(EN, ',') + 1);
    folder_write(fixture->dir, file, catalog);
}

static void speaks_as_the_brand_does(void **state)
{
    struct fixture *fixture = *state;
    write_variant(fixture, "en-x-formal");
    write_brand(fixture, "stiff", "{\"address\": \"formal\", \"locale\": \"ar\"}");
    write_brand(fixture, "loose", "{\"address\": \"informal\", \"locale\": \"AR\"}");
    load(fixture);
    assert_no_fault(fixture->faults);
    static const struct {
        const char *brand, *accept, *otherwise, *locale, *want, *language;
    } cases[] = {
        {NULL, "en", NULL, NULL, "en", "en"},
        {"stiff", "en", NULL, NULL, "en-x-formal", "en"},
        {"stiff", "en-x-informal", NULL, NULL, "en-x-formal", "en"},
        {"loose", "en-x-formal", NULL, NULL, "en", "en"},
        {NULL, "en-x-formal", NULL, NULL, "en", "en"},
        // Who has no wish: the mail's own default, then the brand's, then ours.
        {NULL, NULL, NULL, NULL, "en", "en"},
        {"loose", NULL, NULL, NULL, "ar", "ar"},
        {"loose", "xx", NULL, NULL, "ar", "ar"},
        {"stiff", NULL, "en", NULL, "en-x-formal", "en"},
        {"stiff", NULL, "xx", NULL, "ar", "ar"},
        // A preview takes what it names, whatever the reader wants: a language as the brand speaks
        // it, or a variant whatever the brand wants.
        {NULL, "ar", NULL, "en-x-formal", "en-x-formal", "en"},
        {"loose", "ar", NULL, "en-x-formal", "en-x-formal", "en"},
        {NULL, "ar", NULL, "EN-X-Formal", "en-x-formal", "en"},
        {NULL, "ar", NULL, "en", "en", "en"},
        {"stiff", "ar", NULL, "en", "en-x-formal", "en"},
        {"loose", "ar", NULL, "en", "en", "en"},
        {"stiff", "en", NULL, "ar", "ar", "ar"},
        {"stiff", "en", NULL, "xx", "en-x-formal", "en"},
    };
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct render_request request = {.template = "login_code_valid",
                                         .data = data,
                                         .brand = cases[i].brand,
                                         .accept_language = cases[i].accept,
                                         .default_locale = cases[i].otherwise,
                                         .locale = cases[i].locale};
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        char html[64];
        snprintf(html, sizeof(html), "<html lang=\"%s\"", cases[i].language);
        assert_string_equal(mail.locale, cases[i].want);
        assert_string_equal(mail.language, cases[i].language);
        assert_non_null(strstr(mail.html, html));
    }
}

static void knows_a_variant_by_its_tag_in_any_case(void **state)
{
    struct fixture *fixture = *state;
    write_variant(fixture, "EN-X-Formal");
    write_brand(fixture, "stiff", "{\"address\": \"formal\"}");
    load(fixture);
    assert_no_fault(fixture->faults);
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {
        .template = "login_code_valid", .data = data, .brand = "stiff", .accept_language = "en"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.locale, "EN-X-Formal");
}

static void wants_default_locales_to_be_there(void **state)
{
    struct fixture *fixture = *state;
    write_variant(fixture, "en-x-formal");
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"B\", \"x\": \"y\",\n\"locale\": \"fr\"}");
    write_brand(fixture, "heir", "{}");
    write_brand(fixture, "own", "{\"locale\": \"en-x-formal\"}");
    json_auto_t *faults = json_array();
    assert_null(renderer_load(fixture->dir, "en-x-formal", "UTC", NULL, faults));
    assert_true(has_fault(faults, "/brand.json:2", "there is no catalog locales/fr.json"));
    assert_true(has_fault(faults, "brands/own.json:1", "for a brand's address to choose; name en"));
    assert_true(has_fault(faults, "locale", "for a brand's address to choose; name en"));
    assert_int_equal(json_array_size(faults), 3);

    // A file that is broken is there.
    json_array_clear(faults);
    folder_remove(fixture->dir);
    mkdir(fixture->dir, 0700);
    write_small(fixture);
    folder_write(fixture->dir, "locales/en.json", "{");
    assert_null(renderer_load(fixture->dir, "en", "UTC", NULL, faults));
    assert_true(has_fault(faults, "en.json:1", "expected"));
    assert_int_equal(json_array_size(faults), 1);
}

// A frame that forgets what a brand's mails need.
static void tries_every_brand(void **state)
{
    struct fixture *fixture = *state;
    write_brand(fixture, "lone", "{\"link_hosts\": [\"acme.example\"]}");
    write_brand(fixture, "strict", "{\"link_hosts\": [\"*.acme.example\"]}");
    load(fixture);
    assert_no_fault(fixture->faults);
    folder_write(fixture->dir, "frame.text.mustache",
                 "{{code}} {{link.url}}{{#own.lines}}{{text}}{{/own.lines}}");
    load(fixture);
    assert_no_fault(fixture->faults);
    write_brand(fixture, "bare", "{\"x\": \"\"}");
    folder_write(
        fixture->dir, "frame.text.mustache",
        "{{#brand.x}}{{code}} {{link.url}}{{/brand.x}}{{#own.lines}}{{text}}{{/own.lines}}");
    load(fixture);
    assert_true(has_fault(fixture->faults, "frame.text.mustache",
                          "recovery_valid comes out in its text without"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_small, remove_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(renders_under_the_brand_asked_for),
        TEST(shows_the_code_outside_only_where_the_brand_wants_it),
        TEST(leaves_out_or_refuses_links_to_other_hosts),
        TEST(refuses_links_in_kratos_own_subject),
        TEST(speaks_as_the_brand_does),
        TEST(knows_a_variant_by_its_tag_in_any_case),
        TEST(wants_default_locales_to_be_there),
        TEST(tries_every_brand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
