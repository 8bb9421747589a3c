// reply.h - the frames that a composer answers with (docs/protocol.md, Composer).
//
// Each writes one whole frame to a blocking socket. False: the connection is of no more use.
#ifndef RELAY_COMPOSER_REPLY_H
#define RELAY_COMPOSER_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/composer/compose.h"
#include "relay/composer/confine.h"
#include "relay/composer/preview.h"

// Says what is in force, and what is not.
bool reply_ready(int fd, const struct confinement *confinement, struct error *err);
bool reply_faults(int fd, json_t *faults, struct error *err);
bool reply_evaluated(int fd, const char *json, struct error *err);

// How long it took: the normaliser, and what made mails of its result.
struct composed_in {
    int64_t normaliser_us, compose_us;
};

// request: the header of what is answered, for its id. detail holds no value of a payload.
bool reply_failed(int fd, const json_t *request, const char *reason, const char *detail,
                  struct error *err);
// Where the mails do not fit a frame, the answer is `failed`, `too_large`.
bool reply_composed(int fd, const json_t *request, const struct composition *composition,
                    const struct composed_in *spent, struct error *err);
bool reply_described(int fd, const json_t *request, json_t *description, // steals description
                     struct error *err);
bool reply_previewed(int fd, const json_t *request, const struct preview *preview,
                     struct error *err);

#endif
