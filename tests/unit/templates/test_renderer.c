#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/clock.h"
#include "tests/unit/templates/renderer_fixture.h"

#define BENCH_ROUNDS 1000

static const char SHIPPED[] = REPOSITORY_ROOT "/templates";

// ---- our texts ------------------------------------------------------------------------------

static void renders_a_code(void **state)
{
    struct fixture *fixture = *state;
    assert_no_fault(fixture->faults);
    json_auto_t *data =
        json_pack("{s:s, s:s, s:s}", "code", CODE, "name", "Zo\u00eb <b>", "url", URL);
    struct render_request request = {.template = "login_code_valid",
                                     .data = data,
                                     .minutes_left = 15,
                                     .subject = "own",
                                     .text = "own",
                                     .html = "<p>own"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.locale, "en");
    assert_string_equal(mail.subject, "750046 for Brand");
    assert_string_equal(mail.text,
                        "Brand y\n# Sign in\nHi Zo\u00eb <b>, Enter it.\nCode: 750046\n15 "
                        "minutes\n");
    assert_string_equal(
        mail.html,
        "<html lang=\"en\" dir=\"ltr\" class=\"left en "
        "login_code_valid\">\n<!--Code 750046--><p>Hi Zo\u00eb &lt;b&gt;,</p>750046||\n\n"
        "</html>\n");
}

static void states_no_minutes_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    json_auto_t *data = json_pack("{s:i}", "code", 750046);
    struct render_request request = {.template = "login_code_valid", .data = data};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.text, "Brand y\n# Sign in\nHi, Enter it.\nCode: 750046\n");
    request.minutes_left = 1;
    struct rendered singular AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(singular.text, "\n1 minute\n"));
}

static void shows_a_link_where_the_catalog_has_a_button(void **state)
{
    struct fixture *fixture = *state;
    json_auto_t *data = json_pack("{s:s, s:s}", "code", CODE, "url", URL);
    struct render_request request = {
        .template = "verification_code_valid", .data = data, .minutes_left = 5};
    struct rendered both AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(both.text, "Brand y\nHi, Enter or click.\nCode: 750046\n"
                                   "Verify: https://auth.example.org/verify?flow=1&code=2 "
                                   "(auth.example.org)\n5 minutes\n");
    assert_non_null(
        strstr(both.html, "|https://auth.example.org/verify?flow&#61;1&amp;code&#61;2|"));

    request.template = "recovery_valid";
    struct rendered link AUTO_RENDERED = render(fixture->renderer, &request);
    assert_null(strstr(link.text, CODE));
    assert_non_null(strstr(link.text, "link 5"));

    request.template = "recovery_invalid";
    struct rendered notice AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(notice.text, "Brand y\nHi, No account.\n");
}

static void turns_with_the_language(void **state)
{
    struct fixture *fixture = *state;
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {
        .template = "login_code_valid", .data = data, .accept_language = "ar-EG,en;q=0.5"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.locale, "ar");
    assert_string_equal(mail.language, "ar");
    assert_non_null(strstr(mail.html, "lang=\"ar\" dir=\"rtl\" class=\"right ar"));
}

// A name in the other direction would turn the words around it, but a code is to be copied.
static void isolates_what_runs_the_other_way(void **state)
{
    static const struct {
        const char *locale, *code, *name, *subject, *greeting;
    } cases[] = {
        {"en", "AB12", "Zo\u00eb", "AB12 for Brand", "Hi Zo\u00eb,"},
        {"en", "1234", "\u0623\u062d\u0645\u062f", "1234 for Brand",
         "Hi \u2068\u0623\u062d\u0645\u062f\u2069,"},
        {"en", "1234", "\u05d3\u05df", "1234 for Brand", "Hi \u2068\u05d3\u05df\u2069,"},
        {"ar", "AB12", "Zo\u00eb", "AB12 \u2068Brand\u2069", "\u2068Zo\u00eb\u2069"},
        {"ar", "1234", "\u0623\u062d\u0645\u062f", "1234 \u2068Brand\u2069",
         "\u0623\u062d\u0645\u062f"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *data = json_pack("{s:s, s:s}", "code", cases[i].code, "name", cases[i].name);
        struct render_request request = {.template = "login_code_valid",
                                         .data = data,
                                         .locale = cases[i].locale,
                                         .minutes_left = 5};
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        char greeting[64];
        snprintf(greeting, sizeof(greeting), "<p>%s</p>", cases[i].greeting);
        assert_string_equal(mail.subject, cases[i].subject);
        assert_non_null(strstr(mail.html, greeting));
        assert_null(strstr(mail.text, "\u2068"
                                      "5"));
    }
}

static void never_takes_a_value_for_a_template(void **state)
{
    struct fixture *fixture = *state;
    json_auto_t *data = json_pack("{s:s, s:s}", "code", CODE, "name", "{{brand}} {code}");
    struct render_request request = {.template = "login_code_valid", .data = data};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(mail.text, "Hi {{brand}} {code},"));
}

