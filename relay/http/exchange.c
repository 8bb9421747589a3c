#include "relay/http/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/http/call.h"
#include "relay/http/connections.h"
#include "relay/http/examine.h"
#include "relay/http/head.h"
#include "relay/http/reply.h"
#include "relay/http/response.h"
#include "relay/http/traceparent.h"

enum exchange_phase {
    EXCHANGE_REFUSED,  // has no body to refuse; answered when the request is whole
    EXCHANGE_UPLOAD,   // the body comes in
    EXCHANGE_WAITING,  // handed over; the connection is suspended
    EXCHANGE_ANSWERED, // http_answer() was called; not sent yet
    EXCHANGE_REPLIED,  // libmicrohttpd has the reply
};

enum { HTTP_MESSAGE_ID_SIZE = 37 };

struct http_exchange {
    struct http_exchanges *exchanges;
    struct MHD_Connection *connection;
    enum exchange_phase phase;
    struct routes *routes; // keep what verdict points at
    struct api_keys *keys;
    struct http_verdict verdict;
    struct buffer body;
    size_t body_size; // also of what is over the limit and dropped
    bool was_handed_over;
    enum http_outcome outcome;
    char id[HTTP_MESSAGE_ID_SIZE]; // of the answer
    struct http_answer answer;     // HTTP_ANSWERED
    int64_t started_us;
    char trace_id[TRACE_ID_SIZE]; // empty: it is of no trace
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

// True: it is the connection's last.
static bool begin_to_answer(struct http_exchanges *exchanges, struct MHD_Connection *connection)
{
    http_connections_answering(exchanges->connections, connection_of(connection));
    return atomic_load(&exchanges->quiesced);
}

static enum MHD_Result send_reply(struct http_exchanges *exchanges,
                                  struct MHD_Connection *connection, enum http_reply reply,
                                  struct http_header header)
{
    bool is_last = begin_to_answer(exchanges, connection);
    return http_send_reply(connection, reply, header, is_last);
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

void http_answer_with(struct http_exchange *exchange, const struct http_answer *with)
{
    exchange->answer = *with;
    answer(exchange, HTTP_ANSWERED);
}

// The library looks at no connection that is suspended, and closes none.
bool http_client_is_gone(const struct http_exchange *exchange)
{
    char byte;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    ssize_t size = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

// ---- a request's head ---------------------------------------------------------------------------

static struct routes *current_routes(struct http_exchanges *exchanges)
{
    pthread_mutex_lock(&exchanges->lock);
    struct routes *routes = exchanges->routes ? routes_ref(exchanges->routes) : NULL;
    pthread_mutex_unlock(&exchanges->lock);
    return routes;
}

// Of a query with too many parameters nothing is left for the library to read. It lends as const
// what it is about to cut itself.
static bool cut_query(const char *target)
{
    if (!http_parameters_are_too_many(target))
        return false;
    *((char *)(uintptr_t)strchr(target, '?') + 1) = '\0';
    return true;
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
        client->query_is_cut = target && cut_query(target);
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

static struct api_keys *current_keys(struct http_exchanges *exchanges)
{
    pthread_mutex_lock(&exchanges->lock);
    struct api_keys *keys = api_keys_ref(exchanges->keys);
    pthread_mutex_unlock(&exchanges->lock);
    return keys;
}

// RFC 9110 §11.6.1: a 401 names a scheme by which one is let in. The admin listener takes a bearer
// token. The mail listener takes none, only X-Api-Key, for which there is no registered scheme: so
// it says so by one that clients do not know, and neither answer nor ask anybody for.
static const char *challenge_of(enum http_service service)
{
    return service == HTTP_MAIL ? "ApiKey realm=\"mail\", header=\"X-Api-Key\""
                                : "Bearer realm=\"admin\"";
}

static enum MHD_Result refuse(struct http_exchanges *exchanges, struct MHD_Connection *connection,
                              const struct http_verdict *verdict)
{
    struct http_header header = {"Allow", verdict->allow};
    if (verdict->reply == REPLY_UNAUTHORIZED)
        header = (struct http_header){"WWW-Authenticate", challenge_of(exchanges->service)};
    return send_reply(exchanges, connection, verdict->reply, header);
}

static bool is_refusal(const struct http_verdict *verdict)
{
    return verdict->reason != NULL;
}

// Decides over a request before its body is read. routes or keys are those of the service.
static struct http_verdict examine(struct http_exchanges *exchanges, const struct routes *routes,
                                   const struct api_keys *keys, const struct http_request *request)
{
    if (exchanges->service == HTTP_ADMIN)
        return http_examine_admin(request, keys, exchanges->body_limit_bytes);
    if (exchanges->service == HTTP_CONTROL)
        return http_examine_control(request, exchanges->body_limit_bytes);
    struct http_verdict verdict = http_examine_mail(request, routes, exchanges->body_limit_bytes);
    if (verdict.reply == REPLY_NOT_READY && exchanges->handlers.ready(exchanges->handlers.context))
        verdict.reply = REPLY_HEALTHY;
    return verdict;
}

static struct http_exchange *create_exchange(struct http_exchanges *exchanges,
                                             struct MHD_Connection *connection,
                                             const struct http_head *head,
                                             const struct http_verdict *verdict,
                                             struct routes *routes, struct api_keys *keys)
{
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    *exchange = (struct http_exchange){.exchanges = exchanges,
                                       .routes = routes ? routes_ref(routes) : NULL,
                                       .keys = api_keys_ref(keys),
                                       .connection = connection,
                                       .phase = verdict->reply == REPLY_ACCEPTED ? EXCHANGE_UPLOAD
                                                                                 : EXCHANGE_REFUSED,
                                       .verdict = *verdict,
                                       .started_us = clock_boot_us()};
    if (head->traceparent && !head->has_two_traces)
        traceparent_parse(head->traceparent, exchange->trace_id);
    buffer_init(&exchange->body, exchanges->body_limit_bytes);
    return exchange;
}

static enum MHD_Result begin_with(struct http_exchanges *exchanges,
                                  struct MHD_Connection *connection,
                                  const struct http_request *request, struct routes *routes,
                                  struct api_keys *keys, void **ret_exchange)
{
    const struct http_verdict verdict = examine(exchanges, routes, keys, request);
    if (verdict.is_admitted)
        http_connections_admitted(exchanges->connections, connection_of(connection));
    if (is_refusal(&verdict))
        http_journal_refusal(&exchanges->journal, &verdict);
    // An answer before the request is whole closes the connection: right where a body is not
    // wanted, and a pity for a health check.
    bool has_body = request->head->transfer_encoding || request->head->length > 0;
    if (verdict.reply != REPLY_ACCEPTED && (has_body || http_reply_closes(verdict.reply))) {
        http_connections_refused(exchanges->connections, connection_of(connection));
        return refuse(exchanges, connection, &verdict);
    }
    *ret_exchange = create_exchange(exchanges, connection, request->head, &verdict, routes, keys);
    return *ret_exchange
               ? MHD_YES
               : send_reply(exchanges, connection, REPLY_UNAVAILABLE, (struct http_header){0});
}

static enum MHD_Result begin(struct http_exchanges *exchanges, struct MHD_Connection *connection,
                             const struct http_request *request, void **ret_exchange)
{
    struct routes *routes = current_routes(exchanges);
    struct api_keys *keys = current_keys(exchanges);
    enum MHD_Result result = begin_with(exchanges, connection, request, routes, keys, ret_exchange);
    routes_unref(routes);
    api_keys_destroy(keys);
    return result;
}

// ---- its body, and its end ----------------------------------------------------------------------

static void take_body(struct http_exchange *exchange, const char *data, size_t size)
{
    buffer_append(&exchange->body, data, size);
    exchange->body_size += size;
}

// The exchange may be gone before the handler returns, so what a call says is taken out of it.
static void give_call(struct http_exchange *exchange, const struct http_request *request,
                      const struct http_parameters *parameters)
{
    const struct http_handlers *handlers = &exchange->exchanges->handlers;
    char caller[API_KEY_NAME_SIZE];
    snprintf(caller, sizeof(caller), "%s", exchange->verdict.key_name);
    AUTO_BUFFER struct buffer body = exchange->body;
    buffer_init(&exchange->body, 0);
    const struct http_call call = {.method = request->method,
                                   .path = request->path,
                                   .parameters = parameters->all,
                                   .parameter_count = parameters->count,
                                   .body = body.data ? body.data : "",
                                   .body_size = body.size,
                                   .caller = caller,
                                   .may_operate = exchange->verdict.may_operate};
    handlers->call(handlers->context, exchange, &call);
}

static const char *trace_of(const struct http_exchange *exchange)
{
    return exchange->trace_id[0] ? exchange->trace_id : NULL;
}

static void give_post(struct http_exchange *exchange)
{
    const struct http_handlers *handlers = &exchange->exchanges->handlers;
    const struct http_post post = {.route = exchange->verdict.route->name,
                                   .key_name = exchange->verdict.key_name,
                                   .trace_id = trace_of(exchange),
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

static bool read_query(const struct http_exchange *exchange, struct http_parameters *parameters)
{
    const struct http_client *client = client_of(exchange->connection);
    return client && !client->query_is_cut &&
           http_parameters_read(parameters, exchange->connection);
}

// request: its method and path.
static enum MHD_Result hand_over(struct http_exchange *exchange, const struct http_request *request)
{
    struct http_exchanges *exchanges = exchange->exchanges;
    struct http_parameters parameters = {0};
    bool is_call = exchanges->service != HTTP_MAIL;
    enum MHD_Result result = MHD_YES;
    if (exchange->body.failed) {
        result = refuse_whole(exchange, exchange->body_size > exchanges->body_limit_bytes
                                            ? REPLY_TOO_LARGE
                                            : REPLY_UNAVAILABLE);
    } else if (is_call && !read_query(exchange, &parameters)) {
        result = refuse_whole(exchange, REPLY_BAD_QUERY);
    } else if (!begin_to_owe(exchanges)) {
        result = refuse_whole(exchange, REPLY_UNAVAILABLE);
    } else {
        http_connections_waiting(exchanges->connections, connection_of(exchange->connection));
        // Suspended first: the answer may come before the handler returns, and resumes it.
        exchange->was_handed_over = true;
        exchange->phase = EXCHANGE_WAITING;
        MHD_suspend_connection(exchange->connection);
        if (is_call)
            give_call(exchange, request, &parameters);
        else
            give_post(exchange);
    }
    http_parameters_finish(&parameters);
    return result;
}

static enum MHD_Result send_outcome(struct http_exchange *exchange)
{
    if (exchange->outcome == HTTP_ANSWERED) {
        bool is_last = begin_to_answer(exchange->exchanges, exchange->connection);
        return http_send_answer(exchange->connection, &exchange->answer, is_last);
    }
    return send_reply(exchange->exchanges, exchange->connection, http_reply_of(exchange->outcome),
                      (struct http_header){"X-Message-Id", exchange->id});
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
            return hand_over(exchange, &(struct http_request){NULL, method, path});
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
        return send_outcome(exchange);
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
                                         .trace_id = trace_of(exchange),
                                         .route = verdict->route ? verdict->route->name : NULL,
                                         .key_name = verdict->key_name,
                                         .body_size = exchange->body_size,
                                         .took_us = clock_boot_us() - exchange->started_us});
    }
    buffer_finish(&exchange->body);
    free(exchange->answer.body);
    free(exchange->answer.link);
    routes_unref(exchange->routes);
    api_keys_destroy(exchange->keys);
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
