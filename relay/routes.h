// routes.h - which paths are served, and who may post there.
//
// One immutable whole, made of the configuration and replaced as a whole when that is read
// again; who works on a request keeps a reference, so nothing changes under it. Paths are
// matched byte for byte. Any thread.
#ifndef RELAY_ROUTES_H
#define RELAY_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"

struct config;
struct routes;

enum route_kind { ROUTE_INTAKE, ROUTE_LIVE, ROUTE_READY };

struct route {
    const char *path;
    enum route_kind kind;
    const char *name;  // of an intake: what the queue and the log call it
    const char *allow; // the methods served, as in an Allow header
};

// With one reference, the caller's. Shares config's keys and copies the rest. NULL: no memory.
struct routes *routes_create(const struct config *config, struct error *err);
struct routes *routes_ref(struct routes *routes);
void routes_unref(struct routes *routes); // NULL is a no-op

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

// The route of path: set for ROUTE_FOUND, and for ROUTE_NO_METHOD to say what is allowed; good
// as long as routes.
enum route_match routes_match(const struct routes *routes, const char *method, const char *path,
                              const struct route **ret_route);

enum route_admission {
    ROUTE_ADMITTED,
    ROUTE_KEY_UNKNOWN,     // wrong or missing
    ROUTE_KEY_EXPIRED,     // past its not_after
    ROUTE_KEY_NOT_ALLOWED, // good, but not for this route
};

// May whoever offers this key (maybe empty) post to an intake? wall_ms: what time it is. The
// key's name, good as long as routes, is given with every answer but ROUTE_KEY_UNKNOWN; it is
// for the log, and never told to the client, nor is which of the three refusals it was.
enum route_admission routes_admit(const struct routes *routes, const struct route *route,
                                  const char *offered, size_t offered_size, int64_t wall_ms,
                                  const char **ret_key_name);

#endif
