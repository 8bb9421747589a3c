// admission.c - what is decided about a message once it is composed, and again whenever it is
// about to go: may it go at all?
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch.h"
#include "relay/envelope.h"

enum { MAILS_MAX = 16, COMPOSE_TRIES = 2 };

void admission_compose(struct dispatcher *dispatcher, struct job *job, enum compose_task task)
{
    job->state = JOB_COMPOSING;
    job->request = (struct compose_request){
        .task = task,
        .id = job->id,
        .route = job->route,
        .blob = job->body,
        .blob_size = job->body_size,
        .received_boot_ms = queue_boot_ms(dispatcher->queue, job->received_ms),
    };
    composers_submit(dispatcher->composers, &job->request);
}

static struct job *job_of(struct compose_request *request)
{
    return (struct job *)(void *)((char *)request - offsetof(struct job, request));
}

// A payload on which the normaliser fails, or which kills the composer, is tried once more, then
// without the normaliser; if that fails too it is parked (design §6, Composing).
static void compose_failed(struct dispatcher *dispatcher, struct job *job, const json_t *header)
{
    const char *reason = header ? json_string_value(json_object_get(header, "reason")) : NULL;
    const char *detail = header ? json_string_value(json_object_get(header, "detail")) : NULL;
    if (!reason)
        reason = "composer_died";
    enum compose_task task = job->request.task;
    LOG(LOG_WARNING, "compose_failed", LOG_STRING("id", job->id), LOG_STRING("reason", reason),
        LOG_STRING("detail", detail), LOG_BOOLEAN("fallback", task == COMPOSE_FALLBACK));
    if (++job->compose_failures < COMPOSE_TRIES) {
        admission_compose(dispatcher, job, task);
        return;
    }
    if (task == COMPOSE_PAYLOAD) {
        job->compose_failures = COMPOSE_TRIES - 1; // the fallback is tried once
        admission_compose(dispatcher, job, COMPOSE_FALLBACK);
        return;
    }
    snprintf(job->park_reason, sizeof(job->park_reason), "%s", reason);
    job->state = JOB_WAITING;
    if (job->stored)
        admission_decide(dispatcher, job);
}

// ---- another payload with the same content (design §6, Dedupe, second look) -------------------

// An older composed one that has not been committed as such yet. whole is the job that content's
// mail is, or is a part of.
static bool is_in_memory(const struct dispatcher *dispatcher, const struct job *content,
                         const struct job *whole)
{
    for (const struct job *other = dispatcher->jobs.all; other; other = other->list_next)
        if (other != whole && content->has_content_digest && other->has_content_digest &&
            other->stored && other->state >= JOB_READY &&
            memcmp(other->content_digest, content->content_digest, QUEUE_DIGEST_SIZE) == 0)
            return true;
    return false;
}

static bool is_on_disk(struct dispatcher *dispatcher, const struct job *content,
                       const struct job *whole)
{
    char id[QUEUE_ID_SIZE];
    bool found = false;
    struct error err = {0};
    if (content->has_content_digest &&
        !queue_find_content(dispatcher->reader, content->content_digest, whole->id,
                            queue_now_ms(dispatcher->queue), id, &found, &err))
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", whole->id),
            LOG_STRING("error", err.message));
    return found;
}

static void take_content_digest(struct job *job, const struct job *part)
{
    memcpy(job->content_digest, part->content_digest, sizeof(job->content_digest));
    job->has_content_digest = part->has_content_digest;
}

// ---- several mails of one payload -------------------------------------------------------------

// Fills one row of queue_compose() from the composer's mail; part is only its memory.
static bool fill_row(struct dispatcher *dispatcher, const struct job *whole, struct job *part,
                     const json_t *mail, size_t index, const struct frame *frame,
                     struct queue_mail *ret_row, struct error *err)
{
    if (!envelope_take(part, dispatcher->queue, dispatcher->config, mail, index, frame, err))
        return false;
    bool is_known = is_on_disk(dispatcher, part, whole);
    *ret_row = (struct queue_mail){.envelope = part->envelope,
                                   .body = part->canonical,
                                   .body_size = part->canonical_size,
                                   .state = MESSAGE_QUEUED};
    if (part->park_reason[0]) {
        ret_row->state = MESSAGE_PARKED;
        ret_row->reason = part->park_reason;
    } else if (is_known) {
        ret_row->state = MESSAGE_SUPERSEDED;
        ret_row->reason = "duplicate";
    }
    return true;
}

