#include "relay/dispatch/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/dispatch/composition.h"
#include "relay/dispatch/dispatch.h"

// False: it is an order, and none is taken any more.
static bool leave(struct dispatcher *dispatcher, struct notice *notice)
{
    notice->next = NULL;
    pthread_mutex_lock(&dispatcher->inbox_lock);
    if (notice->kind == NOTICE_ORDERED && dispatcher->orders_closed) {
        pthread_mutex_unlock(&dispatcher->inbox_lock);
        return false;
    }
    bool was_empty = dispatcher->inbox == NULL;
    *dispatcher->inbox_end = notice;
    dispatcher->inbox_end = &notice->next;
    pthread_mutex_unlock(&dispatcher->inbox_lock);
    // Where something lay there already, its leaver has woken the dispatcher. An eventfd of a
    // counter that never gets near its limit cannot fail to be written.
    if (was_empty && eventfd_write(dispatcher->wake.fd, 1) < 0)
        abort();
    return true;
}

void dispatcher_offer(struct dispatcher *dispatcher, const struct queue_accept *accept)
{
    if (atomic_load(&dispatcher->load_count) >= JOBS_MAX ||
        atomic_load(&dispatcher->load_bytes) + accept->payload_size > JOBS_BYTES_MAX)
        return;
    struct job *job = job_create(accept->id, accept->route, accept->payload, accept->payload_size);
    if (!job)
        return;
    atomic_fetch_add(&dispatcher->load_count, 1);
    atomic_fetch_add(&dispatcher->load_bytes, accept->payload_size);
    job->received_ms = accept->received_ms;
    job_set_trace(job, accept->trace_id);
    job->notice = (struct notice){.kind = NOTICE_OFFERED, .job = job};
    leave(dispatcher, &job->notice);
}

void dispatcher_committed(struct dispatcher *dispatcher, const char *id, enum queue_result result)
{
    // Without memory for the note the message stays `received` on disk until the next start,
    // so this is one of the small allocations that end the process: it comes back at once.
    struct notice *notice = calloc(1, sizeof(*notice));
    if (!notice)
        abort();
    *notice = (struct notice){.kind = NOTICE_COMMITTED, .result = result};
    snprintf(notice->id, sizeof(notice->id), "%s", id);
    leave(dispatcher, notice);
}

void inbox_written(void *context, enum queue_result result, const char *id)
{
    (void)id;
    struct job *job = context;
    job->notice = (struct notice){.kind = NOTICE_WRITTEN, .job = job, .result = result};
    leave(job->dispatcher, &job->notice);
}

void dispatcher_released(struct dispatcher *dispatcher)
{
    struct notice *notice = calloc(1, sizeof(*notice)); // see dispatcher_committed()
    if (!notice)
        abort();
    *notice = (struct notice){.kind = NOTICE_RELEASED};
    leave(dispatcher, notice);
}

struct smarthost_order {
    struct notice notice; // first
    enum smarthost_act act;
    char name[SMARTHOST_NAME_SIZE]; // empty: all
    dispatcher_ordered_fn *done;
    void *context;
};

void dispatcher_order(struct dispatcher *dispatcher, enum smarthost_act act, const char *name,
                      dispatcher_ordered_fn *done, void *context)
{
    struct smarthost_order *order = calloc(1, sizeof(*order));
    if (order) {
        *order = (struct smarthost_order){
            .notice = {.kind = NOTICE_ORDERED}, .act = act, .done = done, .context = context};
        snprintf(order->name, sizeof(order->name), "%s", name ? name : "");
        if (leave(dispatcher, &order->notice))
            return;
    }
    free(order);
    done(context, NULL);
}

static void carry_out(struct dispatcher *dispatcher, struct smarthost_order *order)
{
    const char *name = order->act == SMARTHOSTS_LIST ? NULL : order->name;
    if (name)
        deliverers_pause(dispatcher->deliverers, name, order->act == SMARTHOST_PAUSE);
    json_auto_t *smarthosts = deliverers_describe(dispatcher->deliverers, name);
    order->done(order->context, smarthosts);
    free(order);
}

