#include "relay/dispatch/composition.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/envelope.h"
#include "relay/metrics.h"

enum {
    COMPOSE_TRIES = 2,
    DEATH_COST_MS = 50, // until another composer has loaded
};

#define TIMED_OUT "normaliser_timeout"
#define DIED "composer_died"

void composition_begin(struct dispatcher *dispatcher, struct job *job, enum compose_task task)
{
    job_table_move(&dispatcher->jobs, job, JOB_COMPOSING);
    job->request = (struct compose_request){
        .task = task,
        .id = job->id,
        .route = job->route,
        .blob = job->body,
        .blob_size = job->body_size,
        .received_boot_ms = queue_boot_ms(dispatcher->queue, job->received_ms),
        .spent_ms = job->request.spent_ms,
        .is_last_resort = job->is_last_resort,
    };
    composers_submit(dispatcher->composers, &job->request);
}

static struct job *job_of(struct compose_request *request)
{
    return (struct job *)(void *)((char *)request - offsetof(struct job, request));
}

// ---- what the normaliser fails on (design §6, Composing) ----------------------------------------

static void normaliser_succeeded(struct dispatcher *dispatcher, const struct job *job)
{
    if (route_health_succeeded(&dispatcher->route_health, job->route, clock_boot_ms()))
        LOG(LOG_INFO, "normaliser_up", LOG_STRING("route", job->route));
}

static void normaliser_failed(struct dispatcher *dispatcher, const struct job *job,
                              const char *reason)
{
    int64_t cost_ms = job->request.spent_ms;
    if (strcmp(reason, DIED) == 0)
        cost_ms += (int64_t)job->compose_failures * DEATH_COST_MS;
    if (route_health_failed(&dispatcher->route_health, job->route, cost_ms, clock_boot_ms()))
        LOG(LOG_ERROR, "normaliser_down", LOG_STRING("route", job->route),
            LOG_STRING("reason", reason));
}

// The first cause is the one that an operator can mend.
static void keep_cause(struct job *job, const char *reason)
{
    if (!job->compose_cause[0])
        snprintf(job->compose_cause, sizeof(job->compose_cause), "%s", reason);
}

void composition_choose(void *context, struct compose_request *request)
{
    struct dispatcher *dispatcher = context;
    struct job *job = job_of(request);
    // Without its normaliser a part could only be parked again.
    if (request->task != COMPOSE_PAYLOAD || job->is_part || job->is_last_resort ||
        route_health_ask(&dispatcher->route_health, job->route, clock_boot_ms()))
        return;
    request->task = COMPOSE_FALLBACK;
    job->is_turned_away = true;
}

static void fall_back(struct dispatcher *dispatcher, struct job *job, const char *reason)
{
    keep_cause(job, reason);
    composition_begin(dispatcher, job, COMPOSE_FALLBACK);
}

// Nobody's mail is lost to what other payloads did to the normaliser: one that was turned away, and
// that nothing else makes a mail of, asks it after all. But once, and behind everybody else.
static bool ask_after_all(struct dispatcher *dispatcher, struct job *job)
{
    if (job->request.task != COMPOSE_FALLBACK || !job->is_turned_away || job->is_last_resort)
        return false;
    job->is_last_resort = true;
    composition_begin(dispatcher, job, COMPOSE_PAYLOAD);
    return true;
}

static void tell_failure(const struct job *job, const char *reason, const char *detail)
{
    metrics_compose_failed(reason);
    LOG(LOG_WARNING, "compose_failed", LOG_STRING("id", job->id),
        LOG_STRING("trace_id", job_trace(job)), LOG_STRING("route", job->route),
        LOG_STRING("reason", reason), LOG_STRING("detail", detail),
        LOG_BOOLEAN("fallback", job->request.task == COMPOSE_FALLBACK));
}

