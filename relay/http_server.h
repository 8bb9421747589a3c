// http_server.h - the mail listener: the only place that knows libmicrohttpd.
//
// Checks framing, path, method, key, type and size, hands the payload over, and holds the
// connection until the payload's fate is known; the answers are those of design §5. One thread
// of its own serves all connections. Logs `listening`, `accepted`, `duplicate`, `empty_payload`
// and, at most once a second, `unauthorized`.
#ifndef RELAY_HTTP_SERVER_H
#define RELAY_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"
#include "relay/endpoint.h"
#include "relay/routes.h"

struct http_server;
struct http_exchange; // a POST that waits for its answer

// A payload with a valid key, of an allowed size (which may be 0). Good during the call only.
struct http_post {
    const char *route; // the route's name, a constant
    const char *key_name;
    const char *payload;
    size_t payload_size;
};

enum http_outcome {
    HTTP_ACCEPTED,    // 200: durable
    HTTP_DUPLICATE,   // 200: known already
    HTTP_EMPTY,       // 400, and an alarm: Kratos lost this mail
    HTTP_NOT_JSON,    // 400
    HTTP_UNAVAILABLE, // 503: cannot be stored now
};

// Both are called in the server's thread and must not block.
struct http_handlers {
    // Must lead to exactly one http_answer(), at once or later.
    void (*accept)(void *context, struct http_exchange *exchange, const struct http_post *post);
    bool (*ready)(void *context); // could a message be accepted durably now?
    void *context;
};

// Any thread. Answers; id (or NULL) goes out as X-Message-Id. The exchange is gone for the
// caller once this is called.
void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id);

struct http_options {
    struct endpoint listen;
    struct routes *routes; // the server takes a reference of its own
    size_t body_limit_bytes;
};

// Binds, and accepts from now on. NULL on failure.
struct http_server *http_server_create(const struct http_options *options,
                                       const struct http_handlers *handlers, struct error *err);
// Any thread. Requests that come from now on are looked at by these; those under way are not
// disturbed. Takes a reference of its own.
void http_server_set_routes(struct http_server *server, struct routes *routes);

// What was really bound, "127.0.0.1:34571".
const char *http_server_address(const struct http_server *server);

// Closes the listening socket; connections that are open are still served, each answer telling
// its client that it is the last.
void http_server_quiesce(struct http_server *server);
// Quiesces, waits until every payload handed over was answered and the answers have left, and
// ends the thread. So whoever answers (the queue) must still be running. NULL is a no-op.
void http_server_destroy(struct http_server *server);

#endif
