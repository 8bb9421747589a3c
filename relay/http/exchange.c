#include "relay/http/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/http/connections.h"
#include "relay/http/examine.h"
#include "relay/http/head.h"
#include "relay/http/reply.h"

enum exchange_phase {
    EXCHANGE_REFUSED,  // has no body to refuse; answered when the request is whole
    EXCHANGE_UPLOAD,   // the body comes in
    EXCHANGE_WAITING,  // handed over; the connection is suspended
    EXCHANGE_ANSWERED, // http_answer() was called; not sent yet
    EXCHANGE_REPLIED,  // libmicrohttpd has the reply
};

struct http_exchange {
    struct http_exchanges *exchanges;
    struct MHD_Connection *connection;
    enum exchange_phase phase;
    struct routes *routes; // keeps what verdict points at
    struct http_verdict verdict;
    struct buffer body;
    size_t body_size; // also of what is over the limit and dropped
    bool was_handed_over;
    enum http_outcome outcome;
    char id[HTTP_MESSAGE_ID_SIZE]; // of the answer
    char *text;                    // its body, where that is not the outcome's own; ours to free
    int64_t started_us;
};

// NULL where there was no memory for it.
static struct http_client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static struct http_connection *connection_of(struct MHD_Connection *connection)
{
    const struct http_client *client = client_of(connection);
    return client ? client->connection : NULL;
}

// ---- answers ------------------------------------------------------------------------------------

// Whoever asks so is no client that we know: nothing more is heard from it.
static bool closes(enum http_reply reply)
{
    return reply == REPLY_BAD_REQUEST || reply == REPLY_NOT_FOUND;
}

struct header {
    const char *name, *value; // value NULL or empty: none
};

// body is copied; NULL: the reply's own.
static enum MHD_Result send_reply(struct http_exchanges *exchanges,
                                  struct MHD_Connection *connection, enum http_reply reply,
                                  const char *own_body, struct header header)
{
    const char *body = own_body ? own_body : http_reply_body(reply);
    // Persistent memory is never written to; the library's type only forgets to say so.
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body,
                                        own_body ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    bool ok = true;
    if (*body)
        ok = MHD_add_response_header(response, "Content-Type", "application/json") == MHD_YES;
    if (header.value && *header.value)
        ok = ok && MHD_add_response_header(response, header.name, header.value) == MHD_YES;
    if (closes(reply) || atomic_load(&exchanges->quiesced))
        ok = ok && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    http_connections_answering(exchanges->connections, connection_of(connection));
    enum MHD_Result result =
        ok ? MHD_queue_response(connection, http_reply_status(reply), response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static void answer(struct http_exchange *exchange, enum http_outcome outcome)
{
    struct http_exchanges *exchanges = exchange->exchanges;
    pthread_mutex_lock(&exchanges->lock);
    exchanges->answering++;
    pthread_mutex_unlock(&exchanges->lock);

    exchange->outcome = outcome;
    exchange->phase = EXCHANGE_ANSWERED;
    MHD_resume_connection(exchange->connection);
    // The server's thread may have ended the exchange already: it is not touched any more.

    pthread_mutex_lock(&exchanges->lock);
    exchanges->answering--;
    pthread_cond_signal(&exchanges->settled);
    pthread_mutex_unlock(&exchanges->lock);
}

void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id)
{
    snprintf(exchange->id, sizeof(exchange->id), "%s", id ? id : "");
    answer(exchange, outcome);
}

void http_answer_text(struct http_exchange *exchange, enum http_outcome outcome, const char *text)
{
    if (text)
        exchange->text = http_reply_say(http_reply_of(outcome), text);
    answer(exchange, outcome);
}

void http_answer_body(struct http_exchange *exchange, enum http_outcome outcome, char *body)
{
    exchange->text = body;
    answer(exchange, body ? outcome : HTTP_UNAVAILABLE);
}

// ---- a request's head ---------------------------------------------------------------------------

static struct routes *current_routes(struct http_exchanges *exchanges)
{
    pthread_mutex_lock(&exchanges->lock);
    struct routes *routes = exchanges->routes ? routes_ref(exchanges->routes) : NULL;
    pthread_mutex_unlock(&exchanges->lock);
    return routes;
}

// The request line is in and not cut yet; target is what it names.
void *http_exchanges_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_exchanges *exchanges = context;
    struct http_client *client = client_of(connection);
    if (client) {
        client->target = target;
        client->target_size = target ? strlen(target) : 0;
        client->target_is_odd = target && http_head_is_odd_target(target);
        http_connections_begun(exchanges->connections, client->connection);
    }
    return NULL; // the request has no exchange yet
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    http_head_take(context, name, name_size, value ? value : "", value ? value_size : 0);
    return MHD_YES;
}

