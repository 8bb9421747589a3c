#include "relay/dispatch/dispatcher.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/children/composer_session.h"
#include "relay/children/confinement.h"
#include "relay/dispatch/composition.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/expiry.h"
#include "relay/dispatch/inbox.h"

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
    if (!inbox_open(dispatcher, err))
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
    dispatcher->received_waiting = true; // whatever an earlier run has left
    dispatcher->marks_left = has_marks(dots);
    dispatcher->sweep_at_ms = clock_boot_ms() + FIRST_SWEEP_MS;
    dispatcher->created_ms = queue_now_ms(queue);
    dispatcher->newest_released_ms = dispatcher->created_ms; // what earlier runs composed is older
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
        inbox_empty(dispatcher);
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
    inbox_close(dispatcher);
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
