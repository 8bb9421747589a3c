#include "relay/dispatch/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/config/config.h"

// The longest that a setting or a payload can state (number.h, relay/composer/mail.c).
#define LIFETIME_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

static bool is_lifetime(json_int_t lifetime_ms)
{
    return lifetime_ms > 0 && lifetime_ms <= LIFETIME_MAX_MS;
}

// What could end an SMTP command or start another one; the composer has looked more closely.
static bool is_harmless_address(const char *address)
{
    const char *at = strrchr(address, '@');
    if (!at || at == address || !at[1])
        return false;
    for (const unsigned char *c = (const unsigned char *)address; *c; c++)
        if (*c <= ' ' || *c == 0x7f || strchr("<>()[],;:\\\"", *c))
            return false;
    return true;
}

// Copies a text that must fit. An absent one is empty.
static bool copy_text(const json_t *mail, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(mail, key));
    int length = snprintf(to, size, "%s", text ? text : "");
    return length >= 0 && (size_t)length < size;
}

static bool blob_of(const json_t *mail, const char *key, const struct frame *frame,
                    const struct frame_blob **ret_blob)
{
    const json_t *index = json_object_get(mail, key);
    *ret_blob = NULL;
    if (!index || json_is_null(index))
        return true;
    json_int_t value = json_integer_value(index);
    if (!json_is_integer(index) || value < 0 || (size_t)value >= frame->blob_count)
        return false;
    *ret_blob = &frame->blobs[value];
    return true;
}

static char *copy_blob(const struct frame_blob *blob)
{
    char *copy = malloc(blob->size + 1);
    if (copy) {
        memcpy(copy, blob->data, blob->size);
        copy[blob->size] = '\0';
    }
    return copy;
}

void envelope_digest_content(const struct queue *queue, const char *route, size_t index,
                             const char *content, uint8_t ret_digest[QUEUE_DIGEST_SIZE])
{
    char material[QUEUE_TEXT_SIZE + 128];
    int size = snprintf(material, sizeof(material), "%s|%zu|%s", route, index, content);
    queue_digest(queue, "content", material, (size_t)size, ret_digest);
}

static void fill(struct job *job, struct queue *queue, const struct config *config,
                 const json_t *mail, size_t index)
{
    struct queue_envelope *envelope = &job->envelope;
    envelope->channel = job->channel;
    envelope->template = job->template[0] ? job->template : NULL;
    envelope->locale = job->locale[0] ? job->locale : NULL;
    envelope->locale_source = job->locale_source[0] ? job->locale_source : NULL;
    envelope->recipient = job->recipient[0] ? job->recipient : NULL;
    envelope->identity_id = job->identity_id[0] ? job->identity_id : NULL;
    envelope->coded = json_is_true(json_object_get(mail, "coded"));
    envelope->created_ms = job->received_ms;
    envelope->deadline_ms = job->received_ms +
                            json_integer_value(json_object_get(mail, "lifetime_ms")) -
                            config->deadline_margin_ms;
    job->delivery.smtputf8 = json_is_true(json_object_get(mail, "smtputf8"));

    const char *content = json_string_value(json_object_get(mail, "content_digest"));
    if (content && strlen(content) < JOB_CONTENT_SIZE) {
        snprintf(job->content, sizeof(job->content), "%s", content);
        envelope_digest_content(queue, job->route, index, content, job->content_digest);
        envelope->content_digest = job->content_digest;
    }
    const char *supersede = json_string_value(json_object_get(mail, "supersede"));
    if (supersede) {
        queue_digest(queue, "supersede", supersede, strlen(supersede), job->supersede_digest);
        envelope->supersede_digest = job->supersede_digest;
        envelope->supersede_by_browser = strncmp(supersede, "browser:", 8) == 0;
    }
}

bool envelope_take(struct job *job, struct queue *queue, const struct config *config,
                   const json_t *mail, size_t index, const struct frame *frame, struct error *err)
{
    const struct frame_blob *canonical, *mime, *mask;
    const char *lane = json_string_value(json_object_get(mail, "lane"));
    enum lane parsed_lane;
    if (!json_is_object(mail) || !lane || !lane_parse(lane, &parsed_lane) ||
        !is_lifetime(json_integer_value(json_object_get(mail, "lifetime_ms"))) ||
        !blob_of(mail, "canonical", frame, &canonical) || !blob_of(mail, "mime", frame, &mime) ||
        !blob_of(mail, "mask", frame, &mask))
        return error_set(err, ERR_CORRUPT, "the composer's mail lacks lane, lifetime or blobs");
    if (!copy_text(mail, "channel", job->channel, sizeof(job->channel)) ||
        !copy_text(mail, "template", job->template, sizeof(job->template)) ||
        !copy_text(mail, "locale", job->locale, sizeof(job->locale)) ||
        !copy_text(mail, "locale_source", job->locale_source, sizeof(job->locale_source)) ||
        !copy_text(mail, "identity_id", job->identity_id, sizeof(job->identity_id)) ||
        !copy_text(mail, "park", job->park_reason, sizeof(job->park_reason)) ||
        !copy_text(mail, "recipient", job->recipient, sizeof(job->recipient)) ||
        !copy_text(mail, "sender", job->sender, sizeof(job->sender)))
        return error_set(err, ERR_CORRUPT, "the composer's mail has a text that is too long");
    if (!job->park_reason[0] && (!canonical || !mime || !is_harmless_address(job->recipient) ||
                                 !is_harmless_address(job->sender)))
        return error_set(err, ERR_CORRUPT, "the composer's mail lacks an address or a part");

    free(job->canonical);
    free(job->mime);
    free(job->mask);
    job->canonical = canonical ? copy_blob(canonical) : NULL;
    job->canonical_size = canonical ? canonical->size : 0;
    job->mime = mime ? copy_blob(mime) : NULL;
    job->delivery.message_size = mime ? mime->size : 0;
    job->mask = mask ? copy_blob(mask) : NULL;
    job->delivery.mask_size = mask ? mask->size : 0;
    if ((canonical && !job->canonical) || (mime && !job->mime) || (mask && !job->mask))
        return error_set(err, ERR_TEMPORARY, "no memory for a mail of %zu bytes",
                         job->canonical_size + job->delivery.message_size);
    job->envelope.lane = parsed_lane;
    fill(job, queue, config, mail, index);
    return true;
}
