#include "relay/composer/fallback.h"

#include <stdbool.h>
#include <string.h>

#include "jsonnet/payload.h"

#define PLACES_MAX 6

struct place {
    const char *key;               // of the canonical mail
    const char *paths[PLACES_MAX]; // in the shapes of Kratos' bodies, best first
};

static const struct place places[] = {
    {"template", {"template_type", "TemplateType"}},
    // Not for its looks: its mails may lead to certain hosts only.
    {"brand", {"template_data.oauth2_login_request.client.client_id"}},
    {"identity_id", {"template_data.identity.id", "TemplateData.Identity.id"}},
    {NULL, {NULL}},
};
static const struct place own_places[] = {
    {"subject", {"subject", "Subject", "template_data.subject"}},
    {"text", {"body", "Body", "template_data.body"}},
    {"html", {"html_body", "template_data.html_body"}},
    {NULL, {NULL}},
};
static const char *const recipients[PLACES_MAX] = {
    "recipient", "Recipient", "to", "To", "template_data.to", "TemplateData.To",
};

// The first string that is not empty and holds what is looked for; or NULL. Values of a wrong type
// are stepped over: here a mail with less in it beats none.
static json_t *first_text(json_t *document, const char *const paths[PLACES_MAX], const char *holds)
{
    for (size_t i = 0; i < PLACES_MAX && paths[i]; i++) {
        json_t *value = payload_at(document, paths[i]);
        if (json_string_length(value) > 0 && strstr(json_string_value(value), holds))
            return value;
    }
    return NULL;
}

static bool pick(json_t *document, const struct place *place, json_t *object)
{
    for (; place->key; place++) {
        json_t *value = first_text(document, place->paths, "");
        if (value && json_object_set(object, place->key, value) != 0)
            return false;
    }
    return true;
}

// "+36 30 123 4567": Kratos keeps telephone numbers in E.164, and v1.0 and the default body do not
// say that a message is an SMS.
static bool is_telephone_number(const char *to)
{
    size_t size = strlen(to);
    return to[0] == '+' && size > 5 && strspn(to + 1, "0123456789 ()-") == size - 1;
}

static const char *channel(json_t *document, const json_t *to)
{
    const char *type = json_string_value(payload_at(document, "message_type"));
    bool is_sms =
        (type && strcmp(type, "sms") == 0) || (to && is_telephone_number(json_string_value(to)));
    return is_sms ? "sms" : "email";
}

json_t *fallback_canonical(json_t *document)
{
    // All of them are the same address in what Kratos posts. Where one is no address, another is.
    json_t *to = first_text(document, recipients, "@");
    if (!to)
        to = first_text(document, recipients, "");
    json_t *minutes = payload_number(document, "template_data.expires_in_minutes");
    json_t *mail = json_pack("{s:s, s:O*, s:O?, s:{}, s:{}}", "channel", channel(document, to),
                             "to", to, "expires_in_minutes", minutes, "data", "fallback");
    if (mail && pick(document, places, mail) &&
        pick(document, own_places, json_object_get(mail, "fallback")))
        return mail;
    json_decref(mail);
    return NULL;
}
