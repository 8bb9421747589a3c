// delivery.c - from ready to a delivery slot, and what each outcome means for the message.
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/retry.h"
#include "relay/metrics.h"

// Higher lanes first; in lane `code` the newest first, since a fresh code is still waited for, in
// the others the oldest. reversed: this turn is a lower lane's.
static bool goes_before(const struct job *a, const struct job *b, bool reversed)
{
    if (a->envelope.lane != b->envelope.lane)
        return (a->envelope.lane < b->envelope.lane) != reversed;
    if (a->envelope.lane == LANE_CODE)
        return a->received_ms > b->received_ms;
    return a->received_ms < b->received_ms;
}

// One that waits for a smarthost that is busy holds up nobody else.
static struct job *pick_ready(struct dispatcher *dispatcher, int64_t now_ms)
{
    bool reversed = ++dispatcher->pick_turn % LANE_TURN == 0;
    struct job *best = NULL;
    uint64_t best_turn = 0;
    for (struct job *job = dispatcher->jobs.ready; job; job = job->ready_next) {
        const struct probe_candidate candidate = {job->id, job->recipient, job->received_ms};
        uint64_t turn = deliverers_turn(dispatcher->deliverers, &candidate, now_ms);
        bool is_better =
            !best || turn < best_turn || (turn == best_turn && goes_before(job, best, reversed));
        if (is_better && deliverers_take(dispatcher->deliverers, &job->delivery, now_ms)) {
            best = job;
            best_turn = turn;
        }
    }
    return best;
}

static void wait_in_queue(struct dispatcher *dispatcher, struct job *job,
                          struct queue_settlement *settlement)
{
    settlement->state = MESSAGE_QUEUED;
    settlement->not_before_ms = queue_now_ms(dispatcher->queue);
    settlement_submit(dispatcher, job, settlement);
}

void delivery_put_back(struct dispatcher *dispatcher, struct job *job)
{
    struct queue_settlement settlement = {0};
    wait_in_queue(dispatcher, job, &settlement);
}

// May it still go? What has waited may be dead by now.
static bool is_alive(struct dispatcher *dispatcher, struct job *job)
{
    if (queue_now_ms(dispatcher->queue) >= job->envelope.deadline_ms)
        settlement_end(dispatcher, job, MESSAGE_EXPIRED, "deadline");
    else if (admission_has_newer(dispatcher, job))
        settlement_end(dispatcher, job, MESSAGE_SUPERSEDED, "newer");
    else
        return true;
    return false;
}

// What waited for a disk that took nothing, or for the machine to wake, says minutes that have
// passed; it is rendered anew when it comes from the queue.
static bool is_fresh(struct dispatcher *dispatcher, struct job *job, int64_t now_ms)
{
    if (now_ms < job->composed_boot_ms + MIME_LIMIT_MS)
        return true;
    delivery_put_back(dispatcher, job);
    return false;
}

// False: nothing can be started now.
static bool start(struct dispatcher *dispatcher, struct job *job, int64_t now_ms)
{
    struct delivery *delivery = &job->delivery;
    if (delivery->mark < 0)
        delivery->mark = dots_assign(dispatcher->dots, job->id);
    if (delivery->mark < 0)
        return false;
    delivery->sender = job->sender;
    delivery->recipient = job->recipient;
    delivery->message = job->mime;
    delivery->mask = job->mask;
    delivery->deadline_boot_ms = queue_boot_ms(dispatcher->queue, job->envelope.deadline_ms);
    if (!deliverers_start(dispatcher->deliverers, delivery, now_ms))
        return false;
    job_table_move(&dispatcher->jobs, job, JOB_DELIVERING);
    return true;
}

static void try_again(struct dispatcher *dispatcher, struct job *job,
                      struct queue_settlement *settlement, int set_back)
{
    // An older code that comes back is dead where a newer one of its flow has come meanwhile.
    if (admission_has_newer(dispatcher, job)) {
        settlement->state = MESSAGE_SUPERSEDED;
        settlement->reason = "newer";
    } else {
        settlement->state = MESSAGE_QUEUED;
        settlement->not_before_ms =
            retry_at_ms(job->envelope.lane, job->attempts + set_back, arc4random(),
                        queue_now_ms(dispatcher->queue), job->envelope.deadline_ms);
    }
    settlement_submit(dispatcher, job, settlement);
}

// Charged, so that the schedule goes on.
static void wait_charged(struct dispatcher *dispatcher, struct job *job,
                         struct queue_settlement *settlement)
{
    settlement->charge = true;
    job->attempts++;
    try_again(dispatcher, job, settlement, 0);
}

// Where no smarthost takes anything, or the slots are busy for long, what is in memory waits in
// the queue, where operators see it and memory is not held.
static void put_back_waiting(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (!dispatcher->jobs.ready)
        return;
    bool is_down = deliverers_down(dispatcher->deliverers, now_ms);
    for (struct job *job = dispatcher->jobs.ready, *next; job; job = next) {
        next = job->ready_next;
        if (!is_down && now_ms < job->ready_since_ms + READY_LIMIT_MS)
            continue;
        struct queue_settlement settlement = {.reason = job->delivery.refused ? "suspect" : NULL};
        // Due at once it would be asked anew of who has not taken it, again and again.
        bool was_asked = job->delivery.unable || job->delivery.refused;
        (was_asked && !is_down ? wait_charged : wait_in_queue)(dispatcher, job, &settlement);
    }
    deliverers_wanted(dispatcher->deliverers, now_ms);
}

