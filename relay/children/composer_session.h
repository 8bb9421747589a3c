// composer_session.h - a composer of one's own (child_session.h), and what to begin it with.
#ifndef RELAY_CHILDREN_COMPOSER_SESSION_H
#define RELAY_CHILDREN_COMPOSER_SESSION_H

#include "relay/children/child_session.h"

struct config;

// Starts the program at path. NULL on failure.
struct child_session *composer_session_create(const char *path, struct error *err);

// The header of `init` (docs/protocol.md). The caller json_decref()s it. NULL: no memory, or a
// setting is no UTF-8.
json_t *composer_init_header(const struct config *config);

#endif