// Splits a stored payload into its mails, or ends it when there is nothing to send. They go out
// from the queue, like any other that had to wait.
static void split(struct dispatcher *dispatcher, struct job *job, const json_t *mails,
                  const struct frame *frame)
{
    size_t count = json_array_size(mails);
    struct queue_mail rows[MAILS_MAX];
    struct job *parts[MAILS_MAX] = {NULL};
    struct error err = {0};
    bool is_known = false;
    bool ok = count <= MAILS_MAX || error_set(&err, ERR_INPUT, "%zu mails of one payload", count);
    for (size_t i = 0; ok && i < count; i++) {
        parts[i] = job_create(job->id, job->route, NULL, 0);
        if (!parts[i]) {
            ok = error_set(&err, ERR_TEMPORARY, "no memory");
            break;
        }
        parts[i]->received_ms = job->received_ms;
        ok =
            fill_row(dispatcher, job, parts[i], json_array_get(mails, i), i, frame, &rows[i], &err);
        if (ok && i == 0) {
            // What is in memory is known by the first of its mails; and from now on so is this.
            is_known = is_in_memory(dispatcher, parts[0], job);
            take_content_digest(job, parts[0]);
        }
        if (ok && is_known && !parts[i]->park_reason[0]) {
            rows[i].state = MESSAGE_SUPERSEDED;
            rows[i].reason = "duplicate";
        }
    }
    if (ok) {
        job->state = JOB_SETTLING;
        job->waits_until_ms = count > 0 ? queue_now_ms(dispatcher->queue) : 0;
        queue_compose(dispatcher->queue, job->id, rows, count, dispatcher_written, job);
        if (count == 0)
            settlement_log(dispatcher, job, "cancelled", "nothing_to_send");
    } else {
        json_auto_t *why =
            json_pack("{s:s, s:s}", "reason", "not_canonical", "detail", err.message);
        compose_failed(dispatcher, job, why);
    }
    for (size_t i = 0; i < count && i < MAILS_MAX; i++)
        job_destroy(parts[i]);
}

// What a normaliser did wrong, or found nothing for, may be in the known places all the same: a
// mail is not lost to a detail (design §1.2).
static bool is_mendable(const char *park_reason)
{
    return park_reason[0] && strcmp(park_reason, "unparseable") != 0 &&
           strcmp(park_reason, "unsupported_channel") != 0;
}

void admission_composed(void *context, struct compose_request *request, enum compose_end end,
                        const json_t *header, const struct frame *frame)
{
    struct dispatcher *dispatcher = context;
    struct job *job = job_of(request);
    if (end != COMPOSED) {
        compose_failed(dispatcher, job, header);
        return;
    }
    const json_t *mails = json_object_get(header, "mails");
    if (json_array_size(mails) != 1 && !job->row_composed) {
        // Rare, and the row must be there first: where its commit is still under way the
        // message comes again from the queue.
        if (job->stored)
            split(dispatcher, job, mails, frame);
        else
            dispatcher_release(dispatcher, job);
        return;
    }
    struct error err = {0};
    int64_t deadline_ms = job->envelope.deadline_ms;
    const json_t *mail = json_array_get(mails, 0);
    if (!envelope_take(job, dispatcher->queue, dispatcher->config, mail, 0, frame, &err)) {
        json_auto_t *why =
            json_pack("{s:s, s:s}", "reason", "not_canonical", "detail", err.message);
        compose_failed(dispatcher, job, why);
        return;
    }
    if (request->task == COMPOSE_PAYLOAD && is_mendable(job->park_reason)) {
        LOG(LOG_WARNING, "compose_failed", LOG_STRING("id", job->id),
            LOG_STRING("reason", job->park_reason),
            LOG_STRING("detail", json_string_value(json_object_get(mail, "detail"))),
            LOG_BOOLEAN("fallback", false));
        admission_compose(dispatcher, job, COMPOSE_FALLBACK);
        return;
    }
    if (job->row_composed)
        job->envelope.deadline_ms = deadline_ms; // a deadline, once known, does not move
    job->state = JOB_WAITING;
    if (job->stored)
        admission_decide(dispatcher, job);
}

// ---- decisions --------------------------------------------------------------------------------

static bool is_duplicate(struct dispatcher *dispatcher, const struct job *job)
{
    return !job->row_composed &&
           (is_in_memory(dispatcher, job, job) || is_on_disk(dispatcher, job, job));
}

bool admission_has_newer(struct dispatcher *dispatcher, const struct job *job)
{
    if (!job->envelope.supersede_digest)
        return false;
    for (const struct job *other = dispatcher->jobs.all; other; other = other->list_next)
        if (other != job && other->stored && other->envelope.supersede_digest &&
            !other->park_reason[0] && !other->is_duplicate &&
            other->received_ms > job->received_ms && // mails of one payload are of one age
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
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", job->id), LOG_STRING("error", err.message));
    return found;
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
    } else if (is_duplicate(dispatcher, job)) {
        job->is_duplicate = true;
        settlement_end(dispatcher, job, MESSAGE_SUPERSEDED, "duplicate");
    } else {
        job->state = JOB_READY;
        job->ready_since_ms = clock_boot_ms();
        delivery_pump(dispatcher);
    }
}