// ---- Kratos' own texts ----------------------------------------------------------------------

static void falls_back_to_own_text(void **state)
{
    struct fixture *fixture = *state;
    assert_false(renderer_knows(fixture->renderer, "stub"));
    assert_true(renderer_knows(fixture->renderer, "recovery_invalid"));
    struct render_request request = {.template = "stub",
                                     .accept_language = "ar",
                                     .subject = "Own\r\nsubject",
                                     .text = "Line <1>\n\n\n750046\n",
                                     .html = "Line 1 750046"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.locale, "ar");
    assert_string_equal(mail.subject, "Own subject");
    assert_string_equal(mail.text, "Brand y\n\nLine <1>\n\n750046\n");
    assert_non_null(strstr(mail.html, "<i>Line &lt;1&gt;</i><i></i><i>750046</i>"));

    request.html = "<p>own <a href=\"https://a.example\">x</a></p>";
    struct rendered with_html AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(with_html.html, request.html));
    assert_non_null(strstr(with_html.html, "dir=\"rtl\""));
    assert_null(strstr(with_html.html, "<i>"));

    request.html = "Hi,\n\nclick <a href=\"https://a.example/\">here</a>";
    request.text = "Hi,\n\nclick https://a.example/\n";
    struct rendered bare AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(bare.html, "<i>Hi,</i><i></i><i>click https://a.example/</i>"));

    request.html = "<!doctype html><html><p>own</p><script>evil()</script></html>";
    struct rendered scripted AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(scripted.html, "<i>Hi,</i>"));
    assert_null(strstr(scripted.html, "evil"));

    request.html = "<!DOCTYPE html><html><p>own</p></html>";
    request.text = NULL;
    request.subject = NULL;
    struct rendered document AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(document.html, request.html);
    assert_string_equal(document.text, "Brand y\n\nown\n");
    assert_string_equal(document.subject, "\u2068Brand\u2069");

    request.subject = "\r\n \x01\t"; // nothing that anybody would see
    struct rendered unseen AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(unseen.subject, "\u2068Brand\u2069");
}

static void falls_back_where_code_or_link_is_unfit(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *template, *data;
    } cases[] = {
        {"login_code_valid", "{}"},
        {"login_code_valid", "{\"code\": \"1 2\"}"},
        {"login_code_valid", "{\"code\": null, \"url\": \"https://a.example/\"}"},
        {"recovery_valid", "{\"code\": \"123456\"}"},
        {"recovery_valid", "{\"url\": \"javascript:alert(1)\"}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *data = json_loads(cases[i].data, 0, NULL);
        struct render_request request = {
            .template = cases[i].template, .data = data, .subject = "s", .text = "Own words"};
        struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
        assert_string_equal(mail.subject, "s");
        assert_non_null(strstr(mail.text, "Own words"));

        request.text = " \n";
        assert_int_equal(refuse(fixture->renderer, &request), REFUSAL_NO_CONTENT);
    }
    struct render_request request = {.template = "login_code_valid", .text = "Own words"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_non_null(strstr(mail.text, "Own words"));
}

// ---- loading --------------------------------------------------------------------------------

static void lists_the_faults_of_all_files(void **state)
{
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "frame.text.mustache", "\n{{cod}}{{>absent}}");
    folder_write(fixture->dir, "frame.html.mustache", "{{#a}}");
    folder_write(fixture->dir, "odd.mustache", "");
    folder_write(fixture->dir, "brand.json", "{\n\"name\": \"\"}");
    folder_write(fixture->dir, "locales/en.json", "{");
    json_auto_t *faults = json_array();
    assert_null(renderer_load(fixture->dir, "fr", "Mars/Olympus", NULL, faults));
    assert_true(has_fault(faults, "frame.text.mustache:2", "no value named cod"));
    assert_true(has_fault(faults, "frame.text.mustache:2", "no partial named absent"));
    assert_true(has_fault(faults, "frame.html.mustache:1", "never ended"));
    assert_true(has_fault(faults, "odd.mustache", "must end in"));
    assert_true(has_fault(faults, "brand.json:2", "name is needed"));
    assert_true(has_fault(faults, "en.json:1", ""));
    assert_true(has_fault(faults, "locale", "fr.json"));
    assert_true(has_fault(faults, "timezone", "Mars/Olympus"));
}

