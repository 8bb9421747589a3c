#include "relay/composer/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/composer/address.h"
#include "relay/composer/digest.h"
#include "relay/composer/envelope.h"
#include "relay/composer/mime.h"
#include "relay/composer/query.h"
#include "templates/renderer.h"

#define MIME_MAX (2 * 1024 * 1024)
#define BLOBS_MAX (15 * 1024 * 1024) // so that they fit into a frame with its header
#define UI_LOCALES_SIZE 128
#define MESSAGE_ID_SIZE 48 // a UUID and "-15"

struct composer {
    struct renderer *renderer;
    struct mime *mime;
    struct address sender;
    json_t *lifetimes;
};

// What one composition needs besides the mail itself.
struct source {
    const struct compose_request *request;
    json_t *document;           // NULL: a stored mail
    const char *content_digest; // NULL: a stored mail
};

static void add_fault(json_t *faults, const char *where, const char *what)
{
    // Without memory for it the fault is lost, but not the failure: the caller returns NULL.
    json_array_append_new(faults, json_pack("{s:s, s:s}", "where", where, "what", what));
}

static bool load(struct composer *composer, const struct composer_settings *settings,
                 json_t *faults)
{
    struct error error;
    char name[ADDRESS_NAME_SIZE] = "";
    bool sender_is_good = address_parse_named(settings->mail_from, name, &composer->sender, &error);
    if (!sender_is_good) {
        add_fault(faults, "mail_from", error.message);
    } else {
        composer->mime = mime_create(&composer->sender, name, settings->reply_to, &error);
        if (!composer->mime)
            add_fault(faults, "mail_reply_to", error.message);
    }
    // A sender without a name still has to call the service something: the reader knows its domain.
    const char *domain = sender_is_good ? composer->sender.text + composer->sender.domain_at : NULL;
    // Where there is no sender, that was reported, and the brand that lacks a name is no fault.
    const char *brand = name[0] ? name : domain ? domain : "?";
    // Loaded all the same, so that an operator sees every fault at once.
    composer->renderer = renderer_load(settings->templates_dir, settings->default_locale,
                                       settings->timezone, brand, faults);
    composer->lifetimes = settings->lifetimes ? json_deep_copy(settings->lifetimes) : json_object();
    return composer->mime && composer->renderer && composer->lifetimes;
}

struct composer *composer_create(const struct composer_settings *settings, json_t *faults)
{
    struct composer *composer = calloc(1, sizeof(*composer));
    if (!composer || !load(composer, settings, faults)) {
        composer_destroy(composer);
        return NULL;
    }
    return composer;
}

void composer_destroy(struct composer *composer)
{
    if (!composer)
        return;
    renderer_destroy(composer->renderer);
    mime_destroy(composer->mime);
    json_decref(composer->lifetimes);
    free(composer);
}

static int append_bytes(const char *data, size_t size, void *buffer)
{
    buffer_append(buffer, data, size);
    return 0;
}

// One that may have limit_bytes where the others have left as much.
static struct buffer *new_blob(struct composition *composition, size_t limit_bytes)
{
    size_t room = BLOBS_MAX;
    for (size_t i = 0; i < composition->blob_count; i++)
        room -= composition->blobs[i].size;
    struct buffer *blob = &composition->blobs[composition->blob_count++];
    buffer_init(blob, room < limit_bytes ? room : limit_bytes);
    return blob;
}

static void drop_last_blob(struct composition *composition)
{
    buffer_finish(&composition->blobs[--composition->blob_count]);
}

// Adds the canonical mail, as it is kept, as a blob.
static bool put_canonical(struct composition *composition, const json_t *canonical,
                          struct error *err)
{
    json_auto_t *kept = mail_strip(canonical);
    struct buffer *blob = new_blob(composition, MAIL_CANONICAL_MAX);
    if (kept && json_dump_callback(kept, append_bytes, blob, JSON_COMPACT) == 0 && !blob->failed)
        return true;
    size_t limit_bytes = blob->limit_bytes;
    drop_last_blob(composition);
    return error_set(err, ERR_INPUT, "the mail is larger than %zu bytes", limit_bytes);
}

