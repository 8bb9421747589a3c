// admission.c - what is decided about a message once it is composed, and again whenever it is
// about to go: may it go at all?
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/envelope.h"
#include "relay/metrics.h"

// ---- another payload with the same content (design §6, Dedupe, second look) -------------------

// A row that was composed earlier knows its content by the digest alone.
static bool is_alike(const struct dispatcher *dispatcher, const struct job *other,
                     const struct job *content)
{
    if (content->content[0])
        return strcmp(other->content, content->content) == 0 &&
               strcmp(other->route, content->route) == 0;
    uint8_t digest[QUEUE_DIGEST_SIZE];
    envelope_digest_content(dispatcher->queue, other->route, content->array_index, other->content,
                            digest);
    return memcmp(digest, content->content_digest, sizeof(digest)) == 0;
}

bool admission_is_in_memory(const struct dispatcher *dispatcher, const struct job *content,
                            const struct job *whole)
{
    if (!content->envelope.content_digest)
        return false;
    for (const struct job *other = dispatcher->jobs.all; other; other = other->list_next)
        if (other != whole && other->content[0] && (other->going >> content->array_index & 1) &&
            is_alike(dispatcher, other, content))
            return true;
    return false;
}

bool admission_is_on_disk(struct dispatcher *dispatcher, const struct job *content,
                          const struct job *whole)
{
    char id[QUEUE_ID_SIZE];
    bool found = false;
    struct error err = {0};
    if (content->envelope.content_digest &&
        !queue_find_content(dispatcher->reader, content->content_digest, whole->id,
                            queue_now_ms(dispatcher->queue), id, &found, &err))
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", whole->id),
            LOG_STRING("trace_id", job_trace(whole)), LOG_STRING("error", err.message));
    return found;
}

// ---- decisions --------------------------------------------------------------------------------

static bool is_duplicate(struct dispatcher *dispatcher, const struct job *job)
{
    return admission_is_in_memory(dispatcher, job, job) ||
           admission_is_on_disk(dispatcher, job, job);
}

bool admission_end_duplicate(struct dispatcher *dispatcher, struct job *job)
{
    if (!is_duplicate(dispatcher, job))
        return false;
    job->is_duplicate = true;
    settlement_end(dispatcher, job, MESSAGE_SUPERSEDED, "duplicate");
    return true;
}

// As queue_find_newer() has it, of what is in memory: a duplicate is nobody's newer, nor, where
// the key is a browser's, is what that browser's owner will not get.
static bool is_newer_for_others(const struct job *job)
{
    if (!job->stored || !job->envelope.supersede_digest || job->is_duplicate)
        return false;
    bool is_failing = job->state == JOB_SETTLING &&
                      (job->settles_as == MESSAGE_FAILED || job->settles_as == MESSAGE_CANCELLED);
    return !job->envelope.supersede_by_browser || (!job->park_reason[0] && !is_failing);
}

bool admission_has_newer(struct dispatcher *dispatcher, const struct job *job)
{
    if (!job->envelope.supersede_digest)
        return false;
    for (const struct job *other = dispatcher->jobs.all; other; other = other->list_next)
        if (other->received_ms > job->received_ms && // mails of one payload are of one age
            is_newer_for_others(other) &&
            memcmp(other->supersede_digest, job->supersede_digest, QUEUE_DIGEST_SIZE) == 0)
            return true;
    // A composed one that is not in memory has left it, or is of an earlier run. That spares the
    // look at the disk where a message is as fresh as most are.
    if (job->received_ms > dispatcher->newest_released_ms)
        return false;
    char id[QUEUE_ID_SIZE];
    bool found = false;
    struct error err = {0};
    if (!queue_find_newer(dispatcher->reader, job->supersede_digest,
                          job->envelope.supersede_by_browser, job->id, job->received_ms, id, &found,
                          &err))
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", job->id),
            LOG_STRING("trace_id", job_trace(job)), LOG_STRING("error", err.message));
    return found;
}

// What was just composed, and not before: may it go, or wait until it may?
static bool is_wanted(struct dispatcher *dispatcher, struct job *job)
{
    if (admission_end_duplicate(dispatcher, job))
        return false;
    if (admission_has_newer(dispatcher, job)) {
        settlement_end(dispatcher, job, MESSAGE_SUPERSEDED, "newer");
        return false;
    }
    metrics_composed(job->locale, job->locale_source);
    return true;
}

void admission_decide(struct dispatcher *dispatcher, struct job *job)
{
    if (dispatcher->draining) {
        // A `received` row needs nothing: the next start finds it. A lease is given back.
        if (job->row_composed)
            delivery_put_back(dispatcher, job);
        return;
    }
    if (delivery_settle_verdict(dispatcher, job))
        return;
    if (job->park_reason[0]) {
        settlement_end(dispatcher, job, MESSAGE_PARKED, job->park_reason);
    } else if (job->row_composed || is_wanted(dispatcher, job)) {
        job->going = 1u; // it is the only one, at the first place
        if (!rate_gate_pass(dispatcher, job))
            return;
        job_table_move(&dispatcher->jobs, job, JOB_READY);
        job->ready_since_ms = clock_boot_ms();
        delivery_pump(dispatcher);
    }
}
