#include "relay/dispatch/dispatcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/children/composer_session.h"
#include "relay/children/confinement.h"
#include "relay/dispatch/composition.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/expiry.h"

enum {
    FIRST_SWEEP_MS = 60 * 1000,
    LOOK_AGAIN_MS = 1000, // where nothing tells when a look would find something new
};

void dispatcher_adopt(struct dispatcher *dispatcher, struct job *job)
{
    job->dispatcher = dispatcher;
    job_table_add(&dispatcher->jobs, job);
}

void dispatcher_release(struct dispatcher *dispatcher, struct job *job)
{
    rate_gate_leave(dispatcher, job);
    if (job->state == JOB_COMPOSING)
        composers_forget(dispatcher->composers, &job->request);
    if (job->received_ms > dispatcher->newest_released_ms)
        dispatcher->newest_released_ms = job->received_ms;
    job_table_remove(&dispatcher->jobs, job);
    atomic_fetch_sub(&dispatcher->load_count, 1);
    atomic_fetch_sub(&dispatcher->load_bytes, job->body_size);
    job_destroy(job);
}

// ---- the inbox: what other threads leave ------------------------------------------------------

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

void dispatcher_written(void *context, enum queue_result result, const char *id)
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

static void empty_inbox(struct dispatcher *dispatcher)
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
    empty_inbox(dispatcher);
}

static void on_wake(void *context, uint32_t events)
{
    (void)events;
    struct dispatcher *dispatcher = context;
    eventfd_t count;
    eventfd_read(dispatcher->wake.fd, &count);
    empty_inbox(dispatcher);
}

// ---- life and beat ----------------------------------------------------------------------------

static void composer_trouble(void *context, const struct error *err)
{
    (void)context;
    LOG(LOG_ERROR, "composer_died", LOG_STRING("error", err->message));
}

static void composer_confined(void *context, const json_t *in_force, const json_t *missing)
{
    (void)context;
    char in_force_text[CONFINEMENT_TEXT_SIZE], missing_text[CONFINEMENT_TEXT_SIZE];
    bool lacks = json_array_size(missing) > 0;
    confinement_text(missing, missing_text);
    LOG(lacks ? LOG_WARNING : LOG_INFO, "confined",
        LOG_STRING("confinement", confinement_text(in_force, in_force_text)),
        LOG_STRING("unconfined", lacks ? missing_text : NULL));
}

static bool create_parts(struct dispatcher *dispatcher, json_t **ret_faults, struct error *err)
{
    dispatcher->wake = (struct event_source){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_wake, .context = dispatcher};
    if (dispatcher->wake.fd < 0)
        return error_errno(err, ERR_IO, "eventfd");
    if (!event_loop_add(dispatcher->loop, &dispatcher->wake, EPOLLIN, err))
        return false;
    dispatcher->rate_limit =
        rate_limit_create(&dispatcher->config->rate_recipient, &dispatcher->config->rate_total);
    if (!dispatcher->rate_limit)
        return error_set(err, ERR_TEMPORARY, "rate limits: no memory");
    dispatcher->reader = queue_reader_create(dispatcher->queue, err);
    if (!dispatcher->reader)
        return false;
    const struct deliverers_handlers deliverers_handlers = {.done = delivery_done,
                                                            .circuit = delivery_circuit,
                                                            .in_use = delivery_in_use,
                                                            .limit = delivery_limit,
                                                            .died = delivery_died,
                                                            .context = dispatcher};
    dispatcher->deliverers = deliverers_create(dispatcher->loop, dispatcher->config,
                                               dispatcher->dots, &deliverers_handlers, err);
    if (!dispatcher->deliverers)
        return false;
    const struct composers_handlers composers_handlers = {.choose = composition_choose,
                                                          .done = composition_done,
                                                          .trouble = composer_trouble,
                                                          .confined = composer_confined,
                                                          .context = dispatcher};
    json_auto_t *init = composer_init_header(dispatcher->config);
    if (!init)
        return error_set(err, ERR_INPUT, "a setting is no UTF-8, or there is no memory");
    dispatcher->composers = composers_create(dispatcher->loop, dispatcher->config->composer_path,
                                             init, &composers_handlers, ret_faults, err);
    return dispatcher->composers != NULL;
}

static bool has_marks(const struct dots *dots)
{
    struct dot dot = {.state = DOT_FREE};
    for (size_t i = 0; i < DOTS_COUNT && dot.state == DOT_FREE; i++)
        dots_get(dots, i, &dot);
    return dot.state != DOT_FREE;
}

struct dispatcher *dispatcher_create(struct event_loop *loop, const struct config *config,
                                     struct queue *queue, struct dots *dots, const char *owner,
                                     json_t **ret_faults, struct error *err)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
    if (!dispatcher) {
        error_set(err, ERR_TEMPORARY, "dispatcher: no memory");
        return NULL;
    }
    *dispatcher = (struct dispatcher){.loop = loop,
                                      .config = config,
                                      .queue = queue,
                                      .dots = dots,
                                      .owner = owner,
                                      .longest_transaction_ms = config->transaction_timeout_ms};
    dispatcher->wake.fd = -1;
    dispatcher->inbox_end = &dispatcher->inbox;
    dispatcher->received_waiting = true; // whatever an earlier run has left
    dispatcher->marks_left = has_marks(dots);
    dispatcher->sweep_at_ms = clock_boot_ms() + FIRST_SWEEP_MS;
    dispatcher->created_ms = queue_now_ms(queue);
    dispatcher->newest_released_ms = dispatcher->created_ms; // what earlier runs composed is older
    pthread_mutex_init(&dispatcher->inbox_lock, NULL);
    if (!create_parts(dispatcher, ret_faults, err)) {
        dispatcher_destroy(dispatcher);
        return NULL;
    }
    return dispatcher;
}

