// answer.h - the answers to single requests (docs/protocol.md, Composer): each is made and written.
//
// Each gives false, and *err, where the conversation cannot go on: the request is not what the
// protocol says (ERR_INPUT), or the answer could not be written. That something is refused, with
// `failed`, is an answer. fd is a blocking socket; header and what else is given stay the caller's.
#ifndef RELAY_COMPOSER_ANSWER_H
#define RELAY_COMPOSER_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"

struct composer;

// To `compose`. defaults: of the payload's route (mail_with_defaults()), or NULL. result is what
// the normaliser has made of document, in normaliser_us.
bool answer_payload(int fd, struct composer *composer, json_t *header, json_t *defaults,
                    json_t *document, json_t *result, int64_t normaliser_us, struct error *err);
// To `compose` without the normaliser.
bool answer_fallback(int fd, struct composer *composer, json_t *header, json_t *defaults,
                     json_t *document, struct error *err);
// To `compose` with what is no JSON.
bool answer_unparseable(int fd, struct composer *composer, json_t *header,
                        const struct frame_blob *blob, struct error *err);

bool answer_render(int fd, struct composer *composer, json_t *header, const struct frame_blob *blob,
                   struct error *err);
bool answer_preview(int fd, struct composer *composer, json_t *header,
                    const struct frame_blob *blob, struct error *err);
bool answer_describe(int fd, const struct composer *composer, const json_t *header,
                     struct error *err);
bool answer_evaluate(int fd, const json_t *header, const struct frame_blob *blob,
                     struct error *err);

#endif