// A payload on which the normaliser fails, or which kills the composer, is tried once more, then
// without the normaliser; if that fails too it is parked. One that takes too long would do so
// again, and one of a route that is not there any more would find none again. One that was turned
// away from the normaliser has its try of it at the end, where nothing else does.
static void compose_failed(struct dispatcher *dispatcher, struct job *job, const char *reason,
                           const char *detail)
{
    enum compose_task task = job->request.task;
    bool is_unknown = strcmp(reason, "unknown_route") == 0;
    bool is_final = task == COMPOSE_FALLBACK || is_unknown || strcmp(reason, TIMED_OUT) == 0 ||
                    ++job->compose_failures >= COMPOSE_TRIES || job->is_last_resort;
    tell_failure(job, reason, detail);
    if (ask_after_all(dispatcher, job))
        return;
    if (task == COMPOSE_PAYLOAD)
        keep_cause(job, reason);
    if (!is_final) {
        composition_begin(dispatcher, job, task);
        return;
    }
    bool is_too_large = strcmp(reason, "too_large") == 0; // most likely because its payload is
    if (task == COMPOSE_PAYLOAD && !is_unknown && !is_too_large)
        normaliser_failed(dispatcher, job, reason);
    if (task == COMPOSE_PAYLOAD && !job->is_part) {
        fall_back(dispatcher, job, reason);
        return;
    }
    snprintf(job->park_reason, sizeof(job->park_reason), "%s",
             job->compose_cause[0] ? job->compose_cause : reason);
    job_table_move(&dispatcher->jobs, job, JOB_WAITING);
    if (job->stored)
        admission_decide(dispatcher, job);
}

// The composer gave no mail.
static void not_composed(struct dispatcher *dispatcher, struct job *job, enum compose_end end,
                         const json_t *header)
{
    const char *reason = json_string_value(json_object_get(header, "reason"));
    if (end == COMPOSE_TIMED_OUT)
        reason = job->request.task == COMPOSE_PAYLOAD ? TIMED_OUT : "compose_timeout";
    compose_failed(dispatcher, job, reason ? reason : DIED,
                   json_string_value(json_object_get(header, "detail")));
}

// ---- what was composed ------------------------------------------------------------------------

// What a normaliser did wrong, or found nothing for, may be in the known places all the same: a
// mail is not lost to a detail (design §1.2). But a link that its brand does not allow stands in
// Kratos' own text as well, and the known places may make it another brand's, that allows all.
bool composition_is_mendable(const char *park_reason)
{
    return park_reason[0] && strcmp(park_reason, "unparseable") != 0 &&
           strcmp(park_reason, "unsupported_channel") != 0 &&
           strcmp(park_reason, "link_not_allowed") != 0;
}

static bool is_parked_as(const json_t *mail, const char *reason)
{
    const char *park = json_string_value(json_object_get(mail, "park"));
    return park && strcmp(park, reason) == 0;
}

// The normaliser has answered; or the payload was none that it could be asked about, or is too
// large to be kept as what it made of it.
static void judge_normaliser(struct dispatcher *dispatcher, const struct job *job,
                             const json_t *mails)
{
    size_t index;
    json_t *mail;
    json_array_foreach(mails, index, mail)
    {
        if (is_parked_as(mail, "unparseable") || is_parked_as(mail, "too_large"))
            return;
        if (is_parked_as(mail, "not_canonical")) {
            normaliser_failed(dispatcher, job, "not_canonical");
            return;
        }
    }
    normaliser_succeeded(dispatcher, job);
}

