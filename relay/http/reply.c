#include "relay/http/reply.h"

#define ERROR_BODY(name, message) "{\"error\":\"" name "\",\"message\":\"" message "\"}\n"

// Kratos logs a 4xx's body, so each says what to look at, and no answer tells a key's fault.
static const struct {
    unsigned status;
    const char *name;
    const char *body;
} replies[] = {
    [REPLY_ACCEPTED] = {200, "accepted", ""},
    [REPLY_DUPLICATE] = {200, "duplicate", ""},
    [REPLY_HEALTHY] = {200, "ok", "{\"status\":\"ok\"}\n"},
    [REPLY_NOT_READY] = {503, "not_ready", ERROR_BODY("not_ready", "messages cannot be stored")},
    [REPLY_BAD_REQUEST] = {400, "bad_request",
                           ERROR_BODY("bad_request", "the request's headers are not acceptable")},
    [REPLY_EMPTY] = {400, "empty_payload",
                     ERROR_BODY("empty_payload", "the body is empty: Kratos could not build it")},
    [REPLY_NOT_JSON] = {400, "not_json",
                        ERROR_BODY("not_json", "the body is no JSON object or array")},
    [REPLY_UNAUTHORIZED] = {401, "unauthorized",
                            ERROR_BODY("unauthorized",
                                       "an X-Api-Key that is valid for this path is needed")},
    [REPLY_NOT_FOUND] = {404, "not_found", ERROR_BODY("not_found", "nothing is served here")},
    [REPLY_WRONG_METHOD] = {405, "method_not_allowed",
                            ERROR_BODY("method_not_allowed", "see the Allow header")},
    [REPLY_TOO_LARGE] = {413, "too_large", ERROR_BODY("too_large", "the body is over the limit")},
    [REPLY_WRONG_TYPE] = {415, "unsupported_media_type",
                          ERROR_BODY("unsupported_media_type",
                                     "the body must be JSON, not encoded, with the header "
                                     "Content-Type: application/json")},
    [REPLY_UNAVAILABLE] = {503, "unavailable",
                           ERROR_BODY("unavailable", "the message cannot be stored now")},
    [REPLY_ROLE_NEEDED] = {403, "role_needed",
                           ERROR_BODY("role_needed", "this key may look and not act: one with the "
                                                     "role operate is needed")},
    [REPLY_BAD_QUERY] = {400, "bad_query",
                         ERROR_BODY("bad_query",
                                    "the query is not encoded rightly, or has over 32 parameters")},
};

unsigned http_reply_status(enum http_reply reply)
{
    return replies[reply].status;
}

const char *http_reply_name(enum http_reply reply)
{
    return replies[reply].name;
}

const char *http_reply_body(enum http_reply reply)
{
    return replies[reply].body;
}

enum http_reply http_reply_of(enum http_outcome outcome)
{
    switch (outcome) {
    case HTTP_ACCEPTED:
        return REPLY_ACCEPTED;
    case HTTP_DUPLICATE:
        return REPLY_DUPLICATE;
    case HTTP_EMPTY:
        return REPLY_EMPTY;
    case HTTP_NOT_JSON:
        return REPLY_NOT_JSON;
    case HTTP_UNAVAILABLE:
        return REPLY_UNAVAILABLE;
    case HTTP_ROLE_NEEDED:
        return REPLY_ROLE_NEEDED;
    case HTTP_ANSWERED:
        break;
    }
    return REPLY_UNAVAILABLE;
}
