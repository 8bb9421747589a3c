#include "relay/http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/http_head.h"
#include "relay/http_reply.h"

enum {
    BACKLOG = 511,
    CONNECTIONS_MAX = 256,
    CONNECTIONS_PER_ADDRESS_MAX = 64,
    CONNECTION_MEMORY_BYTES = 32 * 1024,
    IDLE_S = 120, // above Go's 90 s, so that it is never us who closes while Kratos posts
    BODY_LIMIT_MS = 10000,
    REFUSAL_LOG_MS = 1000,
    ID_LENGTH = 36,
    MESSAGE_ID_SIZE = 64,
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_options options;
    struct http_handlers handlers;
    char address[ENDPOINT_TEXT_SIZE];
    atomic_bool quiesced;

    pthread_mutex_t lock;
    pthread_cond_t settled;
    struct routes *routes;
    size_t owed;      // payloads handed over whose answer has not left yet
    size_t answering; // threads inside http_answer(): the daemon must not go before they are out

    // Of the server's thread: refusals that were not logged one by one.
    int64_t refusal_logged_ms;
    int64_t refusals_kept_back;
};

enum exchange_phase {
    EXCHANGE_REFUSED,  // has no body to refuse; answered when the request is whole
    EXCHANGE_UPLOAD,   // the body comes in
    EXCHANGE_WAITING,  // handed over; the connection is suspended
    EXCHANGE_ANSWERED, // http_answer() was called; not sent yet
    EXCHANGE_REPLIED,  // libmicrohttpd has the reply
};

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum exchange_phase phase;
    struct routes *routes; // keeps the next two
    const struct route *route;
    const char *key_name;
    struct buffer body;
    size_t body_size;        // also of what is over the limit and dropped
    enum http_reply refusal; // EXCHANGE_REFUSED
    enum http_outcome outcome;
    char id[MESSAGE_ID_SIZE];
    int64_t started_us;
};

static enum MHD_Result send_reply(struct http_server *server, struct MHD_Connection *connection,
                                  enum http_reply reply, const char *header, const char *value)
{
    const char *body = http_reply_body(reply);
    // Persistent memory is never written to; the library's type only forgets to say so.
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    bool ok = true;
    if (*body)
        ok = MHD_add_response_header(response, "Content-Type", "application/json") == MHD_YES;
    if (header && value && *value)
        ok = ok && MHD_add_response_header(response, header, value) == MHD_YES;
    if (reply == REPLY_BAD_REQUEST || atomic_load(&server->quiesced))
        ok = ok && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    enum MHD_Result result =
        ok ? MHD_queue_response(connection, http_reply_status(reply), response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

// Strangers can cause as many refusals as they like, so they get one line a second.
static void log_refusal(struct http_server *server, enum http_reply reply, const char *path)
{
    int64_t now_ms = clock_boot_ms();
    if (server->refusal_logged_ms && now_ms < server->refusal_logged_ms + REFUSAL_LOG_MS) {
        server->refusals_kept_back++;
        return;
    }
    LOG(LOG_WARNING, reply == REPLY_UNAUTHORIZED ? "unauthorized" : "refused",
        LOG_INTEGER("status", http_reply_status(reply)),
        LOG_STRING("reason", http_reply_name(reply)), LOG_STRING("path", path),
        LOG_INTEGER("kept_back", server->refusals_kept_back));
    server->refusal_logged_ms = now_ms;
    server->refusals_kept_back = 0;
}

static enum http_reply outcome_reply(enum http_outcome outcome)
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
    case HTTP_RELEASED:
        return REPLY_RELEASED;
    case HTTP_NO_MESSAGE:
        return REPLY_NO_MESSAGE;
    case HTTP_WRONG_STATE:
        return REPLY_WRONG_STATE;
    }
    return REPLY_UNAVAILABLE;
}

