// request.h - one request to the admin API on its way through threads; private to relay/admin.
#ifndef RELAY_ADMIN_REQUEST_H
#define RELAY_ADMIN_REQUEST_H

#include <jansson.h>
#include <stdatomic.h>

#include "queue/queue.h"
#include "relay/admin/admin.h"
#include "relay/admin/query.h"
#include "relay/admin/router.h"
#include "relay/admin/worker.h"
#include "relay/http/server.h"
#include "relay/metrics.h"

// A thread with a reader of its own.
struct admin_desk {
    struct admin_worker *worker;
    struct queue_reader *reader;
};

struct admin {
    struct queue *queue;
    struct dispatcher *dispatcher;
    // A long act holds up no list, and long lists do not hold up counts.
    struct admin_desk looking, counting, acting;
    struct metrics_sources metrics; // of the thread that counts
    atomic_bool stopping;
    int dir_fd; // of the queue's folder
    struct http_server *listener, *control;
};

struct admin_request {
    struct admin_task task;                     // first
    void (*run)(struct admin_request *request); // in a desk's thread; takes the request over
    struct admin *admin;
    struct http_exchange *exchange;
    char caller[API_KEY_NAME_SIZE];
    struct admin_route route; // without its name, which is
    char *name;               // the id, or the smarthost's, decoded
    struct admin_query query;
    struct http_parameter *parameters; // a copy
    size_t parameter_count;
};

// NULL: it was answered.
struct admin_request *admin_request_create(struct admin *admin, struct http_exchange *exchange,
                                           const struct http_call *call,
                                           const struct admin_route *route);

// Each answers, and then frees the request (NULL: none).
void admin_answer_json(struct http_exchange *exchange, struct admin_request *request, json_t *value,
                       char *link); // takes both over; value NULL: no memory
void admin_answer_error(struct http_exchange *exchange, struct admin_request *request,
                        unsigned status, const char *name, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void admin_answer_with(struct http_exchange *exchange, struct admin_request *request,
                       const struct http_answer *answer);

// What each route does; each takes the request over.
void admin_list(struct admin_request *request);
void admin_show(struct admin_request *request);
void admin_stats(struct admin_request *request);
void admin_metrics(struct admin_request *request);
void admin_act(struct admin_request *request);
void admin_act_on_all(struct admin_request *request);
void admin_smarthosts(struct admin_request *request);
void admin_rekey(struct admin_request *request);
void admin_back_up(struct admin_request *request, const struct http_call *call);

// Writes the audit log: that it was done.
void admin_audit_message(const struct admin_request *request, const char *id);
void admin_audit_filter(const struct admin_request *request, size_t done, size_t skipped);
void admin_audit_smarthost(const struct admin_request *request, const char *smarthost);
void admin_audit_key(const struct admin_request *request, const char *key_id);
void admin_audit_backup(const struct admin_request *request, const char *file);

#endif
