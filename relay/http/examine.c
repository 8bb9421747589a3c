#include "relay/http/examine.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"

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

static void examine_intake(struct http_verdict *verdict, const struct routes *routes,
                           const struct http_head *head, size_t body_limit_bytes)
{
    if (!admit(verdict, routes, head))
        return;
    if (!http_head_is_json(head))
        refuse(verdict, REPLY_WRONG_TYPE, NULL);
    else if (head->has_length && (uint64_t)head->length > body_limit_bytes)
        refuse(verdict, REPLY_TOO_LARGE, NULL);
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

// Copies the id out of "/admin/messages/{id}/release".
static bool parse_release(const char *path, char ret_id[HTTP_MESSAGE_ID_SIZE])
{
    static const char before[] = "/admin/messages/", behind[] = "/release";
    enum { LENGTH = HTTP_MESSAGE_ID_SIZE - 1 };
    if (strncmp(path, before, sizeof(before) - 1) != 0)
        return false;
    const char *id = path + sizeof(before) - 1;
    if (strspn(id, "0123456789abcdef-") != LENGTH || strcmp(id + LENGTH, behind) != 0)
        return false;
    snprintf(ret_id, HTTP_MESSAGE_ID_SIZE, "%.*s", LENGTH, id);
    return true;
}

static bool parse_order(struct http_verdict *verdict, const char *path)
{
    static const struct {
        const char *path;
        enum http_act act;
    } orders[] = {{"/admin/queue/rekey", HTTP_REKEY},
                  {"/admin/queue/backup", HTTP_BACKUP},
                  {"/admin/smarthosts", HTTP_SMARTHOSTS},
                  {"/admin/smarthosts/pause", HTTP_PAUSE},
                  {"/admin/smarthosts/resume", HTTP_RESUME}};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(path, orders[i].path) == 0) {
            verdict->act = orders[i].act;
            return true;
        }
    }
    verdict->act = HTTP_RELEASE;
    return parse_release(path, verdict->id);
}

struct http_verdict http_examine_control(const struct http_request *request)
{
    struct http_verdict verdict = {.reply = REPLY_ACCEPTED};
    if (!http_head_is_sound(request->head)) {
        refuse(&verdict, REPLY_BAD_REQUEST, NULL);
    } else if (!parse_order(&verdict, request->path)) {
        refuse(&verdict, REPLY_NOT_FOUND, NULL);
    } else if (strcmp(request->method, "POST") != 0) {
        refuse(&verdict, REPLY_WRONG_METHOD, NULL);
        verdict.allow = "POST";
    } else {
        verdict.is_admitted = true;
    }
    return verdict;
}
