// composer_session.h - a composer of one's own, asked one thing at a time and waited for.
//
// For the configuration file and for commands; the daemon's composers are composers.h's. Call
// from a thread that lives as long as the session (process.h).
#ifndef RELAY_CHILDREN_COMPOSER_SESSION_H
#define RELAY_CHILDREN_COMPOSER_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"

struct config;
struct composer_session;

// Starts the program at path. NULL on failure.
struct composer_session *composer_session_create(const char *path, struct error *err);
void composer_session_destroy(struct composer_session *session); // kills it; NULL is a no-op

// Sends one frame (blob may be NULL) and waits for the one that answers it. The caller
// json_decref()s *ret_header; *ret_frame is good until the next call. ERR_TEMPORARY: no answer in
// timeout_ms; ERR_IO: it died; ERR_CORRUPT: what it said is no answer. Of no more use then.
bool composer_session_ask(struct composer_session *session, const json_t *header, const void *blob,
                          size_t blob_size, int timeout_ms, json_t **ret_header,
                          struct frame *ret_frame, struct error *err);

// The header of `init` (docs/protocol.md). The caller json_decref()s it. NULL: no memory, or a
// setting is no UTF-8.
json_t *composer_init_header(const struct config *config);

#endif
