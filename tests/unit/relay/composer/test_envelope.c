// What the queue is to know about a mail, as far as it follows from the mail itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/composer/envelope.h"

static struct envelope envelope_of(const json_t *canonical)
{
    struct mail mail;
    struct envelope envelope;
    struct error err;
    json_auto_t *lifetimes = json_object();
    if (!mail_read(canonical, &mail, &err))
        fail_msg("%s", err.message);
    envelope_init(&envelope, &mail, lifetimes);
    return envelope;
}

// It decides how long a payload is known, so what carries a code is coded whatever its type.
static void what_carries_a_code_or_a_link_is_coded(void **state)
{
    (void)state;
    static const struct {
        const char *template, *key, *value;
        bool coded;
    } cases[] = {
        {"authenticator_key_added", "code", "750046", true},
        {"authenticator_key_added", "url", "https://example.com/?token=x", true},
        {"authenticator_key_added", "name", "Zoe", false},
        {"recovery_code_invalid", "code", "750046", true},
        {"recovery_code_invalid", "name", "Zoe", false},
        {"login_code_valid", "name", "Zoe", true},
        {"brand_new", "name", "Zoe", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *canonical =
            json_pack("{s:s, s:s, s:s, s:{s:s}}", "channel", "email", "template", cases[i].template,
                      "to", "a@example.com", "data", cases[i].key, cases[i].value);
        assert_int_equal(envelope_of(canonical).coded, cases[i].coded);
    }
}

static void minutes_are_rounded_and_never_none(void **state)
{
    (void)state;
    static const struct {
        int64_t elapsed_ms;
        int want;
    } cases[] = {{0, 15},         {29999, 15},  {30001, 14}, {14 * 60000, 1},
                 {15 * 60000, 1}, {3600000, 1}, {-1000, 15}};
    struct envelope envelope = {.lifetime_ms = 15 * 60000, .lifetime_stated = true};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(envelope_minutes_left(&envelope, cases[i].elapsed_ms), cases[i].want);
    envelope.lifetime_stated = false; // the lane's: a text that stated it would guess
    assert_int_equal(envelope_minutes_left(&envelope, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_carries_a_code_or_a_link_is_coded),
        cmocka_unit_test(minutes_are_rounded_and_never_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
