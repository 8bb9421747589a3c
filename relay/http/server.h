// server.h - the HTTP listeners: the only place that knows libmicrohttpd.
//
// Checks framing, path, method, key, type and size, hands the request over, and holds the
// connection until its fate is known; the answers are those of design §5. One thread of its own
// serves all connections of a listener. Logs `listening`, `accepted`, `duplicate`,
// `empty_payload` and, at most once a second, `unauthorized` or `refused`.
#ifndef RELAY_HTTP_SERVER_H
#define RELAY_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/endpoint.h"
#include "relay/routes.h"

struct http_server;
struct http_exchange; // a POST that waits for its answer

enum http_service {
    HTTP_MAIL,    // the routes, and health
    HTTP_CONTROL, // the orders of enum http_act and nothing else; needs no key
};

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
    // of an order
    HTTP_DONE,         // 200
    HTTP_NO_MESSAGE,   // 404
    HTTP_WRONG_STATE,  // 409: neither parked nor held
    HTTP_NO_SMARTHOST, // 404
    HTTP_BAD_ORDER,    // 400: the body does not say what the order needs
    HTTP_FAILED,       // 500: could not be done; see http_answer_text()
    HTTP_TRY_AGAIN,    // 503: could not be done now
};

// What an operator's command asks for on the control socket, by POST.
enum http_act {
    HTTP_RELEASE,    // /admin/messages/{id}/release
    HTTP_REKEY,      // /admin/queue/rekey
    HTTP_BACKUP,     // /admin/queue/backup
    HTTP_SMARTHOSTS, // /admin/smarthosts
    HTTP_PAUSE,      // /admin/smarthosts/pause
    HTTP_RESUME,     // /admin/smarthosts/resume
};

struct http_order { // good during the call only
    enum http_act act;
    const char *id;   // HTTP_RELEASE: 36 hexadecimal digits and '-'; else empty
    const char *body; // NUL-terminated; empty where there is none
    size_t body_size;
};

// All are called in the server's thread and must not block; accept and obey must each lead to
// exactly one answer, at once or later.
struct http_handlers {
    // HTTP_MAIL
    void (*accept)(void *context, struct http_exchange *exchange, const struct http_post *post);
    bool (*ready)(void *context); // could a message be accepted durably now?
    void *context;
    // HTTP_CONTROL
    void (*obey)(void *context, struct http_exchange *exchange, const struct http_order *order);
};

// Any thread. Answers; id (or NULL) goes out as X-Message-Id. The exchange is gone for the
// caller once this is called.
void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id);
// The same, with a text for whoever gave the order in place of the outcome's own. NULL: that one.
void http_answer_text(struct http_exchange *exchange, enum http_outcome outcome, const char *text);

// The same, with that JSON text in place of all of it. body is freed here; NULL: no memory, and it
// is answered 503.
void http_answer_body(struct http_exchange *exchange, enum http_outcome outcome, char *body);

struct http_options {
    enum http_service service;
    struct endpoint listen; // where listen_fd is < 0
    int listen_fd;          // >= 0: a listening, non-blocking socket, the server's to close, even
                            // where it cannot be created
    struct routes *routes;  // of HTTP_MAIL; the server takes a reference of its own
    size_t body_limit_bytes;
    int64_t request_ms; // how long a request may take to come in; 0: 10 s, as served
};

// Binds, and accepts from now on. NULL on failure.
struct http_server *http_server_create(const struct http_options *options,
                                       const struct http_handlers *handlers, struct error *err);
// Any thread. Requests that come from now on are looked at by these; those under way are not
// disturbed. Takes a reference of its own.
void http_server_set_routes(struct http_server *server, struct routes *routes);

// What was really bound, "127.0.0.1:34571"; "unix" for a unix socket.
const char *http_server_address(const struct http_server *server);

// Closes the listening socket; connections that are open are still served, each answer telling
// its client that it is the last.
void http_server_quiesce(struct http_server *server);
// Quiesces, waits until every payload handed over was answered and the answers have left, and
// ends the thread. So whoever answers (the queue) must still be running. NULL is a no-op.
void http_server_destroy(struct http_server *server);

#endif
