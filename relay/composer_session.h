// composer_session.h - a composer of one's own, asked one thing at a time and waited for.
//
// For the configuration file and for commands; the daemon's composers are composers.h's. Call
// from a thread that lives as long as the session (process.h).
#ifndef RELAY_COMPOSER_SESSION_H
#define RELAY_COMPOSER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"

struct config;
struct composer_session;

// Starts the program at path. NULL on failure.
struct composer_session *composer_session_create(const char *path, struct error *err);
void composer_session_destroy(struct composer_session *session); // kills it; NULL is a no-op

// Sends one frame (header is JSON text; blob may be NULL) and waits for the one that answers it,
// which is good until the next call. ERR_TEMPORARY: no answer in timeout_ms; ERR_IO: it died.
bool composer_session_ask(struct composer_session *session, const char *header, const void *blob,
                          size_t blob_size, int timeout_ms, struct frame *ret_frame,
                          struct error *err);

// The header of `init` (docs/protocol.md) as JSON text. The caller frees it. NULL: no memory.
char *composer_init_header(const struct config *config);

#endif