static void read_head(struct MHD_Connection *connection, const char *method, const char *version,
                      struct http_head *ret_head)
{
    const struct http_client *client = client_of(connection);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const struct http_request_line line = {.method = method,
                                           .version = version,
                                           .target = client ? client->target : NULL,
                                           .target_size = client ? client->target_size : 0,
                                           .target_is_odd = client && client->target_is_odd,
                                           .bytes = info ? method : NULL,
                                           .bytes_size = info ? info->header_size : 0};
    http_head_begin(ret_head, &line);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, ret_head);
}

static enum MHD_Result refuse(struct http_exchanges *exchanges, struct MHD_Connection *connection,
                              const struct http_verdict *verdict)
{
    return send_reply(exchanges, connection, verdict->reply, NULL,
                      (struct header){"Allow", verdict->allow});
}

static bool is_refusal(const struct http_verdict *verdict)
{
    return verdict->reason != NULL;
}

// Decides over a request before its body is read.
static struct http_verdict examine(struct http_exchanges *exchanges, const struct routes *routes,
                                   const struct http_request *request)
{
    if (exchanges->service == HTTP_CONTROL)
        return http_examine_control(request);
    struct http_verdict verdict = http_examine_mail(request, routes, exchanges->body_limit_bytes);
    if (verdict.reply == REPLY_NOT_READY && exchanges->handlers.ready(exchanges->handlers.context))
        verdict.reply = REPLY_HEALTHY;
    return verdict;
}

static enum MHD_Result begin(struct http_exchanges *exchanges, struct MHD_Connection *connection,
                             const struct http_request *request, void **ret_exchange)
{
    struct routes *routes = current_routes(exchanges);
    const struct http_verdict verdict = examine(exchanges, routes, request);
    if (verdict.is_admitted)
        http_connections_admitted(exchanges->connections, connection_of(connection));
    if (is_refusal(&verdict))
        http_journal_refusal(&exchanges->journal, &verdict);
    // An answer before the request is whole closes the connection: right where a body is not
    // wanted, and a pity for a health check.
    bool has_body = request->head->transfer_encoding || request->head->length > 0;
    if (verdict.reply != REPLY_ACCEPTED && (has_body || closes(verdict.reply))) {
        http_connections_refused(exchanges->connections, connection_of(connection));
        enum MHD_Result result = refuse(exchanges, connection, &verdict);
        routes_unref(routes);
        return result;
    }
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        routes_unref(routes);
        return send_reply(exchanges, connection, REPLY_UNAVAILABLE, NULL, (struct header){0});
    }
    *exchange = (struct http_exchange){.exchanges = exchanges,
                                       .routes = routes,
                                       .connection = connection,
                                       .phase = verdict.reply == REPLY_ACCEPTED ? EXCHANGE_UPLOAD
                                                                                : EXCHANGE_REFUSED,
                                       .verdict = verdict,
                                       .started_us = clock_boot_us()};
    buffer_init(&exchange->body, exchanges->body_limit_bytes);
    *ret_exchange = exchange;
    return MHD_YES;
}

// ---- its body, and its end ----------------------------------------------------------------------

static void take_body(struct http_exchange *exchange, const char *data, size_t size)
{
    buffer_append(&exchange->body, data, size);
    exchange->body_size += size;
}

// The exchange may be gone before the handler returns, so what an order says is taken out of it.
static void give_order(struct http_exchange *exchange, const struct http_handlers *handlers)
{
    const struct http_verdict verdict = exchange->verdict;
    AUTO_BUFFER struct buffer body = exchange->body;
    buffer_init(&exchange->body, 0);
    const struct http_order order = {.act = verdict.act,
                                     .id = verdict.id,
                                     .body = body.data ? body.data : "",
                                     .body_size = body.size};
    handlers->obey(handlers->context, exchange, &order);
}

static void call_handler(struct http_exchange *exchange)
{
    const struct http_handlers *handlers = &exchange->exchanges->handlers;
    if (exchange->exchanges->service == HTTP_CONTROL) {
        give_order(exchange, handlers);
        return;
    }
    const struct http_post post = {.route = exchange->verdict.route->name,
                                   .key_name = exchange->verdict.key_name,
                                   .payload = exchange->body.data ? exchange->body.data : "",
                                   .payload_size = exchange->body.size};
    handlers->accept(handlers->context, exchange, &post);
}