// What was done to a message is for whoever did it to log.
static void log_outcome(const struct http_exchange *exchange)
{
    if (exchange->server->options.service == HTTP_CONTROL)
        return;
    enum log_level level = LOG_INFO;
    const char *event = "accepted", *reason = NULL;
    switch (exchange->outcome) {
    case HTTP_ACCEPTED:
        break;
    case HTTP_DUPLICATE:
        event = "duplicate";
        break;
    case HTTP_EMPTY: // somebody waits for a mail that will never come
        level = LOG_ERROR;
        event = "empty_payload";
        break;
    case HTTP_NOT_JSON:
    case HTTP_UNAVAILABLE:
        level = LOG_WARNING;
        event = "refused";
        reason = http_reply_name(outcome_reply(exchange->outcome));
        break;
    case HTTP_RELEASED:
    case HTTP_NO_MESSAGE:
    case HTTP_WRONG_STATE:
        break;
    }
    LOG(level, event, LOG_STRING("id", *exchange->id ? exchange->id : NULL),
        LOG_STRING("reason", reason), LOG_STRING("route", exchange->route->name),
        LOG_STRING("key", exchange->key_name), LOG_INTEGER("size", (int64_t)exchange->body_size),
        LOG_INTEGER("us", clock_boot_us() - exchange->started_us));
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    http_head_take(context, name, name_size, value ? value : "", value ? value_size : 0);
    return MHD_YES;
}

// Decides over a request before its body is read, so that a stranger costs nothing.
// REPLY_ACCEPTED: the body is wanted.
static enum http_reply examine(const struct http_server *server, const struct routes *routes,
                               const struct http_head *head, const char *method, const char *path,
                               const struct route **ret_route, const char **ret_key_name)
{
    if (!http_head_is_sound(head))
        return REPLY_BAD_REQUEST;
    enum route_match match = routes_match(routes, method, path, ret_route);
    if (match == ROUTE_NO_PATH)
        return REPLY_NOT_FOUND;
    if (match == ROUTE_NO_METHOD)
        return REPLY_WRONG_METHOD;
    if ((*ret_route)->kind == ROUTE_LIVE)
        return REPLY_HEALTHY;
    if ((*ret_route)->kind == ROUTE_READY)
        return server->handlers.ready(server->handlers.context) ? REPLY_HEALTHY : REPLY_NOT_READY;

    // An absent key takes the same way as a wrong one.
    if (routes_admit(routes, *ret_route, head->api_key ? head->api_key : "", head->api_key_size,
                     clock_wall_ms(), ret_key_name) != ROUTE_ADMITTED)
        return REPLY_UNAUTHORIZED;
    if (!http_head_is_json(head))
        return REPLY_WRONG_TYPE;
    if (head->has_length && (uint64_t)head->length > server->options.body_limit_bytes)
        return REPLY_TOO_LARGE;
    return REPLY_ACCEPTED;
}

// Copies the id out of "/admin/messages/{id}/release".
static bool parse_release(const char *path, char ret_id[MESSAGE_ID_SIZE])
{
    static const char before[] = "/admin/messages/", behind[] = "/release";
    if (strncmp(path, before, sizeof(before) - 1) != 0)
        return false;
    const char *id = path + sizeof(before) - 1;
    if (strspn(id, "0123456789abcdef-") != ID_LENGTH || strcmp(id + ID_LENGTH, behind) != 0)
        return false;
    snprintf(ret_id, MESSAGE_ID_SIZE, "%.*s", ID_LENGTH, id);
    return true;
}

static enum http_reply examine_control(const struct http_head *head, const char *method,
                                       const char *path, char ret_id[MESSAGE_ID_SIZE])
{
    if (!http_head_is_sound(head))
        return REPLY_BAD_REQUEST;
    if (!parse_release(path, ret_id))
        return REPLY_NOT_FOUND;
    return strcmp(method, "POST") == 0 ? REPLY_ACCEPTED : REPLY_WRONG_METHOD;
}

static enum MHD_Result refuse(struct http_server *server, struct MHD_Connection *connection,
                              enum http_reply reply, const struct route *route)
{
    return send_reply(server, connection, reply, "Allow",
                      reply != REPLY_WRONG_METHOD ? NULL
                      : route                     ? route->allow
                                                  : "POST");
}

static struct routes *current_routes(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct routes *routes = server->routes ? routes_ref(server->routes) : NULL;
    pthread_mutex_unlock(&server->lock);
    return routes;
}

