// rate_gate.c - rate limits (design §5): which messages wait since enough was sent already.
//
// A message takes a token once, before its first attempt: as it arrives, or before its row is
// leased. What finds none is `queued` with the reason `rate_limited` until a token is its own, so
// it holds neither a slot nor memory, and is written again only when a newer one has taken its
// place. Too many altogether are no fault of theirs: then rows are left as they are, and looked at
// when the next token has come.
#include <ctype.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"
#include "relay/metrics.h"
#include "relay/recipient_name.h"

enum {
    RECONSIDER_AGAIN_MS = 60, // while there is more: others are served in between
    REFUSED_AGAIN_MS = 1000,  // on a full disk
};

// Nearly every mailbox is the same however its name is written: a flood must not get around a
// limit by that.
static void identify(struct dispatcher *dispatcher, const struct job *job,
                     uint8_t ret_digest[QUEUE_DIGEST_SIZE])
{
    char folded[QUEUE_RECIPIENT_SIZE];
    size_t size = strlen(job->recipient);
    for (size_t i = 0; i < size; i++)
        folded[i] = (char)tolower((unsigned char)job->recipient[i]); // ASCII: the locale is "C"
    queue_digest(dispatcher->queue, "recipient", folded, size, ret_digest);
}

static struct rate_request request_of(const struct job *job, const uint8_t *recipient)
{
    return (struct rate_request){.lane = job->envelope.lane,
                                 .recipient = recipient,
                                 .received_ms = job->received_ms,
                                 .deadline_ms = job->envelope.deadline_ms,
                                 .has_waited = job->was_limited};
}

static void tell(struct dispatcher *dispatcher, const struct job *job, const struct rate_wait *wait)
{
    char recipient[RECIPIENT_NAME_SIZE];
    LOG(LOG_WARNING, RATE_LIMITED, LOG_STRING("id", job->id),
        LOG_STRING("trace_id", job_trace(job)),
        LOG_STRING("limit", wait->is_total ? "total" : "recipient"),
        LOG_STRING("lane", lane_name(job->envelope.lane)),
        LOG_STRING("recipient", wait->is_total
                                    ? NULL
                                    : recipient_name(dispatcher->queue, job->recipient, recipient)),
        LOG_INTEGER("wait_ms", wait->until_ms - queue_now_ms(dispatcher->queue)));
}

bool rate_gate_pass(struct dispatcher *dispatcher, struct job *job)
{
    if (job->has_token || job->attempts > 0)
        return true;
    uint8_t recipient[QUEUE_DIGEST_SIZE];
    struct rate_wait wait;
    identify(dispatcher, job, recipient);
    const struct rate_request request = request_of(job, recipient);
    job->has_token =
        rate_limit_take(dispatcher->rate_limit, &request, queue_now_ms(dispatcher->queue), &wait);
    if (job->has_token)
        return true;
    metrics_rate_limited(job->envelope.lane);
    if (wait.is_news)
        tell(dispatcher, job, &wait);
    struct queue_settlement settlement = {
        .state = MESSAGE_QUEUED, .reason = RATE_LIMITED, .not_before_ms = wait.until_ms};
    settlement_submit(dispatcher, job, &settlement);
    return false;
}

void rate_gate_leave(struct dispatcher *dispatcher, const struct job *job)
{
    if (!job->has_token || job->attempts > 0)
        return;
    uint8_t recipient[QUEUE_DIGEST_SIZE];
    identify(dispatcher, job, recipient);
    const struct rate_request request = request_of(job, recipient);
    rate_limit_give_back(dispatcher->rate_limit, &request);
}

bool rate_gate_is_open(const struct dispatcher *dispatcher, enum lane lane, int64_t *ret_at_ms)
{
    int64_t at_ms = rate_limit_total_ms(dispatcher->rate_limit, lane);
    if (at_ms <= queue_now_ms(dispatcher->queue))
        return true;
    if (ret_at_ms)
        *ret_at_ms = queue_boot_ms(dispatcher->queue, at_ms);
    return false;
}

void rate_gate_reconsider(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (now_ms < dispatcher->reconsider_at_ms)
        return;
    const struct config *config = dispatcher->config;
    char limits[RATES_TEXT_SIZE];
    size_t count = 0;
    bool more = false;
    struct error err;
    rates_text(&config->rate_recipient, &config->rate_total, limits);
    if (!queue_writable(dispatcher->queue) ||
        !queue_reconsider(dispatcher->queue, limits, dispatcher->created_ms, &count, &more, &err)) {
        dispatcher->reconsider_at_ms = now_ms + REFUSED_AGAIN_MS; // the queue tells why
        return;
    }
    if (count > 0)
        dispatcher->due_at_ms = now_ms;
    dispatcher->reconsidered += count;
    dispatcher->reconsider_at_ms = more ? now_ms + RECONSIDER_AGAIN_MS : INT64_MAX;
    if (!more && dispatcher->reconsidered > 0)
        LOG(LOG_INFO, "reconsidered", LOG_INTEGER("messages", (int64_t)dispatcher->reconsidered),
            LOG_STRING("note", "rate limits were changed"));
}