// False once the server is closing; else it waits for the answer.
static bool begin_to_owe(struct http_exchanges *exchanges)
{
    pthread_mutex_lock(&exchanges->lock);
    bool is_open = !exchanges->closing;
    if (is_open)
        exchanges->owed++;
    pthread_mutex_unlock(&exchanges->lock);
    return is_open;
}

static enum MHD_Result refuse_whole(struct http_exchange *exchange, enum http_reply reply)
{
    exchange->verdict.reply = reply;
    exchange->verdict.reason = http_reply_name(reply);
    http_journal_refusal(&exchange->exchanges->journal, &exchange->verdict);
    exchange->phase = EXCHANGE_REPLIED;
    return refuse(exchange->exchanges, exchange->connection, &exchange->verdict);
}

static enum MHD_Result hand_over(struct http_exchange *exchange)
{
    struct http_exchanges *exchanges = exchange->exchanges;
    if (exchange->body.failed)
        return refuse_whole(exchange, exchange->body_size > exchanges->body_limit_bytes
                                          ? REPLY_TOO_LARGE
                                          : REPLY_UNAVAILABLE);
    if (!begin_to_owe(exchanges))
        return refuse_whole(exchange, REPLY_UNAVAILABLE);
    http_connections_waiting(exchanges->connections, connection_of(exchange->connection));
    // Suspended first: the answer may come before the handler returns, and resumes it.
    exchange->was_handed_over = true;
    exchange->phase = EXCHANGE_WAITING;
    MHD_suspend_connection(exchange->connection);
    call_handler(exchange);
    return MHD_YES;
}

enum MHD_Result http_exchanges_request(void *context, struct MHD_Connection *connection,
                                       const char *path, const char *method, const char *version,
                                       const char *data, size_t *data_size, void **request)
{
    struct http_exchanges *exchanges = context;
    struct http_exchange *exchange = *request;
    if (!exchange) {
        struct http_head head;
        read_head(connection, method, version, &head);
        return begin(exchanges, connection, &(struct http_request){&head, method, path}, request);
    }
    switch (exchange->phase) {
    case EXCHANGE_UPLOAD:
        if (*data_size == 0)
            return hand_over(exchange);
        take_body(exchange, data, *data_size);
        // The library keeps its buffer for as long as the connection stays open, and looks no more
        // at what was taken; that it lends it as const only keeps us from changing what is left.
        explicit_bzero((void *)(uintptr_t)data, *data_size);
        *data_size = 0;
        return MHD_YES;
    case EXCHANGE_REFUSED:
        exchange->phase = EXCHANGE_REPLIED;
        return refuse(exchanges, connection, &exchange->verdict);
    case EXCHANGE_ANSWERED:
        exchange->phase = EXCHANGE_REPLIED;
        return send_reply(exchanges, connection, http_reply_of(exchange->outcome), exchange->text,
                          (struct header){"X-Message-Id", exchange->id});
    case EXCHANGE_WAITING:
    case EXCHANGE_REPLIED:
        break;
    }
    return MHD_YES;
}

static void finish_exchange(struct http_exchange *exchange)
{
    struct http_exchanges *exchanges = exchange->exchanges;
    bool was_handed_over = exchange->was_handed_over;
    // The answer has left by now, so the log costs Kratos nothing.
    if (was_handed_over) {
        const struct http_verdict *verdict = &exchange->verdict;
        http_journal_outcome(
            &exchanges->journal,
            &(struct http_journal_entry){.outcome = exchange->outcome,
                                         .id = exchange->id,
                                         .route = verdict->route ? verdict->route->name : NULL,
                                         .key_name = verdict->key_name,
                                         .body_size = exchange->body_size,
                                         .took_us = clock_boot_us() - exchange->started_us});
    }
    buffer_finish(&exchange->body);
    free(exchange->text);
    routes_unref(exchange->routes);
    free(exchange);
    if (!was_handed_over)
        return;
    pthread_mutex_lock(&exchanges->lock);
    exchanges->owed--;
    pthread_cond_signal(&exchanges->settled);
    pthread_mutex_unlock(&exchanges->lock);
}

// Also called where the client has gone away, and where the library has refused the request.
// Whoever has to answer has done so: a suspended connection is not looked at by the library.
void http_exchanges_completed(void *context, struct MHD_Connection *connection, void **request,
                              enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_exchanges *exchanges = context;
    http_connections_answered(exchanges->connections, connection_of(connection));
    if (*request)
        finish_exchange(*request);
    *request = NULL;
}