// What keeps it from being sent by mail, or NULL and the recipient in *ret_recipient.
static const char *find_obstacle(const struct mail *mail, struct address *ret_recipient)
{
    if (!mail->to)
        return "no_recipient";
    if (mail->channel != MAIL_EMAIL) {
        // A telephone number, for the operator to see; no part of it is looked at.
        size_t size = strnlen(mail->to, sizeof(ret_recipient->text));
        if (size < sizeof(ret_recipient->text))
            memcpy(ret_recipient->text, mail->to, size + 1);
        return "unsupported_channel";
    }
    return address_parse(mail->to, ret_recipient, NULL) ? NULL : "bad_recipient";
}

// ui_locales (OpenID Connect), or what sites call it themselves.
static const char *ui_locales(const struct mail *mail, char buffer[UI_LOCALES_SIZE])
{
    static const char *const names[] = {"ui_locales", "lang", "locale"};
    const char *url = mail_data_text(mail, "request_url");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (query_value(url, names[i], buffer, UI_LOCALES_SIZE))
            return buffer;
    }
    return NULL;
}

// Texts and bytes of the mail into a new blob. A mail with nothing to say, or too much, is parked,
// and *err says in the second case what was wrong with it.
static bool put_mime(struct composer *composer, const struct source *source,
                     const struct mail *mail, size_t index, struct envelope *envelope,
                     struct composition *composition, struct error *err)
{
    const struct compose_request *request = source->request;
    char wishes[UI_LOCALES_SIZE];
    int64_t received_wall_ms = request->wall_ms - request->elapsed_ms;
    const struct render_request render = {
        .template = mail->template,
        .data = mail->data,
        .locales = mail->locales,
        .accept_language = mail->accept_language,
        .ui_locales = ui_locales(mail, wishes),
        .default_locale = mail->default_locale,
        .timezone = mail->timezone,
        .minutes_left = envelope_minutes_left(envelope, request->elapsed_ms),
        .expires_wall_ms = envelope->lifetime_stated ? received_wall_ms + envelope->lifetime_ms : 0,
        .now_wall_ms = request->wall_ms,
        .subject = mail->subject,
        .text = mail->text,
        .html = mail->html,
    };
    struct rendered rendered;
    struct error error;
    if (!renderer_render(composer->renderer, &render, &rendered, &error)) {
        if (error.code != ERR_INPUT)
            return error_set(err, error.code, "%s", error.message);
        envelope->park = "no_content";
        return true;
    }
    snprintf(envelope->locale, sizeof(envelope->locale), "%s", rendered.locale);

    // The queue gives the mails of an array ids of their own; until then they are told apart here.
    char id[MESSAGE_ID_SIZE];
    if (index == 0)
        snprintf(id, sizeof(id), "%s", request->id);
    else
        snprintf(id, sizeof(id), "%s-%zu", request->id, index);
    const struct mime_mail mime = {
        .id = id,
        .wall_ms = request->wall_ms,
        .to = envelope->recipient.text,
        .subject = rendered.subject,
        .locale = rendered.locale,
        .text = rendered.text,
        .html = rendered.html,
    };
    struct buffer *blob = new_blob(composition, MIME_MAX);
    bool written = mime_write(composer->mime, &mime, blob, err);
    rendered_finish(&rendered);
    if (!written && blob->failed) {
        envelope->park = "too_large";
        envelope->detail = err->message;
        drop_last_blob(composition);
        return true;
    }
    return written;
}

static bool add_mail(struct composer *composer, const struct envelope *envelope, int canonical,
                     int mime, struct composition *composition, struct error *err)
{
    json_t *object = envelope_json(envelope, &composer->sender, canonical, mime);
    if (json_array_append_new(composition->mails, object) != 0)
        return error_set(err, ERR_TEMPORARY, "composition: no memory");
    return true;
}

