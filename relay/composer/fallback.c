#include "relay/composer/fallback.h"

#include <stdbool.h>
#include <string.h>

#include "jsonnet/payload.h"

struct place {
    const char *key;   // of the canonical mail
    const char *paths; // in the shapes of Kratos' bodies
};

static const struct place places[] = {
    {"template", "template_type|TemplateType"},
    {"to", "recipient|Recipient|to|To|template_data.to|TemplateData.To"},
    {"identity_id", "template_data.identity.id|TemplateData.Identity.id"},
    {NULL, NULL},
};
static const struct place own_places[] = {
    {"subject", "subject|Subject|template_data.subject"},
    {"text", "body|Body|template_data.body"},
    {"html", "html_body|template_data.html_body"},
    {NULL, NULL},
};

// Values of a wrong type are left out: here a mail with less in it beats none.
static bool pick(json_t *document, const struct place *place, json_t *object)
{
    for (; place->key; place++) {
        json_t *value = payload_at(document, place->paths);
        if (json_is_string(value) && json_object_set(object, place->key, value) != 0)
            return false;
    }
    return true;
}

static const char *channel(json_t *document)
{
    const char *type = json_string_value(payload_at(document, "message_type"));
    return type && strcmp(type, "sms") == 0 ? "sms" : "email";
}

json_t *fallback_canonical(json_t *document)
{
    json_t *minutes = payload_number(document, "template_data.expires_in_minutes");
    json_t *mail = json_pack("{s:s, s:O?, s:{}, s:{}}", "channel", channel(document),
                             "expires_in_minutes", minutes, "data", "fallback");
    if (mail && pick(document, places, mail) &&
        pick(document, own_places, json_object_get(mail, "fallback")))
        return mail;
    json_decref(mail);
    return NULL;
}
