// connections_fixture.h - connections whose far ends are held by the test, and their table.
//
// To be included behind cmocka.h.
#ifndef TESTS_UNIT_RELAY_CONNECTIONS_FIXTURE_H
#define TESTS_UNIT_RELAY_CONNECTIONS_FIXTURE_H

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/http/connections.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NEVER_MS = 3600 * 1000 };

// A connection whose far end is held by the test.
struct pair {
    int near, far;
    struct http_connection *connection;
};

struct tally {
    size_t late, crowded, admitted;
};

static inline void on_ended(void *context, enum http_connection_end why, bool was_admitted)
{
    struct tally *tally = context;
    *(why == HTTP_CONNECTION_LATE ? &tally->late : &tally->crowded) += 1;
    tally->admitted += was_admitted;
}

static inline struct http_connections *create(struct tally *tally, size_t total, size_t per_address,
                                              int64_t request_ms, int64_t idle_ms)
{
    struct error err = {0};
    const struct http_connection_limits limits = {total,   per_address, request_ms,
                                                  idle_ms, on_ended,    tally};
    struct http_connections *connections = http_connections_create(&limits, &err);
    assert_non_null(connections);
    return connections;
}

static inline struct pair open_from(struct http_connections *connections, const char *address)
{
    struct sockaddr_storage from = {0};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
        memcpy(&from, &v6, sizeof(v6));
    else if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        memcpy(&from, &v4, sizeof(v4));
    else
        fail_msg("%s is no address", address);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = {.near = fds[0], .far = fds[1]};
    pair.connection = http_connections_opened(connections, pair.near, (struct sockaddr *)&from);
    assert_non_null(pair.connection);
    return pair;
}

static inline void close_pair(struct http_connections *connections, struct pair *pair)
{
    http_connections_closed(connections, pair->connection);
    close(pair->near);
    close(pair->far);
}

static inline bool is_ended(const struct pair *pair)
{
    char byte;
    return recv(pair->far, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

#endif
