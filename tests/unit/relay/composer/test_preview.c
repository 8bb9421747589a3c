// A canonical mail looked at in a language of one's choice.
#include "compose_fixture.h"

#include "relay/composer/preview.h"

static bool preview(struct composer *composer, const struct preview_choice *choice, json_t *mail,
                    struct preview *ret_preview, struct error *err)
{
    return preview_make(composer, &request, choice, mail, ret_preview, err);
}

static void shows_a_mail_in_any_language(void **state)
{
    static const char *const locales[] = {"en", "hu", "de"};
    for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_object_set_new(mail, "accept_language", json_string("fr, de, en, hu"));
        AUTO_PREVIEW struct preview got = {0};
        struct error err;
        const struct preview_choice choice = {.locale = locales[i]};
        if (!preview(*state, &choice, mail, &got, &err))
            fail_msg("%s", err.message);
        assert_null(got.park);
        assert_string_equal(got.rendered.locale, locales[i]);
        assert_non_null(strstr(got.rendered.text, "750046"));
        assert_non_null(strstr(got.rendered.html, "750046"));
        assert_true(got.rendered.subject[0]);
        assert_non_null(strstr(got.mime.data, "\r\nTo: Zoe@example.com\r\n"));
    }
}

static void takes_the_mails_own_language_without_a_choice(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    AUTO_PREVIEW struct preview got = {0};
    assert_true(preview(*state, &(struct preview_choice){0}, mail, &got, NULL));
    assert_string_equal(got.rendered.locale, "de");
}

static void says_why_there_is_no_mail(void **state)
{
    static const struct {
        const char *change, *park;
    } cases[] = {
        {"{\"to\":null}", "no_recipient"},
        {"{\"to\":\"a@b, c@d\"}", "bad_recipient"},
        {"{\"channel\":\"sms\",\"to\":\"+36301234567\"}", "unsupported_channel"},
        {"{\"data\":{}}", "no_content"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_auto_t *change = json(cases[i].change);
        json_object_update(mail, change);
        AUTO_PREVIEW struct preview got = {0};
        assert_true(preview(*state, &(struct preview_choice){.locale = "hu"}, mail, &got, NULL));
        assert_string_equal(got.park, cases[i].park);
        assert_null(got.rendered.text);
        assert_int_equal(got.mime.size, 0);
    }
}

static void parks_what_is_too_large(void **state)
{
    static char own[3 * 1024 * 1024];
    memset(own, 'x', sizeof(own) - 1);
    json_auto_t *mail = canonical("login_code_valid", "{}");
    json_object_set_new(mail, "fallback", json_pack("{s:s}", "text", own));
    AUTO_PREVIEW struct preview got = {0};
    assert_true(preview(*state, &(struct preview_choice){0}, mail, &got, NULL));
    assert_string_equal(got.park, "too_large");
    assert_null(got.rendered.text);
}

static void refuses_what_it_does_not_know(void **state)
{
    static const struct {
        struct preview_choice choice;
        const char *message;
    } cases[] = {
        {{.locale = "fr"}, "unknown_locale"},
        {{.locale = "de-CH"}, "unknown_locale"}, // a wish that fits is no catalog's tag
        {{.locale = ""}, "unknown_locale"},
        {{.brand = "nobody"}, "unknown_brand"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        AUTO_PREVIEW struct preview got = {0};
        struct error err;
        assert_false(preview(*state, &cases[i].choice, mail, &got, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void refuses_what_is_no_mail(void **state)
{
    json_auto_t *mail = json("{\"to\":\"zoe@example.com\"}");
    AUTO_PREVIEW struct preview got = {0};
    struct error err;
    assert_false(preview(*state, &(struct preview_choice){0}, mail, &got, &err));
    assert_string_equal(err.message, "data is missing");
    assert_false(preview(*state, &(struct preview_choice){0}, NULL, &got, &err));
    assert_string_equal(err.message, "the mail is no object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_a_mail_in_any_language),
        cmocka_unit_test(takes_the_mails_own_language_without_a_choice),
        cmocka_unit_test(says_why_there_is_no_mail),
        cmocka_unit_test(parks_what_is_too_large),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(refuses_what_is_no_mail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