void delivery_pump(struct dispatcher *dispatcher)
{
    // While outcomes cannot be committed, no SMTP begins (design §6, Two commits a message).
    if (dispatcher->draining || !queue_can_settle(dispatcher->queue))
        return;
    int64_t now_ms = clock_boot_ms();
    while (deliverers_have_slot(dispatcher->deliverers, now_ms)) {
        struct job *job = pick_ready(dispatcher, now_ms);
        if (!job)
            break;
        if (is_alive(dispatcher, job) && is_fresh(dispatcher, job, now_ms) &&
            !start(dispatcher, job, now_ms))
            break;
    }
    put_back_waiting(dispatcher, now_ms);
}

// ---- outcomes ---------------------------------------------------------------------------------

static void log_attempt(const struct job *job, const struct delivery_result *result)
{
    LOG(result->alarm ? LOG_ERROR : LOG_INFO, "attempt", LOG_STRING("id", job->id),
        LOG_STRING("trace_id", job_trace(job)), LOG_STRING("smarthost", result->smarthost),
        LOG_STRING("outcome", delivery_outcome_name(result->outcome)),
        LOG_STRING("stage", result->stage),
        result->reply_code > 0 ? LOG_INTEGER("reply_code", result->reply_code)
                               : LOG_STRING("reply_code", NULL), // there was no answer
        LOG_STRING("enhanced_code", result->enhanced_code), LOG_STRING("reply", result->reply_text),
        LOG_STRING("address", result->address), LOG_STRING("tls", result->tls),
        LOG_STRING("alarm", result->alarm),
        LOG_INTEGER("took_ms", clock_boot_ms() - job->delivery.started_boot_ms));
}

static void count_attempt(const struct dispatcher *dispatcher, const struct job *job,
                          const struct delivery_result *result, int64_t took_ms)
{
    metrics_delivery(result->smarthost, result->outcome, took_ms);
    if (result->outcome == DELIVERY_PERMANENT)
        metrics_rejected(result->enhanced_code);
    if (result->outcome != DELIVERY_SENT)
        return;
    int64_t now_ms = queue_now_ms(dispatcher->queue);
    // A code outlives the deadline by the margin.
    int64_t dies_ms = job->envelope.deadline_ms + dispatcher->config->deadline_margin_ms;
    metrics_delivered(job->envelope.lane, now_ms - took_ms - job->received_ms, dies_ms - now_ms);
}

// Perhaps not the message's fault, so nothing is charged: a smarthost that has not refused it yet
// is tried at once, from memory; where there is none the message waits in the queue, on its
// lane's schedule where it was set back.
static void smarthost_failed(struct dispatcher *dispatcher, struct job *job,
                             struct queue_settlement *settlement, int set_back, bool has_other)
{
    if (!dispatcher->draining && has_other) {
        queue_note_attempt(dispatcher->queue, job->id, settlement->attempt);
        job_table_move(&dispatcher->jobs, job, JOB_READY);
        job->ready_since_ms = clock_boot_ms();
    } else if (set_back > 0) {
        try_again(dispatcher, job, settlement, set_back);
    } else {
        wait_in_queue(dispatcher, job, settlement);
    }
}

// Another one may have what this one lacks. Where none of those is in use, it waits for that.
static void smarthost_unable(struct dispatcher *dispatcher, struct job *job,
                             struct queue_settlement *settlement)
{
    if (deliverers_has_able(dispatcher->deliverers, job->delivery.unable, clock_boot_ms())) {
        smarthost_failed(dispatcher, job, settlement, 0, true);
        return;
    }
    wait_charged(dispatcher, job, settlement);
}

static void unknown_outcome(struct dispatcher *dispatcher, struct job *job,
                            struct queue_settlement *settlement)
{
    settlement->charge_unknown = true;
    job->unknown_outcomes++;
    if (job->unknown_outcomes > UNKNOWN_OUTCOMES_MAX)
        settlement_finish(dispatcher, job, settlement, MESSAGE_UNKNOWN, "unknown_outcomes");
    else
        try_again(dispatcher, job, settlement, 0);
}

// Stopped before its dot. A `received` row is still what it was, so nothing is written.
static void was_cut(struct dispatcher *dispatcher, struct job *job,
                    struct queue_settlement *settlement)
{
    if (job->row_composed || !dispatcher->draining) {
        wait_in_queue(dispatcher, job, settlement);
        return;
    }
    dots_clear(dispatcher->dots, (size_t)job->delivery.mark);
    dispatcher_release(dispatcher, job);
}