static void names_what_a_folder_lacks(void **state)
{
    struct fixture *fixture = *state;
    folder_remove(fixture->dir);
    load(fixture);
    assert_null(fixture->renderer);
    assert_true(has_fault(fixture->faults, fixture->dir, "No such file"));
    assert_int_equal(json_array_size(fixture->faults), 1);
    folder_make(fixture->dir);
    load(fixture);
    assert_true(has_fault(fixture->faults, "brand.json", "cannot be opened"));
    folder_write(fixture->dir, "brand.json", BRAND);
    load(fixture);
    assert_true(has_fault(fixture->faults, fixture->dir, "lacks frame.text.mustache"));
    assert_true(has_fault(fixture->faults, fixture->dir, "lacks frame.html.mustache"));
    assert_true(has_fault(fixture->faults, "locales", ""));
}

static void finds_a_frame_without_the_code(void **state)
{
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "frame.html.mustache",
                 "{{link.url}}{{#own.lines}}{{text}}{{/own.lines}}");
    load(fixture);
    assert_null(fixture->renderer);
    assert_true(has_fault(fixture->faults, "frame.html.mustache",
                          "login_code_valid comes out in its HTML without"));
}

static void lets_the_caller_name_the_brand(void **state)
{
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": null, \"x\": 1, \"code_in_subject\": true}");
    struct renderer *renderer =
        renderer_load(fixture->dir, "EN", "Europe/Budapest", "Acme & Co", fixture->faults);
    assert_no_fault(fixture->faults);
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {.template = "login_code_valid", .data = data};
    struct rendered mail AUTO_RENDERED = render(renderer, &request);
    assert_string_equal(mail.subject, "750046 for Acme & Co");
    renderer_destroy(renderer);
}

// ---- what is shipped ------------------------------------------------------------------------

static void renders_what_is_shipped(void **state)
{
    (void)state;
    static const char *const locales[] = {"en", "de", "hu", "ar"};
    static const struct {
        const char *template, *shows;
    } cases[] = {
        {"login_code_valid", CODE},
        {"registration_code_valid", CODE},
        {"verification_code_valid", CODE},
        {"recovery_code_valid", CODE},
        {"verification_valid", "https://auth.example.org/verify"},
        {"recovery_valid", "https://auth.example.org/verify"},
        {"verification_code_invalid", "Acme"},
        {"recovery_code_invalid", "Acme"},
        {"verification_invalid", "Acme"},
        {"recovery_invalid", "Acme"},
        {"verifiable_address_changed", "Acme"},
        {"authenticator_key_added", "Acme"},
    };
    json_auto_t *faults = json_array();
    struct renderer *renderer = renderer_load(SHIPPED, "en", "UTC", "Acme", faults);
    assert_no_fault(faults);
    json_auto_t *data = json_pack("{s:s, s:s, s:s}", "code", CODE, "url", URL, "name", "Anna");
    struct render_request request = {.data = data, .minutes_left = 15};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t k = 0; k < sizeof(locales) / sizeof(locales[0]); k++) {
            request.template = cases[i].template;
            request.ui_locales = locales[k];
            assert_true(renderer_knows(renderer, request.template));
            struct rendered mail AUTO_RENDERED = render(renderer, &request);
            assert_string_equal(mail.locale, locales[k]);
            assert_non_null(strstr(mail.text, cases[i].shows));
            assert_non_null(strstr(mail.html, cases[i].shows));
            assert_non_null(strstr(mail.text, "Anna"));
            assert_null(strstr(mail.html, "{{"));
            // A locked phone shows subjects.
            if (strncmp(request.template, "recovery", 8) == 0)
                assert_null(strstr(mail.subject, CODE));
        }
    }

    request.template = "login_code_valid";
    int64_t began_us = clock_boot_us();
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        struct rendered mail = render(renderer, &request);
        rendered_finish(&mail);
    }
    print_message("one mail: %.1f us\n", (double)(clock_boot_us() - began_us) / BENCH_ROUNDS);
    renderer_destroy(renderer);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_small, remove_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(renders_a_code),
        TEST(states_no_minutes_it_does_not_know),
        TEST(shows_a_link_where_the_catalog_has_a_button),
        TEST(turns_with_the_language),
        TEST(isolates_what_runs_the_other_way),
        TEST(never_takes_a_value_for_a_template),
        TEST(falls_back_to_own_text),
        TEST(falls_back_where_code_or_link_is_unfit),
        TEST(lists_the_faults_of_all_files),
        TEST(names_what_a_folder_lacks),
        TEST(finds_a_frame_without_the_code),
        TEST(lets_the_caller_name_the_brand),
        cmocka_unit_test(renders_what_is_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
