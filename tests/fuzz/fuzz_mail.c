// fuzz_mail.c - whatever a normaliser may return through mail.h, and into its envelope.
//
// Any text that holds CANARY is somebody's secret: no error may quote it.
#include <string.h>

#include "relay/composer/envelope.h"
#include "relay/composer/mail.h"
#include "tests/fuzz/fuzz.h"

#define WORD_MAX 64
#define ACCEPT_LANGUAGE_MAX 1024
#define LOCALES_MAX 32
#define LIFETIME_MAX_MS (INT64_C(366) * 24 * 60 * 60000)
#define CANARY "CANARY"

static bool is_word(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0 && size <= WORD_MAX;
}

static void check_mail(const struct mail *mail)
{
    FUZZ_CHECK(is_word(mail->template), "template is a short word");
    FUZZ_CHECK(!mail->to || *mail->to, "to is a text or not given");
    FUZZ_CHECK(json_is_object(mail->data), "data is an object");
    FUZZ_CHECK(!mail->locales ||
                   (json_is_array(mail->locales) && json_array_size(mail->locales) <= LOCALES_MAX),
               "locales are an array of bounded size");
    FUZZ_CHECK(!mail->accept_language || strlen(mail->accept_language) <= ACCEPT_LANGUAGE_MAX,
               "accept_language is bounded");
    FUZZ_CHECK(!mail->default_locale || is_word(mail->default_locale),
               "default_locale is a short word");
    FUZZ_CHECK(!mail->timezone || is_word(mail->timezone), "timezone is a short word");
    FUZZ_CHECK(!mail->identity_id || is_word(mail->identity_id), "identity_id is a short word");
    FUZZ_CHECK(mail->lifetime_ms >= 0 && mail->lifetime_ms <= LIFETIME_MAX_MS,
               "a lifetime is within a year");
    FUZZ_CHECK(mail_channel_name(mail->channel), "a channel has a name");
    const char *code = mail_data_text(mail, "code");
    FUZZ_CHECK(!code || mail_has_secret(mail), "a code is a secret");
}

static bool text_equal(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool mail_equal(const struct mail *one, const struct mail *other)
{
    return one->channel == other->channel && text_equal(one->template, other->template) &&
           text_equal(one->to, other->to) &&
           text_equal(one->accept_language, other->accept_language) &&
           text_equal(one->default_locale, other->default_locale) &&
           text_equal(one->timezone, other->timezone) &&
           text_equal(one->identity_id, other->identity_id) &&
           one->lifetime_ms == other->lifetime_ms && text_equal(one->subject, other->subject) &&
           text_equal(one->text, other->text) && text_equal(one->html, other->html);
}

// Every element of part is one of whole, in that order.
static bool is_part(const json_t *part, const json_t *whole)
{
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(whole); i++)
        found += json_array_get(part, found) == json_array_get(whole, i);
    return json_is_array(part) && found == json_array_size(part);
}

// Every value of part is that of whole.
static bool is_subset(json_t *part, json_t *whole)
{
    const char *key;
    json_t *value;
    json_object_foreach(part, key, value)
    {
        if (json_object_get(whole, key) != value)
            return false;
    }
    return json_is_object(part);
}

static void check_strip(const json_t *canonical, const struct mail *mail)
{
    static const char known[] =
        " channel template to data locales accept_language "
        "default_locale timezone brand identity_id expires_in_minutes fallback http ";
    json_t *kept = mail_strip(canonical);
    FUZZ_CHECK(json_is_object(kept), "an object is left");
    const char *key;
    json_t *value;
    json_object_foreach(kept, key, value)
    {
        char word[WORD_MAX];
        int size = snprintf(word, sizeof(word), " %s ", key);
        FUZZ_CHECK(size > 0 && (size_t)size < sizeof(word) && strstr(known, word),
                   "only what is known is kept");
        json_t *given = json_object_get(canonical, key);
        FUZZ_CHECK(value == given || (strcmp(key, "locales") == 0 && is_part(value, given)) ||
                       (strcmp(key, "data") == 0 && is_subset(value, given)),
                   "and kept as it was, of wishes and data some");
    }
    struct mail again;
    struct error err;
    FUZZ_CHECK(mail_read(kept, &again, &err) && mail_equal(mail, &again),
               "what is left is the same mail");
    json_decref(kept);
}

static void check_envelope(const struct mail *mail, json_t *document)
{
    struct envelope envelope;
    struct address sender = {.text = "no-reply@acme.example", .domain_at = 9};
    struct error err;
    envelope_init(&envelope, mail, NULL);
    FUZZ_CHECK(envelope.lifetime_ms > 0, "every mail has a lifetime");
    if (mail->to && !address_parse(mail->to, &envelope.recipient, &err))
        FUZZ_CHECK(!strstr(err.message, CANARY), "no error holds an address");
    envelope_supersede(&envelope, mail, document);
    FUZZ_CHECK(memchr(envelope.supersede, '\0', sizeof(envelope.supersede)), "supersede ends");
    FUZZ_CHECK(envelope_minutes_left(&envelope, 0) >= 0 &&
                   envelope_minutes_left(&envelope, LIFETIME_MAX_MS) <= 1,
               "minutes never go below one");
    json_t *object = envelope_json(&envelope, &sender, -1, -1, -1);
    FUZZ_CHECK(object, "every mail has an envelope");
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mail untouched = {.template = "as it was"};
    // More than a normaliser can return: NULs and bare values as well.
    json_t *canonical =
        json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!canonical)
        return 0;
    struct mail mail = untouched;
    struct error err = {0};
    if (mail_read(canonical, &mail, &err)) {
        check_mail(&mail);
        check_strip(canonical, &mail);
        check_envelope(&mail, canonical);
    } else {
        FUZZ_CHECK(err.code == ERR_INPUT, "what is no mail is ERR_INPUT");
        FUZZ_CHECK(!strstr(err.message, CANARY), "no error holds a value");
        FUZZ_CHECK(mail.template == untouched.template && !mail.to && !mail.data && !mail.locales &&
                       !mail.subject && !mail.text && !mail.html,
                   "a failure touches nothing");
    }
    json_decref(canonical);
    return 0;
}