void http_server_set_routes(struct http_server *server, struct routes *routes)
{
    routes_ref(routes);
    pthread_mutex_lock(&server->lock);
    struct routes *before = server->routes;
    server->routes = routes;
    pthread_mutex_unlock(&server->lock);
    routes_unref(before);
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection,
                             const char *method, const char *path, const char *version,
                             void **ret_exchange)
{
    struct http_head head = {.version = version};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &head);
    struct routes *routes = current_routes(server);
    const struct route *route = NULL;
    const char *key_name = NULL;
    char id[MESSAGE_ID_SIZE] = "";
    enum http_reply reply = server->options.service == HTTP_CONTROL
                                ? examine_control(&head, method, path, id)
                                : examine(server, routes, &head, method, path, &route, &key_name);
    if (reply != REPLY_ACCEPTED && reply != REPLY_HEALTHY && reply != REPLY_NOT_READY)
        log_refusal(server, reply, route ? route->path : NULL);
    // An answer before the request is whole closes the connection: right where a body is not
    // wanted, and a pity for a health check.
    bool has_body = head.transfer_encoding || head.length > 0;
    if (reply != REPLY_ACCEPTED && (has_body || reply == REPLY_BAD_REQUEST)) {
        enum MHD_Result result = refuse(server, connection, reply, route);
        routes_unref(routes);
        return result;
    }
    struct http_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        routes_unref(routes);
        return refuse(server, connection, REPLY_UNAVAILABLE, NULL);
    }
    *exchange = (struct http_exchange){.server = server,
                                       .routes = routes,
                                       .connection = connection,
                                       .phase = reply == REPLY_ACCEPTED ? EXCHANGE_UPLOAD
                                                                        : EXCHANGE_REFUSED,
                                       .refusal = reply,
                                       .route = route,
                                       .key_name = key_name,
                                       .started_us = clock_boot_us()};
    memcpy(exchange->id, id, sizeof(id));
    buffer_init(&exchange->body, server->options.body_limit_bytes);
    *ret_exchange = exchange;
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *exchange, const char *data, size_t *size)
{
    // The connection's own timeout is for silence only; a byte a second never meets it.
    if (clock_boot_us() - exchange->started_us > BODY_LIMIT_MS * INT64_C(1000))
        return MHD_NO;
    if (exchange->server->options.service == HTTP_MAIL)
        buffer_append(&exchange->body, data, *size);
    exchange->body_size += *size;
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result hand_over(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    if (exchange->body.failed) {
        enum http_reply reply = exchange->body_size > server->options.body_limit_bytes
                                    ? REPLY_TOO_LARGE
                                    : REPLY_UNAVAILABLE;
        log_refusal(server, reply, exchange->route->path);
        exchange->phase = EXCHANGE_REPLIED;
        return send_reply(server, exchange->connection, reply, NULL, NULL);
    }
    pthread_mutex_lock(&server->lock);
    server->owed++;
    pthread_mutex_unlock(&server->lock);
    // Suspended first: the answer may come before accept() returns, and resumes it.
    exchange->phase = EXCHANGE_WAITING;
    MHD_suspend_connection(exchange->connection);
    if (server->options.service == HTTP_CONTROL) {
        char id[MESSAGE_ID_SIZE]; // a copy: the answer puts its own there
        memcpy(id, exchange->id, sizeof(id));
        server->handlers.release(server->handlers.context, exchange, id);
        return MHD_YES;
    }
    const struct http_post post = {.route = exchange->route->name,
                                   .key_name = exchange->key_name,
                                   .payload = exchange->body.data ? exchange->body.data : "",
                                   .payload_size = exchange->body.size};
    server->handlers.accept(server->handlers.context, exchange, &post);
    return MHD_YES;
}

void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id)
{
    struct http_server *server = exchange->server;
    pthread_mutex_lock(&server->lock);
    server->answering++;
    pthread_mutex_unlock(&server->lock);

    exchange->outcome = outcome;
    snprintf(exchange->id, sizeof(exchange->id), "%s", id ? id : "");
    exchange->phase = EXCHANGE_ANSWERED;
    MHD_resume_connection(exchange->connection);
    // The server's thread may have ended the exchange already: it is not touched any more.

    pthread_mutex_lock(&server->lock);
    server->answering--;
    pthread_cond_signal(&server->settled);
    pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_size, void **request)
{
    struct http_server *server = context;
    struct http_exchange *exchange = *request;
    if (!exchange)
        return begin(server, connection, method, path, version, request);
    switch (exchange->phase) {
    case EXCHANGE_UPLOAD:
        return *data_size > 0 ? take_body(exchange, data, data_size) : hand_over(exchange);
    case EXCHANGE_REFUSED:
        return refuse(server, connection, exchange->refusal, exchange->route);
    case EXCHANGE_ANSWERED:
        exchange->phase = EXCHANGE_REPLIED;
        return send_reply(server, connection, outcome_reply(exchange->outcome), "X-Message-Id",
                          exchange->id);
    case EXCHANGE_WAITING:
    case EXCHANGE_REPLIED:
        break;
    }
    return MHD_YES;
}

