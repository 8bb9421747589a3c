// settlement.c - committing how a message goes on, and telling it in the log.
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/inbox.h"
#include "relay/metrics.h"
#include "relay/recipient_name.h"

static void log_end(struct dispatcher *dispatcher, const struct job *job)
{
    const char *event = message_state_name(job->settles_as);
    char recipient[RECIPIENT_NAME_SIZE];
    // What expired before anything was tried had no chance, whoever is to blame for it.
    bool is_bad = strcmp(event, "parked") == 0 || strcmp(event, "failed") == 0 ||
                  strcmp(event, "unknown") == 0 ||
                  (strcmp(event, "expired") == 0 && job->attempts == 0);
    LOG(is_bad ? LOG_WARNING : LOG_INFO, event, LOG_STRING("id", job->id),
        LOG_STRING("trace_id", job_trace(job)), LOG_STRING("reason", job->settles_reason),
        LOG_STRING("template", job->template[0] ? job->template : NULL),
        LOG_STRING("locale", job->locale[0] ? job->locale : NULL),
        LOG_STRING("recipient", recipient_name(dispatcher->queue, job->recipient, recipient)),
        LOG_INTEGER("attempts", job->attempts),
        LOG_INTEGER("age_ms", queue_now_ms(dispatcher->queue) - job->received_ms));
}

static void count_end(const struct job *job)
{
    if (job->settles_as == MESSAGE_PARKED)
        metrics_parked(job->settles_reason);
    else // a job without a channel was not composed
        metrics_ended(job->settles_as, job->channel[0] ? &job->envelope.lane : NULL, job->template);
    if (job->settles_as == MESSAGE_EXPIRED && job->was_limited)
        metrics_expired_rate_limited(job->envelope.lane);
}

static bool is_end(enum message_state state)
{
    return state != MESSAGE_RECEIVED && state != MESSAGE_QUEUED && state != MESSAGE_SENDING;
}

void settlement_submit(struct dispatcher *dispatcher, struct job *job,
                       struct queue_settlement *settlement)
{
    if (!job->row_composed)
        settlement->envelope = job->channel[0] ? &job->envelope : NULL;
    if (settlement->state == MESSAGE_QUEUED) {
        job->waits_until_ms = settlement->not_before_ms;
        if (!job->row_composed) {
            settlement->body = job->canonical;
            settlement->body_size = job->canonical_size;
        }
    }
    job_table_move(&dispatcher->jobs, job, JOB_SETTLING);
    job->settles_as = settlement->state;
    job->settles_reason = settlement->reason;
    queue_settle(dispatcher->queue, job->id, settlement, inbox_written, job);
}

void settlement_finish(struct dispatcher *dispatcher, struct job *job,
                       struct queue_settlement *settlement, enum message_state state,
                       const char *reason)
{
    settlement->state = state;
    settlement->reason = reason;
    settlement->ride = true;
    settlement_submit(dispatcher, job, settlement);
}

void settlement_end(struct dispatcher *dispatcher, struct job *job, enum message_state state,
                    const char *reason)
{
    struct queue_settlement settlement = {0};
    settlement_finish(dispatcher, job, &settlement, state, reason);
}

void settlement_written(struct dispatcher *dispatcher, struct job *job, enum queue_result result)
{
    if (result == QUEUE_REFUSED) {
        // Only a broken or closing queue refuses this. The dot mark stays: it alone knows now.
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", job->id),
            LOG_STRING("trace_id", job_trace(job)),
            LOG_STRING("error", "the outcome was not committed"));
        dispatcher_release(dispatcher, job);
        return;
    }
    // Nobody else ends what is in memory: the row was changed by hand, or cannot be found. The mark
    // goes all the same, since there is no row any more that it could be settled on.
    if (result == QUEUE_GONE)
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", job->id),
            LOG_STRING("trace_id", job_trace(job)),
            LOG_STRING("error", "the outcome was not recorded: no such row, or it has ended"),
            LOG_STRING("outcome", message_state_name(job->settles_as)));
    // Told only now, so that the log never says more than the disk.
    if (result == QUEUE_DONE && is_end(job->settles_as)) {
        log_end(dispatcher, job);
        count_end(job);
    }
    if (job->delivery.mark >= 0)
        dots_clear(dispatcher->dots, (size_t)job->delivery.mark);
    if (job->waits_until_ms > 0) {
        int64_t due_ms = queue_boot_ms(dispatcher->queue, job->waits_until_ms);
        if (due_ms < dispatcher->due_at_ms)
            dispatcher->due_at_ms = due_ms;
        // Its deadline may be the first to pass; a look too early costs little.
        int64_t deadline_ms = queue_boot_ms(dispatcher->queue, job->envelope.deadline_ms);
        if (deadline_ms < dispatcher->overdue_at_ms)
            dispatcher->overdue_at_ms = deadline_ms;
    }
    dispatcher_release(dispatcher, job);
}
