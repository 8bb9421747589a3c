// What of a mail is to be masked wherever a smarthost's reply is shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/composer/secrets.h"

static void writes(const char *data, const char *own_text, const char *want)
{
    json_auto_t *canonical = json_pack("{s:s, s:o, s:{s:s}}", "to", "zoe@example.com", "data",
                                       json_loads(data, 0, NULL), "fallback", "text", own_text);
    struct mail mail;
    struct error err;
    if (!mail_read(canonical, &mail, &err))
        fail_msg("%s: %s", data, err.message);
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, 4096);
    secrets_write(&mail, &out);
    assert_false(out.failed);
    assert_string_equal(out.data ? out.data : "", want);
}

static void codes_and_the_tokens_of_links_are_secret(void **state)
{
    (void)state;
    static const struct {
        const char *data, *own_text, *want;
    } cases[] = {
        {"{}", "nothing of the kind", ""},
        {"{\"code\":\"750046\"}", "", "750046\n"},
        {"{\"code\":750046}", "", "750046\n"},
        {"{\"code\":\"Ab-12\"}", "", "Ab-12\n"},
        {"{\"code\":\"123\"}", "", ""},
        {"{\"code\":{\"a\":1}}", "", ""},
        {"{\"url\":\"https://acme.example/self-service/recovery?flow=0f3c-11&token=q7X2v9&n=1\"}",
         "", "0f3c-11\nq7X2v9\n"},
        {"{\"url\":\"https://acme.example/r?token=a%2Fb%3D%3D\"}", "", "a%2Fb%3D%3D\na/b==\n"},
        {"{\"url\":\"https://acme.example/verify/Zm9vYmFyYmF6cXV4/now#access=tok.en\"}", "",
         "Zm9vYmFyYmF6cXV4\ntok.en\n"},
        {"{\"url\":\"https://acme.example\"}", "", ""},
        {"{}", "Follow <https://a.example/r?token=first> or http://b.example/?t=second\n",
         "first\nsecond\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        writes(cases[i].data, cases[i].own_text, cases[i].want);
}

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    json_auto_t *canonical =
        json_pack("{s:s, s:{s:s, s:s}}", "to", "zoe@example.com", "data", "code", "12345678", "url",
                  "https://a.example/?a=b123&c=d456");
    struct mail mail;
    struct error err;
    assert_true(mail_read(canonical, &mail, &err));
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, 15);
    secrets_write(&mail, &out);
    assert_false(out.failed);
    assert_string_equal(out.data, "12345678\nb123\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_the_tokens_of_links_are_secret),
        cmocka_unit_test(what_does_not_fit_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
