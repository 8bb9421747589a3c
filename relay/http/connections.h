// connections.h - the open connections of a listener, and which of them must go.
//
// The library that serves them knows one limit in time, silence, and turns the newest away where
// there are too many. Here each connection has a deadline for its request, and where there are
// too many the oldest goes that never showed a valid key, or else the one that has been idle for
// longest: so neither silence nor a crowd keeps Kratos out, nor a proxy that keeps many
// connections. Ending means shutting the socket down; the library sees that and closes it.
//
// A thread of its own watches the deadlines. Any thread may call any function. Knows sockets and
// no HTTP. Never logs.
#ifndef RELAY_HTTP_CONNECTIONS_H
#define RELAY_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/error.h"

struct http_connections;
struct http_connection;

enum http_connection_end {
    HTTP_CONNECTION_LATE,    // its request, or the reading of its answer, took too long
    HTTP_CONNECTION_CROWDED, // one too many, in all or of its address
};

struct http_connection_limits {
    size_t total;
    size_t per_address; // an IPv6 address counts by its /64
    int64_t request_ms; // from accept, or from a request's first line, to its end
    int64_t idle_ms;    // from an answer's end to the next request's first line
    // Tells of each that was ended; called in any thread, with the table locked: do little, and
    // call nothing of this module.
    void (*ended)(void *context, enum http_connection_end why, bool was_admitted);
    void *context;
};

struct http_connections *http_connections_create(const struct http_connection_limits *limits,
                                                 struct error *err);
// Once all connections were told to be closed. NULL is a no-op.
void http_connections_destroy(struct http_connections *connections);

// A connection was accepted. fd is borrowed until http_connections_closed(). NULL where there is
// no memory: it was shut down.
struct http_connection *http_connections_opened(struct http_connections *connections, int fd,
                                                const struct sockaddr *address);
// To be called before fd is closed. NULL is a no-op, here and below.
void http_connections_closed(struct http_connections *connections,
                             struct http_connection *connection);

// What happens on a connection, in this order; each may be left out.
void http_connections_begun(struct http_connections *connections,
                            struct http_connection *connection); // a request's first line is in
// It showed a valid key: from now on it is ended for room only while it is idle, that is between
// an answer and the next request, and only for the few that may still be about to show theirs.
void http_connections_admitted(struct http_connections *connections,
                               struct http_connection *connection);
// Its request is whole: it waits for us, as long as that takes.
void http_connections_waiting(struct http_connections *connections,
                              struct http_connection *connection);
void http_connections_answering(struct http_connections *connections,
                                struct http_connection *connection); // has to take the answer now
// The request's body is not read any more. What still comes of it is drained once the connection
// is closed, so that the client finds its answer.
void http_connections_refused(struct http_connections *connections,
                              struct http_connection *connection);
void http_connections_answered(struct http_connections *connections,
                               struct http_connection *connection); // the answer has left

#endif
