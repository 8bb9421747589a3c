// compose_fixture.h - a composer over the shipped templates, and what it makes of a result.
#ifndef TESTS_UNIT_RELAY_COMPOSER_COMPOSE_FIXTURE_H
#define TESTS_UNIT_RELAY_COMPOSER_COMPOSE_FIXTURE_H

#include "relay/composer/compose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/payload.h"

#define MINUTE_MS 60000

static const struct compose_request request = {
    .id = "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001",
    .elapsed_ms = 3,
    .wall_ms = INT64_C(1763688000000),
};

static inline json_t *json(const char *text)
{
    struct error err;
    json_t *value = payload_parse(text, strlen(text), &err);
    if (!value)
        fail_msg("%s in %s", err.message, text);
    return value;
}

static inline struct composer *create(const char *lifetimes)
{
    json_auto_t *parsed = json(lifetimes);
    json_auto_t *faults = json_array();
    const struct composer_settings settings = {
        .templates_dir = REPOSITORY_ROOT "/templates",
        .default_locale = "en",
        .timezone = "UTC",
        .mail_from = "Acme <no-reply@acme.example>",
        .lifetimes = parsed,
    };
    struct composer *composer = composer_create(&settings, faults);
    if (!composer)
        fail_msg("%s", json_dumps(faults, 0));
    return composer;
}

static inline int set_up(void **state)
{
    *state = create("{\"recovery_valid\":1800000,\"login_code_valid\":1200000}");
    return 0;
}

static inline int tear_down(void **state)
{
    composer_destroy(*state);
    return 0;
}

static inline json_t *canonical(const char *template, const char *data)
{
    json_t *mail =
        json_pack("{s:s, s:s, s:s, s:o, s:[s]}", "channel", "email", "template", template, "to",
                  "Zoe@example.com", "data", json(data), "locales", "de-CH");
    assert_non_null(mail);
    return mail;
}

// Composes result out of document and gives its MAILs; the composition is the caller's.
static inline json_t *compose(struct composer *composer, const char *document, json_t *result,
                              struct composition *composition)
{
    json_auto_t *payload = json(document);
    struct error err;
    if (!compose_payload(composer, &request, payload, result, composition, &err))
        fail_msg("%s", err.message);
    return composition->mails;
}

static inline const char *text(const json_t *mail, const char *key)
{
    return json_string_value(json_object_get(mail, key));
}

#endif
