// session.h - a composer's conversation with the core (docs/protocol.md, Composer).
//
// Requests come one at a time and each is answered before the next is read. Blocks.
#ifndef RELAY_COMPOSER_SESSION_H
#define RELAY_COMPOSER_SESSION_H

#include <stdbool.h>

#include "relay/base/error.h"

enum session_end {
    SESSION_CLOSED, // the core has closed its end
    SESSION_FAULTS, // `init` named something that cannot be loaded, and the core knows
    SESSION_BROKEN, // not to be gone on with; *err says why
};

// Serves on fd, a blocking socket, until it ends. Calls confine() once everything is loaded.
enum session_end session_serve(int fd, struct error *err);

#endif