void delivery_done(void *context, struct delivery *delivery, const struct delivery_result *result)
{
    struct dispatcher *dispatcher = context;
    struct job *job = (struct job *)(void *)((char *)delivery - offsetof(struct job, delivery));
    log_attempt(job, result);

    int64_t took_ms = clock_boot_ms() - delivery->started_boot_ms;
    count_attempt(dispatcher, job, result, took_ms);
    const struct queue_attempt attempt = {
        // The two clocks differ by what does not change: reckoned back from now it would be later
        // by
        // however long this thread had to wait since it looked at the other.
        .started_ms = delivery->started_boot_ms - queue_boot_ms(dispatcher->queue, 0),
        .smarthost = result->smarthost,
        .outcome = delivery_outcome_name(result->outcome),
        .reply_code = result->reply_code,
        .enhanced_code = result->enhanced_code,
        .reply_text = result->reply_text,
        .address = result->address,
        .tls = result->tls,
    };
    struct queue_settlement settlement = {.attempt = &attempt};
    bool has_other = deliverers_has_other(dispatcher->deliverers, delivery, clock_boot_ms());
    if (result->outcome != DELIVERY_SESSION && result->outcome != DELIVERY_CUT &&
        result->outcome != DELIVERY_SUSPECT && result->outcome != DELIVERY_UNABLE) {
        settlement.charge = true;
        job->attempts++;
    }
    switch (result->outcome) {
    case DELIVERY_SENT:
        settlement_finish(dispatcher, job, &settlement, MESSAGE_SENT, NULL);
        break;
    case DELIVERY_TEMPORARY:
        try_again(dispatcher, job, &settlement, 0);
        break;
    case DELIVERY_PERMANENT:
        settlement_finish(dispatcher, job, &settlement, MESSAGE_FAILED, "rejected");
        break;
    case DELIVERY_SESSION:
        smarthost_failed(dispatcher, job, &settlement, result->set_back, has_other);
        break;
    case DELIVERY_SUSPECT:
        settlement.reason = "suspect"; // for who looks into the queue
        if (result->is_charged && !has_other)
            wait_charged(dispatcher, job, &settlement);
        else
            smarthost_failed(dispatcher, job, &settlement, result->set_back, has_other);
        break;
    case DELIVERY_UNABLE:
        smarthost_unable(dispatcher, job, &settlement);
        break;
    case DELIVERY_UNKNOWN:
        unknown_outcome(dispatcher, job, &settlement);
        break;
    case DELIVERY_EXPIRED:
        settlement_finish(dispatcher, job, &settlement, MESSAGE_EXPIRED, "deadline");
        break;
    case DELIVERY_CUT:
        was_cut(dispatcher, job, &settlement);
        break;
    }
    delivery_pump(dispatcher);
}

bool delivery_settle_verdict(struct dispatcher *dispatcher, struct job *job)
{
    struct dot dot = {.state = DOT_FREE};
    if (job->delivery.mark >= 0)
        dots_get(dispatcher->dots, (size_t)job->delivery.mark, &dot);
    if (dot.state != DOT_VERDICT)
        return false;
    bool is_sent = dot.reply_code / 100 == 2;
    const struct queue_attempt attempt = {
        .started_ms = queue_now_ms(dispatcher->queue),
        .outcome = delivery_outcome_name(is_sent ? DELIVERY_SENT : DELIVERY_PERMANENT),
        .reply_code = dot.reply_code,
        .reply_text = "verdict found after a restart",
    };
    struct queue_settlement settlement = {.attempt = &attempt, .charge = true};
    job->attempts++;
    settlement_finish(dispatcher, job, &settlement, is_sent ? MESSAGE_SENT : MESSAGE_FAILED,
                      is_sent ? NULL : "rejected");
    return true;
}

void delivery_circuit(void *context, const char *smarthost, bool up, enum circuit_reason reason,
                      const char *detail)
{
    (void)context;
    bool is_wanted = reason == CIRCUIT_PAUSED;
    if (up)
        LOG(LOG_INFO, "smarthost_up", LOG_STRING("smarthost", smarthost),
            LOG_STRING("reason", circuit_reason_name(reason)));
    else
        LOG(is_wanted ? LOG_WARNING : LOG_ERROR, "smarthost_down",
            LOG_STRING("smarthost", smarthost), LOG_STRING("reason", circuit_reason_name(reason)),
            LOG_STRING("error", is_wanted ? NULL : detail));
}

void delivery_in_use(void *context, const char *smarthost, bool is_first)
{
    (void)context;
    LOG(is_first ? LOG_INFO : LOG_WARNING, "smarthost_in_use", LOG_STRING("smarthost", smarthost));
}

void delivery_died(void *context, const char *smarthost)
{
    (void)context;
    metrics_child_died(METRICS_DELIVERER);
    LOG(LOG_ERROR, "deliverer_died", LOG_STRING("smarthost", smarthost));
}

void delivery_limit(void *context, const char *smarthost, size_t connections)
{
    (void)context;
    LOG(LOG_WARNING, "smarthost_limit", LOG_STRING("smarthost", smarthost),
        LOG_INTEGER("connections", (int64_t)connections));
}
