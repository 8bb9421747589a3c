// compose.h - a canonical mail into an envelope and RFC 5322 bytes.
//
// A fresh payload and a stored mail take the same path from here on: checked, put into words,
// encoded. Has no clock: time comes with each request. One thread.
#ifndef RELAY_COMPOSER_COMPOSE_H
#define RELAY_COMPOSER_COMPOSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"
#include "relay/composer/composer.h"
#include "relay/composer/mail.h"

#define COMPOSE_MIME_MAX (2 * 1024 * 1024) // bytes of one message

struct compose_request {
    const char *id;     // the message's
    int64_t elapsed_ms; // since its payload was received
    int64_t wall_ms;
    json_t *defaults; // for keys that a mail of the payload has not; an object or NULL
};

// What one request came to: MAIL objects of docs/protocol.md, and the blobs that they number.
struct composition {
    json_t *mails;
    struct buffer blobs[3 * MAIL_COUNT_MAX];
    size_t blob_count;
};

void composition_finish(struct composition *composition);
#define AUTO_COMPOSITION __attribute__((cleanup(composition_finish)))

// result is what a normaliser made of document: a canonical mail, an array of at most
// MAIL_COUNT_MAX of them, or null. A mail that cannot be one is in the composition with the
// reason in "park". False: the whole request failed; the message holds no value of the payload.
bool compose_payload(struct composer *composer, const struct compose_request *request,
                     json_t *document, json_t *result, struct composition *ret_composition,
                     struct error *err);

// A payload that is no JSON: one mail, parked as `unparseable`.
bool compose_unparseable(struct composer *composer, const void *payload, size_t size,
                         struct composition *ret_composition, struct error *err);

// A stored canonical mail again, for a later attempt. What only the payload knows is null in its
// MAIL: content_digest, and supersede unless a link carries it.
bool compose_render(struct composer *composer, const struct compose_request *request,
                    json_t *canonical, struct composition *ret_composition, struct error *err);

#endif
