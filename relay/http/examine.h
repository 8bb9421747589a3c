// examine.h - what becomes of a request, decided by its head alone.
//
// Before its body is read, so that a stranger costs nothing. Reads no byte of the network and
// answers nothing itself.
#ifndef RELAY_HTTP_EXAMINE_H
#define RELAY_HTTP_EXAMINE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/http/head.h"
#include "relay/http/reply.h"
#include "relay/routes.h"

enum { HTTP_MESSAGE_ID_SIZE = 37 };

struct http_request {
    struct http_head *head;
    const char *method, *path;
};

struct http_verdict {
    // REPLY_ACCEPTED: the body is wanted. REPLY_NOT_READY: readiness is asked for.
    enum http_reply reply;
    const char *reason;        // of a refusal, for the log alone
    const char *allow;         // with REPLY_WRONG_METHOD
    const struct route *route; // NULL: none; good as long as the routes
    const char *key_name;      // NULL: none, or a key that is not known
    bool is_admitted;          // it showed a valid key
    // of a control request
    enum http_act act;
    char id[HTTP_MESSAGE_ID_SIZE]; // of the message that it names, or empty
};

// A request to the mail listener.
struct http_verdict http_examine_mail(const struct http_request *request,
                                      const struct routes *routes, size_t body_limit_bytes);
// A request to the control socket, whose folder lets only its owner in.
struct http_verdict http_examine_control(const struct http_request *request);

#endif
