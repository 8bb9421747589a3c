// acts.c - retry, hold, release, cancel: of one message, or of all that a filter names.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/admin/request.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

// Whoever is accepted meanwhile waits for a batch, so they are short, and twice as long as one took
// the writer is left to others.
enum {
    BATCH = 16,
    PAGE = 1000,
    LOOK_ROWS = 20000, // until it is looked whether it may go on
    PAUSE_FACTOR = 2,
    PAUSE_LEAST_US = 2000,
};

static const struct {
    const char *done, *states; // "cannot be retried: only queued ..."
} WORDS[QUEUE_ACT_COUNT] = {
    [QUEUE_RETRY] = {"retried", "queued, failed and unknown"},
    [QUEUE_HOLD] = {"held", "queued"},
    [QUEUE_RELEASE] = {"released", "held and parked"},
    [QUEUE_CANCEL] = {"cancelled", "queued, held and parked"},
};

// What is on its way again must be looked for.
static void tell_dispatcher(const struct admin_request *request)
{
    if (request->route.act == QUEUE_RETRY || request->route.act == QUEUE_RELEASE)
        dispatcher_released(request->admin->dispatcher);
}

// ---- one ----------------------------------------------------------------------------------------

static void answer_unwritable(struct admin_request *request, const char *behind)
{
    admin_answer_error(request->exchange, request, 503, "unavailable",
                       "the queue cannot be written now%s", behind);
}

// What an act has ended is counted as all that ends.
static void count_ended(const struct queue_acted *acted)
{
    if (acted->state == MESSAGE_CANCELLED || acted->state == MESSAGE_SUPERSEDED)
        metrics_ended(acted->state, acted->has_lane ? &acted->lane : NULL, acted->template);
}

static void answer_done(struct admin_request *request, const struct queue_acted *acted)
{
    count_ended(acted);
    admin_audit_message(request, request->name);
    tell_dispatcher(request);
    admin_answer_json(request->exchange, request,
                      json_pack("{s:s, s:s, s:s, s:i}", "id", request->name, "act",
                                queue_act_name(request->route.act), "state",
                                message_state_name(acted->state), "unknown_outcomes",
                                acted->unknown_outcomes),
                      NULL);
}

// In the queue's writer thread.
static void on_acted(void *context, const struct queue_acted *acted)
{
    struct admin_request *request = context;
    struct http_exchange *exchange = request->exchange;
    const char *state = message_state_name(acted->state);
    switch (acted->result) {
    case QUEUE_DONE:
        answer_done(request, acted);
        return;
    case QUEUE_GONE:
        admin_answer_error(exchange, request, 404, "no_message", "there is no such message");
        return;
    case QUEUE_WRONG_STATE:
        admin_answer_error(exchange, request, 409, "wrong_state",
                           "it is %s: only messages that are %s can be %s", state,
                           WORDS[request->route.act].states, WORDS[request->route.act].done);
        return;
    case QUEUE_BODY_DROPPED:
        admin_answer_error(exchange, request, 409, "no_body",
                           "it is %s, and its body was dropped when its time was over: it cannot "
                           "be sent any more",
                           state);
        return;
    case QUEUE_TOO_LATE:
        admin_answer_error(exchange, request, 409, "expired",
                           "it is %s, and its deadline has passed: nobody could use it any more",
                           state);
        return;
    case QUEUE_DUPLICATE:
    case QUEUE_REFUSED:
        break;
    }
    answer_unwritable(request, "");
}

void admin_act(struct admin_request *request)
{
    queue_act(request->admin->queue, request->route.act, request->name, on_acted, request);
}

// ---- all that a filter names --------------------------------------------------------------------

struct sweep {
    struct admin_request *request;
    int64_t now_ms;
    size_t met, done, may_have_arrived;
    size_t expired, no_body, wrong_state; // left out
    struct queue_acted *messages;         // room for a page
    size_t count;
};

static size_t skipped(const struct sweep *sweep)
{
    return sweep->expired + sweep->no_body + sweep->wrong_state;
}

// As queue_act() will judge it.
static enum queue_result judge(enum queue_act act, const struct queue_message *message,
                               int64_t now_ms)
{
    if (act != QUEUE_RETRY && act != QUEUE_RELEASE)
        return QUEUE_DONE;
    if (!message->has_body)
        return QUEUE_BODY_DROPPED;
    return message->deadline_ms != 0 && message->deadline_ms <= now_ms ? QUEUE_TOO_LATE
                                                                       : QUEUE_DONE;
}

static void count_result(struct sweep *sweep, enum queue_result result, int unknown_outcomes)
{
    if (result == QUEUE_DONE) {
        sweep->done++;
        sweep->may_have_arrived += unknown_outcomes > 0;
    } else if (result == QUEUE_TOO_LATE) {
        sweep->expired++;
    } else if (result == QUEUE_BODY_DROPPED) {
        sweep->no_body++;
    } else {
        sweep->wrong_state++;
    }
}

static bool meet(void *context, const struct queue_message *message)
{
    struct sweep *sweep = context;
    sweep->met++;
    enum queue_result result = judge(sweep->request->route.act, message, sweep->now_ms);
    if (result != QUEUE_DONE || sweep->request->query.dry_run)
        count_result(sweep, result, message->unknown_outcomes);
    else
        memcpy(sweep->messages[sweep->count++].id, message->id, QUEUE_ID_SIZE);
    return true;
}