void dispatcher_destroy(struct dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    dispatcher->draining = true;
    while (dispatcher->inbox)
        empty_inbox(dispatcher);
    deliverers_destroy(dispatcher->deliverers);
    composers_destroy(dispatcher->composers);
    route_health_finish(&dispatcher->route_health);
    rate_limit_destroy(dispatcher->rate_limit);
    while (dispatcher->jobs.all) {
        struct job *job = dispatcher->jobs.all;
        job_table_remove(&dispatcher->jobs, job);
        job_destroy(job);
    }
    queue_reader_destroy(dispatcher->reader);
    if (dispatcher->wake.fd >= 0) {
        event_loop_remove(dispatcher->loop, &dispatcher->wake);
        close(dispatcher->wake.fd);
    }
    pthread_mutex_destroy(&dispatcher->inbox_lock);
    free(dispatcher);
}

static void on_reloaded(void *context, const json_t *faults)
{
    struct dispatcher *dispatcher = context;
    if (!faults)
        route_health_forgive(&dispatcher->route_health);
    dispatcher->reload_done(dispatcher->reload_context, faults);
}

void dispatcher_reload(struct dispatcher *dispatcher, const json_t *init,
                       const struct sample_set *sets, size_t set_count,
                       void (*done)(void *context, const json_t *faults), void *context)
{
    // A reload that this one replaces is told so in here, so its callback must be there still.
    composers_reload(dispatcher->composers, init, sets, set_count, on_reloaded, dispatcher);
    dispatcher->reload_done = done;
    dispatcher->reload_context = context;
}

bool dispatcher_reload_smarthosts(struct dispatcher *dispatcher, const struct config *config,
                                  struct error *err)
{
    if (!deliverers_reload(dispatcher->deliverers, config, err))
        return false;
    if (config->transaction_timeout_ms > dispatcher->longest_transaction_ms)
        dispatcher->longest_transaction_ms = config->transaction_timeout_ms;
    delivery_pump(dispatcher);
    return true;
}

void dispatcher_tick(struct dispatcher *dispatcher)
{
    int64_t now_ms = clock_boot_ms();
    dispatcher->ticked_ms = now_ms;
    composers_tick(dispatcher->composers, now_ms);
    deliverers_tick(dispatcher->deliverers, now_ms);
    if (dispatcher->draining)
        return;
    expiry_end_overdue(dispatcher, now_ms);
    rate_gate_reconsider(dispatcher, now_ms);
    backlog_fetch(dispatcher, now_ms);
    expiry_sweep(dispatcher, now_ms);
    delivery_pump(dispatcher);
}

static void earlier(int64_t *next_ms, int64_t at_ms)
{
    if (at_ms < *next_ms)
        *next_ms = at_ms;
}

// Moments are compared with the time of the last beat, not with now: one that passed since would
// be taken for one that the beat has seen to.
int64_t dispatcher_next_ms(const struct dispatcher *dispatcher)
{
    int64_t ticked_ms = dispatcher->ticked_ms;
    int64_t next_ms = composers_next_ms(dispatcher->composers);
    earlier(&next_ms, deliverers_next_ms(dispatcher->deliverers, ticked_ms));
    if (dispatcher->draining)
        return next_ms;
    if (!queue_can_settle(dispatcher->queue)) {
        // All that is below waits for the disk, and nobody tells when there is room again.
        earlier(&next_ms, ticked_ms + LOOK_AGAIN_MS);
        return next_ms;
    }
    earlier(&next_ms, dispatcher->overdue_at_ms);
    earlier(&next_ms, dispatcher->sweep_at_ms);
    earlier(&next_ms, dispatcher->reconsider_at_ms);
    if (dispatcher->received_waiting)
        earlier(&next_ms, ticked_ms + LOOK_AGAIN_MS);
    // A due row that finds no slot waits for an outcome or a circuit, not for the clock.
    if (dispatcher->due_at_ms > ticked_ms)
        earlier(&next_ms, dispatcher->due_at_ms);
    for (const struct job *job = dispatcher->jobs.ready; job; job = job->ready_next)
        earlier(&next_ms, job->ready_since_ms + READY_LIMIT_MS);
    return next_ms;
}

void dispatcher_drain(struct dispatcher *dispatcher)
{
    dispatcher->draining = true;
}

void dispatcher_cut(struct dispatcher *dispatcher)
{
    deliverers_cut(dispatcher->deliverers);
}

bool dispatcher_is_drained(const struct dispatcher *dispatcher)
{
    return deliverers_under_way(dispatcher->deliverers) == 0;
}
