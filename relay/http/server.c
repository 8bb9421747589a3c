#include "relay/http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/http/connections.h"
#include "relay/http/exchange.h"

enum {
    CONNECTIONS_MAX = 256,
    CONNECTIONS_PER_ADDRESS_MAX = 64,
    // The library stops accepting where it has as many as it may, so it never gets there.
    CONNECTIONS_SPARE = 64,
    CONNECTION_MEMORY_BYTES = 32 * 1024,
    IDLE_S = 120, // above Go's 90 s, so that it is never us who closes while Kratos posts
    REQUEST_MS = 10000,
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_exchanges exchanges;
    char address[ENDPOINT_TEXT_SIZE];
};

void http_server_set_routes(struct http_server *server, struct routes *routes)
{
    routes_ref(routes);
    pthread_mutex_lock(&server->exchanges.lock);
    struct routes *before = server->exchanges.routes;
    server->exchanges.routes = routes;
    pthread_mutex_unlock(&server->exchanges.lock);
    routes_unref(before);
}

void http_server_set_keys(struct http_server *server, struct api_keys *keys)
{
    api_keys_ref(keys);
    pthread_mutex_lock(&server->exchanges.lock);
    struct api_keys *before = server->exchanges.keys;
    server->exchanges.keys = keys;
    pthread_mutex_unlock(&server->exchanges.lock);
    api_keys_destroy(before);
}

// ---- connections, and the library ---------------------------------------------------------------

static void open_client(struct http_server *server, struct MHD_Connection *connection,
                        void **ret_client)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_client *client = calloc(1, sizeof(*client));
    if (client)
        client->connection = http_connections_opened(server->exchanges.connections, fd->connect_fd,
                                                     address ? address->client_addr : NULL);
    else
        shutdown(fd->connect_fd, SHUT_RDWR);
    *ret_client = client;
}

// The library closes the descriptor after it has told of the end.
static void on_connection(void *context, struct MHD_Connection *connection, void **client,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        open_client(server, connection, client);
        return;
    }
    if (*client)
        http_connections_closed(server->exchanges.connections,
                                ((struct http_client *)*client)->connection);
    free(*client);
    *client = NULL;
}

static void on_connection_ended(void *context, enum http_connection_end why, bool was_admitted)
{
    (void)context;
    LOG(LOG_DEBUG, "connection_reaped",
        LOG_STRING("reason", why == HTTP_CONNECTION_LATE ? "late" : "crowded"),
        LOG_BOOLEAN("had_key", was_admitted));
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
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX + CONNECTIONS_SPARE, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    // Poll, not epoll: its epoll loop stalls where 128 events come together, which a group
    // commit brings about.
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, http_exchanges_request, &server->exchanges, MHD_OPTION_EXTERNAL_LOGGER,
        on_library_message, NULL, MHD_OPTION_NOTIFY_COMPLETED, http_exchanges_completed,
        &server->exchanges, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_URI_LOG_CALLBACK, http_exchanges_target, &server->exchanges,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_ARRAY, options,
        MHD_OPTION_END);
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

static const char *listener_name(enum http_service service)
{
    switch (service) {
    case HTTP_MAIL:
        return "mail";
    case HTTP_ADMIN:
        return "admin";
    case HTTP_CONTROL:
        break;
    }
    return "control";
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
    server->exchanges.service = options->service;
    server->exchanges.journal.listener = listener_name(options->service);
    server->exchanges.body_limit_bytes = options->body_limit_bytes;
    server->exchanges.handlers = *handlers;
    server->exchanges.routes = options->routes ? routes_ref(options->routes) : NULL;
    server->exchanges.keys = api_keys_ref(options->keys);
    pthread_mutex_init(&server->exchanges.lock, NULL);
    pthread_cond_init(&server->exchanges.settled, NULL);

    int fd = options->listen_fd >= 0 ? options->listen_fd
                                     : endpoint_listen(&options->listen, HTTP_BACKLOG, err);
    if (fd < 0 || !set_up_socket(server, fd, err))
        goto fail;
    const struct http_connection_limits limits = {
        .total = CONNECTIONS_MAX,
        .per_address =
            options->service == HTTP_CONTROL ? CONNECTIONS_MAX : CONNECTIONS_PER_ADDRESS_MAX,
        .request_ms = options->request_ms > 0 ? options->request_ms : REQUEST_MS,
        .idle_ms = IDLE_S * 1000,
        .ended = on_connection_ended};
    server->exchanges.connections = http_connections_create(&limits, err);
    if (!server->exchanges.connections)
        goto fail;
    server->daemon = start_daemon(server, fd);
    if (!server->daemon) {
        error_set(err, ERR_IO, "the HTTP server on %s does not start", server->address);
        goto fail;
    }
    LOG(LOG_INFO, "listening", LOG_STRING("listener", listener_name(options->service)),
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
    if (atomic_exchange(&server->exchanges.quiesced, true) || !server->daemon)
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
    pthread_mutex_lock(&server->exchanges.lock);
    while (server->exchanges.owed > 0 || server->exchanges.answering > 0)
        pthread_cond_wait(&server->exchanges.settled, &server->exchanges.lock);
    server->exchanges.closing = true; // the library aborts where it stops with one suspended
    pthread_mutex_unlock(&server->exchanges.lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    http_connections_destroy(server->exchanges.connections);
    pthread_cond_destroy(&server->exchanges.settled);
    pthread_mutex_destroy(&server->exchanges.lock);
    routes_unref(server->exchanges.routes);
    api_keys_destroy(server->exchanges.keys);
    free(server);
}
