#include "relay/composer/fallback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s in %s", error.text, text);
    return value;
}

static void finds_the_known_places(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *want;
    } cases[] = {
        // raw ctx
        {"{\"recipient\":\"a@b\",\"subject\":\"S\",\"body\":\"T\",\"html_body\":\"H\","
         "\"message_type\":\"email\",\"template_type\":\"login_code_valid\",\"template_data\":{"
         "\"expires_in_minutes\":15,\"login_code\":\"750046\",\"identity\":{\"id\":\"7c0f\"},"
         "\"oauth2_login_request\":{\"client\":{\"client_id\":\"shop-web\"}}}}",
         "{\"channel\":\"email\",\"template\":\"login_code_valid\",\"to\":\"a@b\",\"data\":{},"
         "\"brand\":\"shop-web\","
         "\"identity_id\":\"7c0f\",\"expires_in_minutes\":15,"
         "\"fallback\":{\"subject\":\"S\",\"text\":\"T\",\"html\":\"H\"}}"},
        // v1.0
        {"{\"Recipient\":\"a@b\",\"Subject\":\"S\",\"Body\":\"T\","
         "\"TemplateType\":\"recovery_valid\",\"TemplateData\":{\"To\":\"a@b\","
         "\"Identity\":{\"id\":\"7c0f\"}}}",
         "{\"channel\":\"email\",\"template\":\"recovery_valid\",\"to\":\"a@b\",\"data\":{},"
         "\"identity_id\":\"7c0f\",\"expires_in_minutes\":null,"
         "\"fallback\":{\"subject\":\"S\",\"text\":\"T\"}}"},
        // the flat default body, and what an sms is
        {"{\"to\":\"+36301234567\",\"subject\":null,\"body\":\"T\",\"message_type\":\"sms\","
         "\"template_type\":\"stub\",\"recovery_code\":null}",
         "{\"channel\":\"sms\",\"template\":\"stub\",\"to\":\"+36301234567\",\"data\":{},"
         "\"expires_in_minutes\":null,\"fallback\":{\"text\":\"T\"}}"},
        // v1.0's for an sms, which says nothing of a channel
        {"{\"from\":\"Acme\",\"to\":\"+36 30 123-4567\",\"body\":\"T\"}",
         "{\"channel\":\"sms\",\"to\":\"+36 30 123-4567\",\"data\":{},"
         "\"expires_in_minutes\":null,\"fallback\":{\"text\":\"T\"}}"},
        // values of the wrong type are stepped over
        {"{\"recipient\":5,\"subject\":{},\"Subject\":\"S\",\"body\":[],"
         "\"template_type\":true,"
         "\"template_data\":{\"to\":\"c@d\",\"expires_in_minutes\":\"15\",\"body\":\"T\"}}",
         "{\"channel\":\"email\",\"to\":\"c@d\",\"data\":{},\"expires_in_minutes\":null,"
         "\"fallback\":{\"subject\":\"S\",\"text\":\"T\"}}"},
        // so is what is no address, as long as there is one
        {"{\"recipient\":\"nobody\",\"to\":\"c@d\"}",
         "{\"channel\":\"email\",\"to\":\"c@d\",\"data\":{},\"expires_in_minutes\":null,"
         "\"fallback\":{}}"},
        {"{\"recipient\":\"\",\"to\":\"nobody\",\"template_data\":{\"to\":\"+1\"}}",
         "{\"channel\":\"email\",\"to\":\"nobody\",\"data\":{},\"expires_in_minutes\":null,"
         "\"fallback\":{}}"},
        {"[]", "{\"channel\":\"email\",\"data\":{},\"expires_in_minutes\":null,\"fallback\":{}}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *payload = json(cases[i].payload);
        json_auto_t *want = json(cases[i].want);
        json_auto_t *got = fallback_canonical(payload);
        if (!json_equal(got, want)) {
            char *text = json_dumps(got, 0);
            fail_msg("%s\ngives %s", cases[i].payload, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_known_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