static void pause_after(int64_t took_us)
{
    int64_t pause_us = took_us * PAUSE_FACTOR;
    if (pause_us < PAUSE_LEAST_US)
        pause_us = PAUSE_LEAST_US;
    const struct timespec pause = {.tv_sec = pause_us / 1000000,
                                   .tv_nsec = pause_us % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL); // one that is cut short does no harm
}

// Looks at both between any two batches. False: *err says why.
static bool may_go_on(const struct sweep *sweep, struct error *err)
{
    if (atomic_load(&sweep->request->admin->stopping))
        return error_set(err, ERR_TEMPORARY, "the relay is stopping");
    return !http_client_is_gone(sweep->request->exchange) ||
           error_set(err, ERR_TEMPORARY, "the client has closed its end of the connection");
}

// Those of a page.
static bool act_on_page(struct sweep *sweep, struct error *err)
{
    const struct admin_request *request = sweep->request;
    for (size_t i = 0; i < sweep->count; i += BATCH) {
        struct queue_acted *batch = &sweep->messages[i];
        size_t count = sweep->count - i < BATCH ? sweep->count - i : BATCH;
        int64_t started_us = clock_boot_us();
        if (!may_go_on(sweep, err) ||
            !queue_act_on_all(request->admin->queue, request->route.act, batch, count, err))
            return false;
        for (size_t j = 0; j < count; j++) {
            count_result(sweep, batch[j].result, batch[j].unknown_outcomes);
            if (batch[j].result == QUEUE_DONE)
                count_ended(&batch[j]);
        }
        tell_dispatcher(request);
        pause_after(clock_boot_us() - started_us);
    }
    return true;
}

static bool go_through(struct sweep *sweep, const struct queue_filter *all, struct error *err)
{
    struct queue_filter filter = *all;
    struct queue_reader *reader = sweep->request->admin->acting.reader;
    size_t limit = all->limit > 0 ? all->limit : SIZE_MAX;
    char next_id[QUEUE_ID_SIZE] = "";
    do {
        size_t left = limit - sweep->met;
        filter.limit = left < PAGE || sweep->request->query.dry_run ? left : PAGE;
        sweep->count = 0;
        if (!queue_list_page(reader, &filter, LOOK_ROWS, meet, sweep, next_id, err)) {
            if (err->code != ERR_CORRUPT)
                return false;
            // They hide no others.
            LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err->message));
        }
        if (!act_on_page(sweep, err))
            return false;
        filter.before_id = next_id;
        if (!*next_id || sweep->met >= limit)
            return true;
    } while (may_go_on(sweep, err));
    return false;
}

static void answer_sweep(const struct sweep *sweep)
{
    struct admin_request *request = sweep->request;
    json_t *answer = json_pack(
        "{s:s, s:I, s:I, s:{s:I, s:I, s:I}, s:I}", "act", queue_act_name(request->route.act),
        "messages", (json_int_t)sweep->done, "skipped", (json_int_t)skipped(sweep), "left_out",
        "expired", (json_int_t)sweep->expired, "no_body", (json_int_t)sweep->no_body, "wrong_state",
        (json_int_t)sweep->wrong_state, "may_have_arrived", (json_int_t)sweep->may_have_arrived);
    if (request->query.dry_run && answer &&
        json_object_set_new(answer, "dry_run", json_true()) < 0) {
        json_decref(answer);
        answer = NULL;
    }
    admin_answer_json(request->exchange, request, answer, NULL);
}

static void sweep_run(struct sweep *sweep, const struct queue_filter *filter)
{
    struct admin_request *request = sweep->request;
    struct error err = {0};
    bool ok = go_through(sweep, filter, &err);
    bool is_done = !request->query.dry_run && (ok || sweep->done > 0);
    if (is_done)
        admin_audit_filter(request, sweep->done, skipped(sweep));
    if (ok)
        answer_sweep(sweep);
    else
        admin_answer_error(
            request->exchange, request, 503, "unavailable", "%s: %zu messages were %s until then",
            err.message, request->query.dry_run ? 0 : sweep->done, WORDS[request->route.act].done);
}

// Narrows the filter to the states that the act starts from. False: it was answered.
static bool choose_states(struct admin_request *request, struct queue_filter *filter)
{
    unsigned from = queue_act_states(request->route.act);
    if (!request->query.all && !message_filter_is_narrow(&request->query.filter)) {
        admin_answer_error(request->exchange, request, 400, "filter_needed",
                           "which messages? A filter is needed, or all=true");
        return false;
    }
    filter->states = filter->states ? filter->states & from : from;
    if (filter->states != 0)
        return true;
    admin_answer_error(request->exchange, request, 409, "wrong_state",
                       "only messages that are %s can be %s", WORDS[request->route.act].states,
                       WORDS[request->route.act].done);
    return false;
}

void admin_act_on_all(struct admin_request *request)
{
    struct queue_reader *reader = request->admin->acting.reader;
    int64_t now_ms = queue_reader_now_ms(reader);
    struct queue_filter filter = message_filter_for_queue(
        &request->query.filter, queue_reader_wall_ms(reader, now_ms) - now_ms);
    struct sweep sweep = {.request = request, .now_ms = now_ms};
    if (!choose_states(request, &filter))
        return;
    sweep.messages = calloc(PAGE, sizeof(*sweep.messages));
    if (sweep.messages)
        sweep_run(&sweep, &filter);
    else
        admin_answer_json(request->exchange, request, NULL, NULL);
    free(sweep.messages);
}
