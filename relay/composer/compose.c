#include "relay/composer/compose.h"

#include <stdio.h>
#include <string.h>

#include "relay/composer/address.h"
#include "relay/composer/digest.h"
#include "relay/composer/envelope.h"
#include "relay/composer/letter.h"
#include "relay/composer/secrets.h"

#define BLOBS_MAX (15 * 1024 * 1024) // so that they fit into a frame with its header
#define MESSAGE_ID_SIZE 48           // a UUID and "-15"
#define MASK_MAX (16 * 1024)

// What one composition needs besides the mail itself.
struct source {
    const struct compose_request *request;
    json_t *document;           // NULL: a stored mail
    const char *content_digest; // NULL: a stored mail
};

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

// Its bytes into a new blob. A mail that is too much is parked, and *err says what was wrong with
// it.
static bool put_mime(struct composer *composer, const struct letter *letter,
                     const struct rendered *rendered, struct envelope *envelope,
                     struct composition *composition, struct error *err)
{
    struct buffer *blob = new_blob(composition, COMPOSE_MIME_MAX);
    if (letter_write(composer, letter, rendered, blob, err))
        return true;
    if (blob->no_memory) // not the mail's fault: tried again in another composer
        return error_set(err, ERR_TEMPORARY, "composition: no memory");
    if (!blob->failed)
        return false;
    envelope->park = "too_large";
    envelope->detail = err->message;
    drop_last_blob(composition);
    return true;
}

// What a mail without content would need; to whoever tries samples or reads the log.
static const char *what_is_missing(const struct composer *composer, const struct mail *mail)
{
    return renderer_knows(composer->renderer, mail->template)
               ? "the texts of its type need a code or a link (data.code, data.url), and it has "
                 "neither that nor a text of its own (fallback)"
               : "there are no texts of its type, and it has none of its own (fallback)";
}

// Texts and bytes of the mail, or the reason why it has none in the envelope.
static bool put_letter(struct composer *composer, const struct source *source,
                       const struct mail *mail, size_t index, struct envelope *envelope,
                       struct composition *composition, struct error *err)
{
    // The queue gives the mails of an array ids of their own; until then they are told apart here.
    const struct compose_request *request = source->request;
    char id[MESSAGE_ID_SIZE];
    if (index == 0)
        snprintf(id, sizeof(id), "%s", request->id);
    else
        snprintf(id, sizeof(id), "%s-%zu", request->id, index);
    const struct letter letter = {
        .id = id,
        .elapsed_ms = request->elapsed_ms,
        .wall_ms = request->wall_ms,
        .mail = mail,
        .envelope = envelope,
    };
    struct rendered rendered;
    if (!letter_render(composer, &letter, &rendered, &envelope->park, err))
        return false;
    if (envelope->park && strcmp(envelope->park, "no_content") == 0)
        envelope->detail = what_is_missing(composer, mail);
    if (envelope->park)
        return true;
    snprintf(envelope->locale, sizeof(envelope->locale), "%s", rendered.locale);
    envelope->locale_source = locale_source_name(rendered.locale_source);
    bool done = put_mime(composer, &letter, &rendered, envelope, composition, err);
    rendered_finish(&rendered);
    return done;
}

// Its secrets into a new blob, where it has any.
static bool put_mask(const struct mail *mail, struct composition *composition, int *ret_number,
                     struct error *err)
{
    struct buffer *blob = new_blob(composition, MASK_MAX);
    secrets_write(mail, blob);
    if (blob->failed)
        return error_set(err, ERR_TEMPORARY, "composition: no memory");
    if (blob->size > 0)
        *ret_number = (int)composition->blob_count - 1;
    else
        drop_last_blob(composition);
    return true;
}

static bool add_mail(struct composer *composer, const struct envelope *envelope, int canonical,
                     int mime, int mask, struct composition *composition, struct error *err)
{
    json_t *object = envelope_json(envelope, &composer->sender, canonical, mime, mask);
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
        return add_mail(composer, &envelope, -1, -1, -1, composition, err);
    }

    envelope_init(&envelope, &mail, composer->lifetimes);
    envelope.content_digest = source->content_digest;
    envelope_address(&envelope, &mail);
    envelope_supersede(&envelope, &mail, source->document);
    int mime_number = -1, mask_number = -1;
    if (!envelope.park) {
        mime_number = (int)composition->blob_count;
        if (!put_letter(composer, source, &mail, index, &envelope, composition, &error))
            return error_set(err, error.code, "%s", error.message);
        if (envelope.park)
            mime_number = -1;
        else if (!put_mask(&mail, composition, &mask_number, err))
            return false;
    }
    return add_mail(composer, &envelope, canonical_number, mime_number, mask_number, composition,
                    err);
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
        !add_mail(composer, &envelope, -1, -1, -1, &composition, err))
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