static void payload_committed(struct dispatcher *dispatcher, const char *id,
                              enum queue_result result)
{
    struct job *job = job_table_find(&dispatcher->jobs, id);
    if (!job) {
        if (result == QUEUE_DONE)
            dispatcher->received_waiting = true;
        return;
    }
    if (result != QUEUE_DONE) {
        dispatcher_release(dispatcher, job);
        return;
    }
    job->stored = true;
    if (job->state == JOB_WAITING)
        admission_decide(dispatcher, job);
}

static void take_offer(struct dispatcher *dispatcher, struct job *job)
{
    // A quick commit may have brought the row in by way of the queue before this note was read;
    // two jobs for one row would be two mails.
    bool is_here = job_table_find(&dispatcher->jobs, job->id) != NULL;
    dispatcher_adopt(dispatcher, job);
    if (is_here || dispatcher->marks_left) // then its commit has it looked for in the queue
        dispatcher_release(dispatcher, job);
    else
        composition_begin(dispatcher, job, COMPOSE_PAYLOAD);
}

static void take_notice(struct dispatcher *dispatcher, struct notice *notice)
{
    struct job *job = notice->job;
    switch (notice->kind) {
    case NOTICE_OFFERED:
        take_offer(dispatcher, job);
        break;
    case NOTICE_COMMITTED:
        payload_committed(dispatcher, notice->id, notice->result);
        free(notice);
        break;
    case NOTICE_RELEASED: // to `received` or to `queued`, and its deadline may have passed
        dispatcher->received_waiting = true;
        dispatcher->due_at_ms = dispatcher->overdue_at_ms = 0;
        free(notice);
        break;
    case NOTICE_ORDERED:
        carry_out(dispatcher, (struct smarthost_order *)(void *)notice);
        break;
    case NOTICE_WRITTEN:
        if (job->is_claiming)
            backlog_claimed(dispatcher, job, notice->result);
        else
            settlement_written(dispatcher, job, notice->result);
        break;
    }
}

void inbox_empty(struct dispatcher *dispatcher)
{
    pthread_mutex_lock(&dispatcher->inbox_lock);
    struct notice *notice = dispatcher->inbox;
    dispatcher->inbox = NULL;
    dispatcher->inbox_end = &dispatcher->inbox;
    pthread_mutex_unlock(&dispatcher->inbox_lock);
    while (notice) {
        struct notice *next = notice->next; // the notice goes with its job
        take_notice(dispatcher, notice);
        notice = next;
    }
}

void dispatcher_close_orders(struct dispatcher *dispatcher)
{
    pthread_mutex_lock(&dispatcher->inbox_lock);
    dispatcher->orders_closed = true;
    pthread_mutex_unlock(&dispatcher->inbox_lock);
    inbox_empty(dispatcher);
}

static void on_wake(void *context, uint32_t events)
{
    (void)events;
    struct dispatcher *dispatcher = context;
    eventfd_t count;
    eventfd_read(dispatcher->wake.fd, &count);
    inbox_empty(dispatcher);
}

bool inbox_open(struct dispatcher *dispatcher, struct error *err)
{
    pthread_mutex_init(&dispatcher->inbox_lock, NULL);
    dispatcher->inbox_end = &dispatcher->inbox;
    dispatcher->wake = (struct event_source){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_wake, .context = dispatcher};
    if (dispatcher->wake.fd < 0)
        return error_errno(err, ERR_IO, "eventfd");
    return event_loop_add(dispatcher->loop, &dispatcher->wake, EPOLLIN, err);
}

void inbox_close(struct dispatcher *dispatcher)
{
    if (dispatcher->wake.fd >= 0) {
        event_loop_remove(dispatcher->loop, &dispatcher->wake);
        close(dispatcher->wake.fd);
    }
    pthread_mutex_destroy(&dispatcher->inbox_lock);
}
