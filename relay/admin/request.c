#include "relay/admin/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"

enum { BODY_MAX = 4 * 1024 * 1024 }; // a thousand messages, each with the longest of everything

static void destroy(struct admin_request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->parameter_count; i++) {
        free(request->parameters[i].name);
        free(request->parameters[i].value);
    }
    free(request->parameters);
    free(request->name);
    free(request);
}

static bool copy_parameters(struct admin_request *request, const struct http_call *call)
{
    request->parameters = calloc(call->parameter_count + 1, sizeof(*request->parameters));
    for (size_t i = 0; request->parameters && i < call->parameter_count; i++) {
        struct http_parameter *to = &request->parameters[request->parameter_count++];
        *to = (struct http_parameter){strdup(call->parameters[i].name),
                                      strdup(call->parameters[i].value)};
        if (!to->name || !to->value)
            return false;
    }
    return request->parameters != NULL;
}

static bool read_call(struct admin_request *request, const struct http_call *call,
                      const struct admin_route *route, const char **ret_name, struct error *err)
{
    *ret_name = "bad_path";
    request->route = *route;
    request->route.name = (struct span){0};
    request->name = span_decode(route->name, "path", err);
    snprintf(request->caller, sizeof(request->caller), "%s", call->caller);
    if (!request->name ||
        !admin_query_read(&request->query, route->what, call, clock_wall_ms(), ret_name, err))
        return false;
    return copy_parameters(request, call) || error_set(err, ERR_TEMPORARY, "no memory");
}

struct admin_request *admin_request_create(struct admin *admin, struct http_exchange *exchange,
                                           const struct http_call *call,
                                           const struct admin_route *route)
{
    const char *name = NULL;
    struct error err = {0};
    struct admin_request *request = calloc(1, sizeof(*request));
    if (!request) {
        http_answer_with(exchange, &(struct http_answer){.body = NULL});
        return NULL;
    }
    request->admin = admin;
    request->exchange = exchange;
    if (read_call(request, call, route, &name, &err))
        return request;
    if (err.code == ERR_TEMPORARY)
        admin_answer_with(exchange, request, &(struct http_answer){.body = NULL});
    else
        admin_answer_error(exchange, request, 400, name, "%s", err.message);
    return NULL;
}

// ---- answers ------------------------------------------------------------------------------------

void admin_answer_with(struct http_exchange *exchange, struct admin_request *request,
                       const struct http_answer *answer)
{
    destroy(request);
    http_answer_with(exchange, answer);
}

static int put(const char *data, size_t size, void *context)
{
    buffer_append(context, data, size);
    return 0;
}

// With a line's end, for whoever reads it in a terminal. NULL: no memory.
static char *print(json_t *value)
{
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, BODY_MAX);
    if (!value || json_dump_callback(value, put, &text, JSON_COMPACT) < 0)
        return NULL;
    buffer_putc(&text, '\n');
    return text.failed ? NULL : buffer_take(&text);
}

static void answer_status(struct http_exchange *exchange, struct admin_request *request,
                          unsigned status, json_t *value, char *link)
{
    const struct http_answer answer = {.status = status, .body = print(value), .link = link};
    json_decref(value);
    admin_answer_with(exchange, request, &answer);
}

void admin_answer_json(struct http_exchange *exchange, struct admin_request *request, json_t *value,
                       char *link)
{
    answer_status(exchange, request, 200, value, link);
}

void admin_answer_error(struct http_exchange *exchange, struct admin_request *request,
                        unsigned status, const char *name, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    // What a stranger's bytes are in it, jansson would refuse to write.
    json_t *text = json_string(message);
    answer_status(exchange, request, status,
                  json_pack("{s:s, s:o}", "error", name, "message",
                            text ? text : json_string("see docs/admin-api.md")),
                  NULL);
}
