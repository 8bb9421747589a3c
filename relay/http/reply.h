// reply.h - the constant answers of the listeners (design §5): status and body. Strangers get no
// others.
//
// No answer is ever a redirect (Go turns the POST into a GET and Kratos takes a 200 for it as
// sent) or carries Retry-After (Kratos 1.0 to 25.4 sleep as long as it says).
#ifndef RELAY_HTTP_REPLY_H
#define RELAY_HTTP_REPLY_H

#include "relay/http/server.h"

enum http_reply {
    REPLY_ACCEPTED,  // empty: Kratos 1.1 to 26.2 leak a connection where a 2xx has a body
    REPLY_DUPLICATE, // the same, with X-Duplicate
    REPLY_HEALTHY,
    REPLY_NOT_READY,
    REPLY_BAD_REQUEST,
    REPLY_EMPTY,
    REPLY_NOT_JSON,
    REPLY_UNAUTHORIZED,
    REPLY_NOT_FOUND,
    REPLY_WRONG_METHOD,
    REPLY_TOO_LARGE,
    REPLY_WRONG_TYPE,
    REPLY_UNAVAILABLE,
    REPLY_ROLE_NEEDED,
    REPLY_BAD_QUERY,
};

enum http_reply http_reply_of(enum http_outcome outcome); // not of HTTP_ANSWERED

unsigned http_reply_status(enum http_reply reply);
const char *http_reply_name(enum http_reply reply); // "unauthorized": for logs, and in the body
const char *http_reply_body(enum http_reply reply); // JSON text, or empty

#endif
