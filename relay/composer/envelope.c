#include "relay/composer/envelope.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "jsonnet/payload.h"
#include "relay/composer/digest.h"
#include "relay/composer/query.h"

#define MINUTE_MS INT64_C(60000)
#define FLOW_SIZE 65

// The payload's minutes, at most the configured lifetime; else that; else the lane's.
static void set_lifetime(struct envelope *envelope, const struct mail *mail,
                         const json_t *lifetimes)
{
    int64_t configured = json_integer_value(json_object_get(lifetimes, mail->template));
    int64_t stated = mail->lifetime_ms;
    if (configured > 0 && (stated == 0 || stated > configured))
        stated = configured;
    envelope->lifetime_stated = stated > 0;
    envelope->lifetime_ms = stated > 0 ? stated : kind_lane_lifetime_ms(envelope->lane);
}

int envelope_minutes_left(const struct envelope *envelope, int64_t elapsed_ms)
{
    if (!envelope->lifetime_stated)
        return 0;
    int64_t minutes = (envelope->lifetime_ms - elapsed_ms + MINUTE_MS / 2) / MINUTE_MS;
    return minutes < 1 ? 1 : (int)minutes;
}

static bool is_flow_id(const char *text)
{
    return text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] ==
           '\0';
}

static struct digest_part request_header(json_t *document, const char *path)
{
    const json_t *value = payload_at(document, path);
    const char *text = json_string_value(value);
    return (struct digest_part){text ? text : "", text ? json_string_length(value) : 0};
}

// The same person in the same browser, as far as a payload tells: only their hash leaves here.
static void supersede_by_browser(struct envelope *envelope, json_t *document)
{
    struct digest_part agent = request_header(document, "request_headers.User-Agent.0");
    if (agent.size == 0 || !envelope->recipient.text[0])
        return;
    char recipient[ADDRESS_SIZE];
    size_t size = strlen(envelope->recipient.text);
    for (size_t i = 0; i <= size; i++)
        recipient[i] = (char)tolower((unsigned char)envelope->recipient.text[i]);

    const struct digest_part parts[] = {
        {envelope->template, strlen(envelope->template)},
        {recipient, size},
        agent,
        request_header(document, "request_headers.Accept-Language.0"),
    };
    char hex[DIGEST_HEX_SIZE];
    digest_parts(parts, sizeof(parts) / sizeof(parts[0]), hex);
    snprintf(envelope->supersede, sizeof(envelope->supersede), "browser:%s", hex);
}

void envelope_supersede(struct envelope *envelope, const struct mail *mail, json_t *document)
{
    if (envelope->lane != KIND_CODE)
        return;
    char flow[FLOW_SIZE];
    if (query_value(mail_data_text(mail, "url"), "flow", flow, sizeof(flow)) && is_flow_id(flow))
        snprintf(envelope->supersede, sizeof(envelope->supersede), "flow:%s:%s", envelope->template,
                 flow);
    else if (document)
        supersede_by_browser(envelope, document);
}

void envelope_init(struct envelope *envelope, const struct mail *mail, const json_t *lifetimes)
{
    const struct kind *kind = kind_find(mail->template);
    *envelope = (struct envelope){
        .channel = mail_channel_name(mail->channel),
        .template = mail->template,
        .identity_id = mail->identity_id,
        .lane = kind->lane,
        .coded = kind->secret || mail_has_secret(mail),
    };
    set_lifetime(envelope, mail, lifetimes);
}

void envelope_address(struct envelope *envelope, const struct mail *mail)
{
    struct address *recipient = &envelope->recipient;
    if (!mail->to) {
        envelope->park = "no_recipient";
    } else if (mail->channel != MAIL_EMAIL) {
        // A telephone number, for the operator to see; no part of it is looked at.
        size_t size = strnlen(mail->to, sizeof(recipient->text));
        if (size < sizeof(recipient->text))
            memcpy(recipient->text, mail->to, size + 1);
        envelope->park = "unsupported_channel";
    } else if (!address_parse(mail->to, recipient, NULL)) {
        envelope->park = "bad_recipient";
    }
}

void envelope_init_unreadable(struct envelope *envelope, const char *park)
{
    const struct kind *kind = kind_find(MAIL_TEMPLATE_UNKNOWN);
    *envelope = (struct envelope){
        .channel = mail_channel_name(MAIL_EMAIL),
        .template = MAIL_TEMPLATE_UNKNOWN,
        .lane = kind->lane,
        .coded = kind->secret,
        .lifetime_ms = kind_lane_lifetime_ms(kind->lane),
        .park = park,
    };
}

static const char *text_or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static json_t *blob_number(int number)
{
    return number < 0 ? json_null() : json_integer(number);
}

json_t *envelope_json(const struct envelope *envelope, const struct address *sender, int canonical,
                      int mime, int mask)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:b, s:I, s:s?, s:s?, s:b, s:s?, s:s?}", "channel",
        envelope->channel, "template", envelope->template, "lane", kind_lane_name(envelope->lane),
        "locale", text_or_null(envelope->locale), "locale_source", envelope->locale_source,
        "recipient", text_or_null(envelope->recipient.text), "identity_id", envelope->identity_id,
        "coded", envelope->coded, "lifetime_ms", (json_int_t)envelope->lifetime_ms, "supersede",
        text_or_null(envelope->supersede), "content_digest", envelope->content_digest, "smtputf8",
        envelope->recipient.smtputf8 || sender->smtputf8, "park", envelope->park, "detail",
        envelope->detail);
    if (!object || json_object_set_new(object, "sender", json_string(sender->text)) != 0 ||
        json_object_set_new(object, "canonical", blob_number(canonical)) != 0 ||
        json_object_set_new(object, "mime", blob_number(mime)) != 0 ||
        json_object_set_new(object, "mask", blob_number(mask)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}
