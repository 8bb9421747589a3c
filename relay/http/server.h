// server.h - the HTTP listeners: the only place that knows libmicrohttpd.
//
// Checks framing, path, method, key, type and size, hands the request over, and holds the
// connection until its fate is known; the answers are those of design §5. A thread a listener.
// Logs `listening`, `accepted`, `duplicate`, `empty_payload`, `unauthorized` and `refused`.
#ifndef RELAY_HTTP_SERVER_H
#define RELAY_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/api_key.h"
#include "relay/base/error.h"
#include "relay/endpoint.h"
#include "relay/routes.h"

enum { HTTP_BACKLOG = 511 }; // how many connections may wait in a listening socket

struct http_server;
struct http_exchange; // a POST that waits for its answer

enum http_service {
    HTTP_MAIL,    // the routes, and health
    HTTP_ADMIN,   // calls, by those who show a key of the list
    HTTP_CONTROL, // calls, by whoever may connect; needs no key
};

// A payload with a valid key, of an allowed size (which may be 0). Good during the call only.
struct http_post {
    const char *route; // the route's name, a constant
    const char *key_name;
    const char *trace_id; // of the W3C trace that it is part of; NULL: none
    const char *payload;
    size_t payload_size;
};

enum http_outcome {
    HTTP_ACCEPTED,    // 200: durable
    HTTP_DUPLICATE,   // 200: known already
    HTTP_EMPTY,       // 400, and an alarm: Kratos lost this mail
    HTTP_NOT_JSON,    // 400
    HTTP_UNAVAILABLE, // 503: cannot be stored now
    // of a call
    HTTP_ROLE_NEEDED, // 403
    HTTP_ANSWERED,    // as http_answer_with() has it
};

struct http_parameter {
    char *name, *value; // decoded
};

// What somebody who may call asks for. Good during the call only.
struct http_call {
    const char *method, *path; // the path as it came, without its query
    const struct http_parameter *parameters;
    size_t parameter_count;
    const char *body; // NUL-terminated; empty where there is none
    size_t body_size;
    const char *caller; // the key's name; HTTP_CONTROL: "owner"
    bool may_operate;   // else it may read only
};

// All are called in the server's thread and must not block; accept and call must each lead to
// exactly one answer, at once or later.
struct http_handlers {
    // HTTP_MAIL
    void (*accept)(void *context, struct http_exchange *exchange, const struct http_post *post);
    bool (*ready)(void *context); // could a message be accepted durably now?
    void *context;
    // HTTP_ADMIN, HTTP_CONTROL
    void (*call)(void *context, struct http_exchange *exchange, const struct http_call *call);
};

// Any thread. Answers; id (or NULL) goes out as X-Message-Id. The exchange is gone for the
// caller once this is called.
void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id);

// Before the answer, any thread: has the client closed its end?
bool http_client_is_gone(const struct http_exchange *exchange);

struct http_answer {
    unsigned status;
    char *body;               // allocated, and freed here; NULL: no memory, and it is answered 503
    const char *content_type; // a constant; NULL: JSON
    const char *allow;        // a constant; NULL: none
    char *link;               // as body; NULL: none
};
// Any thread. Answers a call, HTTP_ANSWERED.
void http_answer_with(struct http_exchange *exchange, const struct http_answer *answer);

struct http_options {
    enum http_service service;
    struct endpoint listen; // where listen_fd is < 0
    int listen_fd;          // >= 0: a listening, non-blocking socket, the server's to close, even
                            // where it cannot be created
    struct routes *routes;  // of HTTP_MAIL; the server takes a reference of its own
    struct api_keys *keys;  // of HTTP_ADMIN, likewise; NULL: nobody is let in
    size_t body_limit_bytes;
    int64_t request_ms; // how long a request may take to come in; 0: 10 s, as served
};

// Binds, and accepts from now on. NULL on failure.
struct http_server *http_server_create(const struct http_options *options,
                                       const struct http_handlers *handlers, struct error *err);
// Any thread. For requests that come from now on. Takes a reference of its own.
void http_server_set_routes(struct http_server *server, struct routes *routes);
// The same with keys, of which NULL are none.
void http_server_set_keys(struct http_server *server, struct api_keys *keys);

// What was really bound, "127.0.0.1:34571"; "unix" for a unix socket.
const char *http_server_address(const struct http_server *server);

// Closes the listening socket; open connections are still served, each for one more answer.
void http_server_quiesce(struct http_server *server);
// Quiesces, waits until every payload handed over was answered and the answers have left, and
// ends the thread. So whoever answers (the queue) must still be running. NULL is a no-op.
void http_server_destroy(struct http_server *server);

#endif