// Also called where the client has gone away. Whoever has to answer has done so: a suspended
// connection is not looked at by the library.
static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *server = context;
    struct http_exchange *exchange = *request;
    if (!exchange)
        return;
    *request = NULL;
    // The answer has left by now, so the log costs Kratos nothing.
    bool was_handed_over = !exchange->body.failed && exchange->phase != EXCHANGE_UPLOAD &&
                           exchange->phase != EXCHANGE_REFUSED;
    if (was_handed_over)
        log_outcome(exchange);
    buffer_finish(&exchange->body);
    routes_unref(exchange->routes);
    free(exchange);
    if (!was_handed_over)
        return;
    pthread_mutex_lock(&server->lock);
    server->owed--;
    pthread_cond_signal(&server->settled);
    pthread_mutex_unlock(&server->lock);
}

// Paths are compared as they came: "%2F" is no '/'.
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void
on_library_message(void *context, const char *format, va_list args)
{
    (void)context;
    char text[256];
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG(LOG_DEBUG, "http", LOG_STRING("text", text));
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_ADDRESS_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    // Poll, not epoll: its epoll loop stalls where 128 events come together, which a group
    // commit brings about.
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static bool set_up_socket(struct http_server *server, int fd, struct error *err)
{
    int family = 0;
    socklen_t size = sizeof(family);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
        return error_errno(err, ERR_IO, "SO_DOMAIN");
    if (family == AF_UNIX) {
        snprintf(server->address, sizeof(server->address), "unix");
        return true;
    }
    const int on = 1; // connections inherit it
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        return error_errno(err, ERR_IO, "TCP_NODELAY");
    return endpoint_bound(fd, server->address, err);
}

struct http_server *http_server_create(const struct http_options *options,
                                       const struct http_handlers *handlers, struct error *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    if (!server) {
        if (options->listen_fd >= 0)
            close(options->listen_fd);
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    server->options = *options;
    server->handlers = *handlers;
    server->routes = options->routes ? routes_ref(options->routes) : NULL;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->settled, NULL);

    int fd = options->listen_fd >= 0 ? options->listen_fd
                                     : endpoint_listen(&options->listen, BACKLOG, err);
    if (fd < 0 || !set_up_socket(server, fd, err))
        goto fail;
    server->daemon = start_daemon(server, fd);
    if (!server->daemon) {
        error_set(err, ERR_IO, "the HTTP server on %s does not start", server->address);
        goto fail;
    }
    LOG(LOG_INFO, "listening",
        LOG_STRING("listener", options->service == HTTP_CONTROL ? "control" : "mail"),
        LOG_STRING("address", server->address));
    return server;
fail:
    if (fd >= 0)
        close(fd);
    http_server_destroy(server);
    return NULL;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

void http_server_quiesce(struct http_server *server)
{
    if (atomic_exchange(&server->quiesced, true) || !server->daemon)
        return;
    int fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
}

void http_server_destroy(struct http_server *server)
{
    if (!server)
        return;
    http_server_quiesce(server);
    pthread_mutex_lock(&server->lock);
    while (server->owed > 0 || server->answering > 0)
        pthread_cond_wait(&server->settled, &server->lock);
    pthread_mutex_unlock(&server->lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    pthread_cond_destroy(&server->settled);
    pthread_mutex_destroy(&server->lock);
    routes_unref(server->routes);
    free(server);
}
