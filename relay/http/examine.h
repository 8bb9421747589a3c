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

#define HTTP_OWNER "owner" // what whoever calls by the control socket is called

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
    bool may_operate;          // of a call
};

// A request to the mail listener.
struct http_verdict http_examine_mail(const struct http_request *request,
                                      const struct routes *routes, size_t body_limit_bytes);
// A call on the admin listener; what is called is judged elsewhere. keys NULL: there are none.
struct http_verdict http_examine_admin(const struct http_request *request,
                                       const struct api_keys *keys, size_t body_limit_bytes);
// A call by the control socket, whose folder lets only its owner in.
struct http_verdict http_examine_control(const struct http_request *request,
                                         size_t body_limit_bytes);

#endif
