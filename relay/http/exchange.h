// exchange.h - one request and its answer, over libmicrohttpd. Part of http_server.
//
// The library calls in three times and more: with the request's first line, with its head, with
// each part of its body, with its end, and when it has sent the answer. An exchange lives from
// the head to the sent answer.
#ifndef RELAY_HTTP_EXCHANGE_H
#define RELAY_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/http/journal.h"
#include "relay/http/server.h"

struct http_connection;
struct http_connections;

// All exchanges of a listener, and what they share. Its members are http_server's to set.
struct http_exchanges {
    enum http_service service;
    struct http_handlers handlers;
    size_t body_limit_bytes;
    struct http_connections *connections;
    atomic_bool quiesced; // each answer is its connection's last

    pthread_mutex_t lock;
    pthread_cond_t settled; // one of the two counts has fallen
    struct routes *routes;
    struct api_keys *keys;
    size_t owed;      // requests handed over whose answer has not left yet
    size_t answering; // threads inside http_answer(): the library must not go before they are out
    bool closing;     // nothing is handed over any more: the library may go at any moment

    struct http_journal journal; // of the library's thread
};

// What is known of a connection beside its present request: the library's socket context, NULL
// where there was no memory for it.
struct http_client {
    struct http_connection *connection;
    // Of the present request's target, before the library cuts it.
    const char *target;
    size_t target_size;
    bool target_is_odd;
    bool query_is_cut; // it had too many parameters, and has none now
};

// The library's callbacks, in its thread. The context is a struct http_exchanges.
void *http_exchanges_target(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_exchanges_request(void *context, struct MHD_Connection *connection,
                                       const char *path, const char *method, const char *version,
                                       const char *data, size_t *data_size, void **request);
void http_exchanges_completed(void *context, struct MHD_Connection *connection, void **request,
                              enum MHD_RequestTerminationCode code);

#endif
