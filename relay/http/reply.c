#include "relay/http/reply.h"

#include <jansson.h>

#define ERROR_BODY(name, message) "{\"error\":\"" name "\",\"message\":\"" message "\"}\n"

// Kratos logs a 4xx's body, so each says what to look at, and no answer tells a key's fault.
static const struct {
    unsigned status;
    const char *name;
    const char *body;
} replies[] = {
    [REPLY_ACCEPTED] = {200, "accepted", ""},
    [REPLY_HEALTHY] = {200, "ok", "{\"status\":\"ok\"}\n"},
    [REPLY_NOT_READY] = {503, "not_ready", ERROR_BODY("not_ready", "messages cannot be stored")},
    [REPLY_BAD_REQUEST] = {400, "bad_request",
                           ERROR_BODY("bad_request", "the request's headers are not acceptable")},
    [REPLY_EMPTY] = {400, "empty_payload",
                     ERROR_BODY("empty_payload", "the body is empty: Kratos could not build it")},
    [REPLY_NOT_JSON] = {400, "not_json",
                        ERROR_BODY("not_json", "the body is no JSON object or array")},
    [REPLY_UNAUTHORIZED] = {401, "unauthorized",
                            ERROR_BODY("unauthorized", "a valid X-Api-Key is needed")},
    [REPLY_NOT_FOUND] = {404, "not_found", ERROR_BODY("not_found", "nothing is served here")},
    [REPLY_WRONG_METHOD] = {405, "method_not_allowed",
                            ERROR_BODY("method_not_allowed", "see the Allow header")},
    [REPLY_TOO_LARGE] = {413, "too_large", ERROR_BODY("too_large", "the body is over the limit")},
    [REPLY_WRONG_TYPE] = {415, "unsupported_media_type",
                          ERROR_BODY("unsupported_media_type",
                                     "the body must be application/json, not encoded")},
    [REPLY_UNAVAILABLE] = {503, "unavailable",
                           ERROR_BODY("unavailable", "the message cannot be stored now")},
    [REPLY_DONE] = {200, "done", ""},
    [REPLY_NO_MESSAGE] = {404, "no_message", ERROR_BODY("no_message", "there is no such message")},
    [REPLY_NO_SMARTHOST] = {404, "no_smarthost",
                            ERROR_BODY("no_smarthost", "there is no smarthost of that name")},
    [REPLY_WRONG_STATE] = {409, "wrong_state",
                           ERROR_BODY("wrong_state", "only parked or held messages are released")},
    [REPLY_BAD_ORDER] = {400, "bad_order",
                         ERROR_BODY("bad_order", "the body does not say what this needs")},
    [REPLY_FAILED] = {500, "failed", ERROR_BODY("failed", "this could not be done")},
    [REPLY_TRY_AGAIN] = {503, "try_again", ERROR_BODY("try_again", "this could not be done now")},
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

char *http_reply_say(enum http_reply reply, const char *message)
{
    const char *kind = http_reply_status(reply) < 400 ? "status" : "error";
    json_auto_t *body = json_pack("{s:s, s:s}", kind, http_reply_name(reply), "message", message);
    return body ? json_dumps(body, JSON_COMPACT) : NULL;
}

enum http_reply http_reply_of(enum http_outcome outcome)
{
    switch (outcome) {
    case HTTP_ACCEPTED:
    case HTTP_DUPLICATE:
        return REPLY_ACCEPTED;
    case HTTP_EMPTY:
        return REPLY_EMPTY;
    case HTTP_NOT_JSON:
        return REPLY_NOT_JSON;
    case HTTP_UNAVAILABLE:
        return REPLY_UNAVAILABLE;
    case HTTP_DONE:
        return REPLY_DONE;
    case HTTP_NO_MESSAGE:
        return REPLY_NO_MESSAGE;
    case HTTP_NO_SMARTHOST:
        return REPLY_NO_SMARTHOST;
    case HTTP_WRONG_STATE:
        return REPLY_WRONG_STATE;
    case HTTP_BAD_ORDER:
        return REPLY_BAD_ORDER;
    case HTTP_FAILED:
        return REPLY_FAILED;
    case HTTP_TRY_AGAIN:
        return REPLY_TRY_AGAIN;
    }
    return REPLY_UNAVAILABLE;
}