static bool compose_one(struct composer *composer, const struct source *source, json_t *result,
                        size_t index, struct composition *composition, struct error *err)
{
    // A stored mail had them when it was stored.
    json_t *defaults = source->document ? source->request->defaults : NULL;
    json_auto_t *canonical = mail_with_defaults(result, defaults);
    if (!canonical)
        return error_set(err, ERR_TEMPORARY, "composition: no memory");
    struct mail mail;
    struct envelope envelope;
    int canonical_number = (int)composition->blob_count;
    struct error error;
    bool is_readable = mail_read(canonical, &mail, &error);
    if (!is_readable || !put_canonical(composition, canonical, &error)) {
        // The latter is the payload's fault, not the normaliser's.
        envelope_init_unreadable(&envelope, is_readable ? "too_large" : "not_canonical");
        envelope.detail = error.message;
        envelope.content_digest = source->content_digest;
        return add_mail(composer, &envelope, -1, -1, composition, err);
    }

    envelope_init(&envelope, &mail, composer->lifetimes);
    envelope.content_digest = source->content_digest;
    envelope.park = find_obstacle(&mail, &envelope.recipient);
    envelope_supersede(&envelope, &mail, source->document);
    int mime_number = -1;
    if (!envelope.park) {
        mime_number = (int)composition->blob_count;
        if (!put_mime(composer, source, &mail, index, &envelope, composition, &error))
            return error_set(err, error.code, "%s", error.message);
        if (envelope.park)
            mime_number = -1;
    }
    return add_mail(composer, &envelope, canonical_number, mime_number, composition, err);
}

static bool composition_init(struct composition *composition, struct error *err)
{
    *composition = (struct composition){.mails = json_array()};
    return composition->mails || error_set(err, ERR_TEMPORARY, "composition: no memory");
}

void composition_finish(struct composition *composition)
{
    json_decref(composition->mails);
    for (size_t i = 0; i < composition->blob_count; i++)
        buffer_finish(&composition->blobs[i]);
    *composition = (struct composition){0};
}

static bool compose_all(struct composer *composer, const struct source *source, json_t *result,
                        struct composition *composition, struct error *err)
{
    if (json_is_null(result))
        return true;
    if (!json_is_array(result))
        return compose_one(composer, source, result, 0, composition, err);
    if (json_array_size(result) > MAIL_COUNT_MAX)
        return error_set(err, ERR_INPUT, "the normaliser returned more than %d mails",
                         MAIL_COUNT_MAX);
    for (size_t i = 0; i < json_array_size(result); i++) {
        if (!compose_one(composer, source, json_array_get(result, i), i, composition, err))
            return false;
    }
    return true;
}

bool compose_payload(struct composer *composer, const struct compose_request *request,
                     json_t *document, json_t *result, struct composition *ret_composition,
                     struct error *err)
{
    // Kratos renders the HTML anew for each attempt, and nobody's headers are to be known by.
    static const char *const without[] = {"html_body", "request_headers", NULL};
    char digest[DIGEST_HEX_SIZE];
    digest_json(document, without, digest);
    AUTO_COMPOSITION struct composition composition = {0};
    struct source source = {request, document, digest};
    if (!composition_init(&composition, err) ||
        !compose_all(composer, &source, result, &composition, err))
        return false;
    *ret_composition = composition;
    composition = (struct composition){0};
    return true;
}

bool compose_unparseable(struct composer *composer, const void *payload, size_t size,
                         struct composition *ret_composition, struct error *err)
{
    char digest[DIGEST_HEX_SIZE];
    digest_parts(&(struct digest_part){payload, size}, 1, digest);
    struct envelope envelope;
    envelope_init_unreadable(&envelope, "unparseable");
    envelope.content_digest = digest;

    AUTO_COMPOSITION struct composition composition = {0};
    if (!composition_init(&composition, err) ||
        !add_mail(composer, &envelope, -1, -1, &composition, err))
        return false;
    *ret_composition = composition;
    composition = (struct composition){0};
    return true;
}

bool compose_render(struct composer *composer, const struct compose_request *request,
                    json_t *canonical, struct composition *ret_composition, struct error *err)
{
    AUTO_COMPOSITION struct composition composition = {0};
    struct source source = {request, NULL, NULL};
    if (!composition_init(&composition, err) ||
        !compose_one(composer, &source, canonical, 0, &composition, err))
        return false;
    *ret_composition = composition;
    composition = (struct composition){0};
    return true;
}