// Several mails, or none; or the one that a part was released for. Rare, and the row must be there
// first: where its commit is still under way the message comes again from the queue.
static void take_several(struct dispatcher *dispatcher, struct job *job, const json_t *mails,
                         const struct frame *frame)
{
    if (!job->stored) {
        dispatcher_release(dispatcher, job);
        return;
    }
    struct error err = {0};
    enum compose_task task = job->request.task;
    enum split_end end = SPLIT_FAILED;
    if (job->is_part && task == COMPOSE_FALLBACK) // that knows nothing of parts
        error_set(&err, ERR_INPUT, "one of several mails needs the normaliser");
    else
        end = split_payload(dispatcher, job, mails, frame, &err);
    if (end == SPLIT_FAILED) {
        compose_failed(dispatcher, job, "not_canonical", err.message);
        return;
    }
    if (task == COMPOSE_PAYLOAD)
        judge_normaliser(dispatcher, job, mails);
    if (end == SPLIT_NONE_GOES) {
        const json_t *first = json_array_get(mails, 0);
        const char *reason = json_string_value(json_object_get(first, "park"));
        tell_failure(job, reason, err.message);
        fall_back(dispatcher, job, reason ? reason : "not_canonical");
    }
}

// True: what was made of it will not do, and there is somebody else to make something of it.
static bool look_elsewhere(struct dispatcher *dispatcher, struct job *job, const json_t *mail)
{
    if (job->park_reason[0] && !is_parked_as(mail, "unparseable") && ask_after_all(dispatcher, job))
        return true;
    if (!composition_is_mendable(job->park_reason))
        return false;
    if (job->request.task == COMPOSE_PAYLOAD) {
        tell_failure(job, job->park_reason, json_string_value(json_object_get(mail, "detail")));
        fall_back(dispatcher, job, job->park_reason);
        return true;
    }
    if (job->request.task == COMPOSE_FALLBACK && job->compose_cause[0])
        snprintf(job->park_reason, sizeof(job->park_reason), "%s", job->compose_cause);
    return false;
}

// A verdict of an earlier run is of the one mail that the payload made then, whatever a normaliser
// makes of it now: it has gone out, and must not go again as one of several, or end as nothing.
static bool has_verdict(struct dispatcher *dispatcher, struct job *job, const json_t *mails,
                        const struct frame *frame)
{
    struct dot dot = {.state = DOT_FREE};
    if (job->delivery.mark >= 0)
        dots_get(dispatcher->dots, (size_t)job->delivery.mark, &dot);
    if (dot.state == DOT_ASSIGNED) { // the one that may have gone out is none of these
        dots_clear(dispatcher->dots, (size_t)job->delivery.mark);
        job->delivery.mark = -1;
    }
    if (dot.state != DOT_VERDICT)
        return false;
    // The envelope is for what the row says; without one it says less.
    if (!envelope_take(job, dispatcher->queue, dispatcher->config, json_array_get(mails, 0), 0,
                       frame, NULL))
        job->channel[0] = '\0';
    return delivery_settle_verdict(dispatcher, job);
}

void composition_done(void *context, struct compose_request *request, enum compose_end end,
                      const json_t *header, const struct frame *frame)
{
    struct dispatcher *dispatcher = context;
    struct job *job = job_of(request);
    if (end != COMPOSED) {
        not_composed(dispatcher, job, end, header);
        return;
    }
    const json_t *mails = json_object_get(header, "mails");
    if (!job->row_composed && (json_array_size(mails) != 1 || job->is_part)) {
        if (!has_verdict(dispatcher, job, mails, frame))
            take_several(dispatcher, job, mails, frame);
        return;
    }
    struct error err = {0};
    int64_t deadline_ms = job->envelope.deadline_ms;
    const json_t *mail = json_array_get(mails, 0);
    if (!envelope_take(job, dispatcher->queue, dispatcher->config, mail, 0, frame, &err)) {
        compose_failed(dispatcher, job, "not_canonical", err.message);
        return;
    }
    job->composed_boot_ms = clock_boot_ms();
    if (request->task == COMPOSE_PAYLOAD) {
        job->compose_cause[0] = '\0'; // a first try may have failed
        judge_normaliser(dispatcher, job, mails);
    }
    if (look_elsewhere(dispatcher, job, mail))
        return;
    if (job->row_composed)
        job->envelope.deadline_ms = deadline_ms; // a deadline, once known, does not move
    job_table_move(&dispatcher->jobs, job, JOB_WAITING);
    if (job->stored)
        admission_decide(dispatcher, job);
}
