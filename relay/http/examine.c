#include "relay/http/examine.h"

#include "relay/api_key.h"
#include "relay/base/clock.h"
#include <stdint.h>

static void refuse(struct http_verdict *verdict, enum http_reply reply, const char *reason)
{
    verdict->reply = reply;
    verdict->reason = reason ? reason : http_reply_name(reply);
}

static bool admit(struct http_verdict *verdict, const struct routes *routes,
                  const struct http_head *head)
{
    // An absent key takes the same way as a wrong one.
    switch (routes_admit(routes, verdict->route, head->api_key ? head->api_key : "",
                         head->api_key_size, clock_wall_ms(), &verdict->key_name)) {
    case ROUTE_ADMITTED:
        verdict->is_admitted = true;
        return true;
    case ROUTE_KEY_UNKNOWN:
        verdict->key_name = NULL;
        refuse(verdict, REPLY_UNAUTHORIZED, head->api_key ? "key_unknown" : "key_missing");
        return false;
    case ROUTE_KEY_EXPIRED:
        refuse(verdict, REPLY_UNAUTHORIZED, "key_expired");
        return false;
    case ROUTE_KEY_NOT_ALLOWED:
        refuse(verdict, REPLY_UNAUTHORIZED, "key_not_allowed");
        return false;
    }
    return false;
}

static void look_at_size(struct http_verdict *verdict, const struct http_head *head,
                         size_t body_limit_bytes)
{
    if (head->has_length && (uint64_t)head->length > body_limit_bytes)
        refuse(verdict, REPLY_TOO_LARGE, NULL);
}

static void examine_intake(struct http_verdict *verdict, const struct routes *routes,
                           const struct http_head *head, size_t body_limit_bytes)
{
    if (!admit(verdict, routes, head))
        return;
    if (!http_head_is_json(head))
        refuse(verdict, REPLY_WRONG_TYPE, NULL);
    else
        look_at_size(verdict, head, body_limit_bytes);
}

struct http_verdict http_examine_mail(const struct http_request *request,
                                      const struct routes *routes, size_t body_limit_bytes)
{
    struct http_verdict verdict = {.reply = REPLY_ACCEPTED};
    if (!http_head_is_sound(request->head)) {
        refuse(&verdict, REPLY_BAD_REQUEST, NULL);
        return verdict;
    }
    switch (routes_match(routes, request->method, request->path, &verdict.route)) {
    case ROUTE_NO_PATH:
        refuse(&verdict, REPLY_NOT_FOUND, NULL);
        return verdict;
    case ROUTE_NO_METHOD:
        refuse(&verdict, REPLY_WRONG_METHOD, NULL);
        verdict.allow = verdict.route->allow;
        return verdict;
    case ROUTE_FOUND:
        break;
    }
    switch (verdict.route->kind) {
    case ROUTE_INTAKE:
        examine_intake(&verdict, routes, request->head, body_limit_bytes);
        break;
    case ROUTE_LIVE:
        verdict.reply = REPLY_HEALTHY;
        break;
    case ROUTE_READY:
        verdict.reply = REPLY_NOT_READY;
        break;
    }
    return verdict;
}

// ---- calls --------------------------------------------------------------------------------------

static bool admit_caller(struct http_verdict *verdict, const struct api_keys *keys,
                         const struct http_head *head)
{
    size_t size = 0;
    const char *offered = http_head_admin_key(head, &size);
    struct api_key_entry key;
    // A key that is absent is no key, whatever digests there are.
    if (!keys || !offered || size == 0 || !api_keys_find(keys, offered, size, &key)) {
        refuse(verdict, REPLY_UNAUTHORIZED, offered ? "key_unknown" : "key_missing");
        return false;
    }
    verdict->key_name = key.name;
    if (clock_wall_ms() > key.not_after_ms) {
        refuse(verdict, REPLY_UNAUTHORIZED, "key_expired");
        return false;
    }
    verdict->is_admitted = true;
    verdict->may_operate = key.role == API_ROLE_OPERATE;
    return true;
}

struct http_verdict http_examine_admin(const struct http_request *request,
                                       const struct api_keys *keys, size_t body_limit_bytes)
{
    struct http_verdict verdict = {.reply = REPLY_ACCEPTED};
    if (!http_head_is_sound(request->head))
        refuse(&verdict, REPLY_BAD_REQUEST, NULL);
    else if (admit_caller(&verdict, keys, request->head))
        look_at_size(&verdict, request->head, body_limit_bytes);
    return verdict;
}

struct http_verdict http_examine_control(const struct http_request *request,
                                         size_t body_limit_bytes)
{
    struct http_verdict verdict = {.reply = REPLY_ACCEPTED};
    if (!http_head_is_sound(request->head)) {
        refuse(&verdict, REPLY_BAD_REQUEST, NULL);
        return verdict;
    }
    verdict.key_name = HTTP_OWNER;
    verdict.is_admitted = verdict.may_operate = true;
    look_at_size(&verdict, request->head, body_limit_bytes);
    return verdict;
}
