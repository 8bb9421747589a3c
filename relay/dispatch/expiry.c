#include "relay/dispatch/expiry.h"

#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"

enum {
    OVERDUE_BATCH = 128,   // half of what may be in memory
    OVERDUE_AGAIN_MS = 60, // while there is more: in such a pause the writer makes its checkpoint
    READ_AGAIN_MS = 1000,  // after the queue could not be read
    SWEEP_EVERY_MS = 60 * 60 * 1000,
    SWEEP_AGAIN_MS = OVERDUE_AGAIN_MS,
    SWEEP_BATCH = 64, // each dirties pages all over the indexes by hash
};

// All of a batch ride with the last one, in one commit.
static void end(struct dispatcher *dispatcher, struct job *job, bool rides)
{
    struct queue_settlement settlement = {
        .state = MESSAGE_EXPIRED, .reason = "deadline", .ride = rides};
    settlement_submit(dispatcher, job, &settlement);
}

bool expiry_end_dead(struct dispatcher *dispatcher, struct job *job)
{
    if (!job->row_composed || queue_now_ms(dispatcher->queue) < job->envelope.deadline_ms)
        return false;
    end(dispatcher, job, true);
    return true;
}

void expiry_end_overdue(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (now_ms < dispatcher->overdue_at_ms || !queue_can_settle(dispatcher->queue))
        return;
    char ids[OVERDUE_BATCH][QUEUE_ID_SIZE];
    size_t count = 0;
    int64_t next_ms = INT64_MAX;
    struct error err = {0};
    bool failed = !queue_overdue(dispatcher->reader, queue_now_ms(dispatcher->queue), OVERDUE_BATCH,
                                 ids, &count, &next_ms, &err);
    if (failed)
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
    for (size_t i = 0; i < count; i++) {
        struct job *job = backlog_load(dispatcher, ids[i], &failed);
        if (job)
            end(dispatcher, job, i + 1 < count);
    }
    if (failed)
        dispatcher->overdue_at_ms = now_ms + READ_AGAIN_MS;
    else if (count == OVERDUE_BATCH)
        dispatcher->overdue_at_ms = now_ms + OVERDUE_AGAIN_MS;
    else
        dispatcher->overdue_at_ms =
            next_ms == INT64_MAX ? INT64_MAX : queue_boot_ms(dispatcher->queue, next_ms);
}

void expiry_sweep(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (now_ms < dispatcher->sweep_at_ms || !queue_can_settle(dispatcher->queue))
        return;
    int64_t before_ms = queue_now_ms(dispatcher->queue) - dispatcher->config->retention_ms;
    size_t swept = 0;
    bool more = false;
    struct error err = {0};
    if (!queue_sweep(dispatcher->queue, before_ms, SWEEP_BATCH, &swept, &more, &err))
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
    dispatcher->sweep_at_ms = now_ms + (more ? SWEEP_AGAIN_MS : SWEEP_EVERY_MS);
}
