// split.c - one payload of which the normaliser made several mails: a row for each, in one commit.
//
// A mail of them that cannot go is parked under an id of its own with the whole payload, for only
// that can be composed anew once the normaliser was mended. Released, it is a part: the others
// have gone out, and of what is composed then only the mail at its place is taken. Where that are
// more or fewer mails than before, the operator has mended too much: it is parked again.
#include <stdio.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/dispatch/composition.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/envelope.h"
#include "relay/dispatch/inbox.h"
#include "relay/metrics.h"

enum { MAILS_MAX = 16 };

struct split {
    struct dispatcher *dispatcher;
    struct job *whole;
    struct queue_mail rows[MAILS_MAX];
    struct job *parts[MAILS_MAX]; // what the rows point into
    size_t count;                 // of both
    size_t parked;
    unsigned going;   // a bit for each place whose mail goes
    bool is_mendable; // one of the parked may be in the known places all the same
    bool is_refused;  // one is not to be sent: nor is what the known places make of it
};

// Makes the row of the mail at that place of what was composed.
static bool add_row(struct split *split, const json_t *mails, size_t index,
                    const struct frame *frame, struct error *err)
{
    struct dispatcher *dispatcher = split->dispatcher;
    struct job *whole = split->whole;
    struct job *part = job_create(whole->id, whole->route, NULL, 0);
    if (!part)
        return error_set(err, ERR_TEMPORARY, "no memory");
    struct queue_mail *row = &split->rows[split->count];
    split->parts[split->count++] = part;
    part->received_ms = whole->received_ms;
    part->array_index = index;
    if (!envelope_take(part, dispatcher->queue, dispatcher->config, json_array_get(mails, index),
                       index, frame, err))
        return false;
    *row = (struct queue_mail){.envelope = part->envelope,
                               .body = part->canonical,
                               .body_size = part->canonical_size,
                               .state = MESSAGE_QUEUED};
    if (part->park_reason[0]) {
        row->state = MESSAGE_PARKED;
        row->reason = part->park_reason;
        row->body = whole->body;
        row->body_size = whole->body_size;
        row->body_is_payload = true;
        split->parked++;
        split->is_mendable = split->is_mendable || composition_is_mendable(part->park_reason);
        split->is_refused = split->is_refused || strcmp(part->park_reason, "link_not_allowed") == 0;
    } else if (admission_is_in_memory(dispatcher, part, whole) ||
               admission_is_on_disk(dispatcher, part, whole)) {
        row->state = MESSAGE_SUPERSEDED;
        row->reason = "duplicate";
    } else {
        split->going |= 1u << index;
    }
    return true;
}

// False where one of the mails is not what a composer may answer.
static bool add_rows(struct split *split, const json_t *mails, const struct frame *frame,
                     struct error *err)
{
    const struct job *whole = split->whole;
    size_t count = json_array_size(mails);
    if (count > MAILS_MAX)
        return error_set(err, ERR_INPUT, "%zu mails of one payload", count);
    size_t begin = 0, end = count;
    if (whole->is_part) {
        // Among more or fewer than before, its place may be that of one that has gone out.
        size_t before = 0;
        if (!queue_count_siblings(split->dispatcher->reader, whole->id, &before, err))
            return false;
        begin = whole->array_index;
        end = count == before ? begin + 1 : begin;
    }
    for (size_t i = begin; i < end; i++)
        if (!add_row(split, mails, i, frame, err))
            return false;
    return true;
}

// The further ones get their ids from the queue: here they go by the payload's and their place.
static void tell_rows(const struct split *split)
{
    const struct job *whole = split->whole;
    for (size_t i = 0; i < split->count; i++) {
        const struct queue_mail *row = &split->rows[i];
        if (row->state == MESSAGE_QUEUED)
            metrics_composed(row->envelope.locale, row->envelope.locale_source);
        else if (row->state == MESSAGE_SUPERSEDED)
            metrics_ended(row->state, &row->envelope.lane, row->envelope.template);
        if (row->state != MESSAGE_PARKED)
            continue;
        metrics_parked(row->reason);
        LOG(LOG_WARNING, "parked", LOG_STRING("id", whole->id),
            LOG_STRING("trace_id", job_trace(whole)), LOG_STRING("reason", row->reason),
            LOG_INTEGER("index", (int64_t)(whole->is_part ? whole->array_index : i)));
    }
}

static void commit(struct split *split)
{
    struct dispatcher *dispatcher = split->dispatcher;
    struct job *whole = split->whole;
    // Until that is committed they are known by this.
    if (split->count > 0)
        memcpy(whole->content, split->parts[0]->content, sizeof(whole->content));
    whole->going = split->going;
    job_table_move(&dispatcher->jobs, whole, JOB_SETTLING);
    whole->waits_until_ms = split->count > 0 ? queue_now_ms(dispatcher->queue) : 0;
    if (split->count == 0) {
        whole->settles_as = MESSAGE_CANCELLED;
        whole->settles_reason = "nothing_to_send";
    }
    queue_compose(dispatcher->queue, whole->id, split->rows, split->count, inbox_written, whole);
    tell_rows(split);
}

enum split_end split_payload(struct dispatcher *dispatcher, struct job *job, const json_t *mails,
                             const struct frame *frame, struct error *err)
{
    struct split split = {.dispatcher = dispatcher, .whole = job};
    enum split_end end = SPLIT_FAILED;
    if (add_rows(&split, mails, frame, err)) {
        bool none_goes =
            split.parked == split.count && split.is_mendable && !split.is_refused && !job->is_part;
        end = none_goes ? SPLIT_NONE_GOES : SPLIT_DONE;
    }
    if (end == SPLIT_DONE && split.count == 0 && job->is_part)
        settlement_end(dispatcher, job, MESSAGE_PARKED, "no_such_part"); // it keeps its body
    else if (end == SPLIT_DONE)
        commit(&split);
    else if (end == SPLIT_NONE_GOES)
        error_set(err, ERR_INPUT, "none of %zu mails can go: %s", split.count,
                  split.parts[0]->park_reason);
    for (size_t i = 0; i < split.count; i++)
        job_destroy(split.parts[i]);
    return end;
}
