// backlog.c - what comes from the queue: rows that were left, that waited.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/dispatch/composition.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/expiry.h"
#include "relay/dispatch/inbox.h"

enum {
    FETCH_MAX = 64,
    PROBE_LOOK_MAX = 512,       // rows of a lane among which a probe is chosen
    PUT_OFF_MS = 3,             // a look for due rows, until more are wanted
    READ_AGAIN_MS = 1000,       // after the queue could not be read
    LEASE_SPARE_MS = 60 * 1000, // a lease outlives the longest transaction by this
    SWEEP_EVERY_MS = 60 * 60 * 1000,
    SWEEP_AGAIN_MS = 100, // while there is more: in batches, so that accepting does not wait
    SWEEP_BATCH = 500,
};

typedef char queue_id[QUEUE_ID_SIZE];

static void log_queue_error(const char *id, const struct error *err)
{
    LOG(LOG_ERROR, "queue_error", LOG_STRING("id", id), LOG_STRING("error", err->message));
}

static void copy_row(struct job *job, const struct queue_message *row)
{
    job->received_ms = row->created_ms;
    job_set_trace(job, row->trace_id);
    job->attempts = row->attempts;
    job->unknown_outcomes = row->unknown_outcomes;
    job->row_composed = row->composed;
    job->was_limited = strcmp(row->reason, RATE_LIMITED) == 0;
    job->was_released = row->composed && strcmp(row->reason, "released") == 0;
    job->is_part = row->is_part;
    job->array_index = (size_t)row->array_index;
    if (!row->composed)
        return;
    snprintf(job->channel, sizeof(job->channel), "%s", row->channel);
    snprintf(job->template, sizeof(job->template), "%s", row->template);
    snprintf(job->locale, sizeof(job->locale), "%s", row->locale);
    snprintf(job->recipient, sizeof(job->recipient), "%s", row->recipient);
    job->envelope.lane = row->lane;
    job->envelope.deadline_ms = row->deadline_ms;
    if (row->has_content) {
        memcpy(job->content_digest, row->content_digest, QUEUE_DIGEST_SIZE);
        job->envelope.content_digest = job->content_digest;
    }
    if (row->has_supersede) {
        memcpy(job->supersede_digest, row->supersede_digest, QUEUE_DIGEST_SIZE);
        job->envelope.supersede_digest = job->supersede_digest;
        job->envelope.supersede_by_browser = row->supersede_by_browser;
    }
}

struct job *backlog_load(struct dispatcher *dispatcher, const char *id, bool *failed)
{
    if (job_table_find(&dispatcher->jobs, id))
        return NULL;
    struct queue_message row;
    bool found = false;
    char *body = NULL;
    size_t body_size = 0;
    struct error err = {0};
    bool ok = queue_load(dispatcher->reader, id, &row, &found, &body, &body_size, &err);
    if (ok && !found)
        return NULL;
    if (!ok) {
        log_queue_error(id, &err);
        if (err.code != ERR_CORRUPT) {
            *failed = true;
            return NULL;
        }
    }
    bool is_whole = ok && body_size > 0;
    struct job *job = job_create(id, ok ? row.route : NULL, body, body_size);
    if (body)
        explicit_bzero(body, body_size);
    free(body);
    if (!job) {
        *failed = true;
        return NULL;
    }
    atomic_fetch_add(&dispatcher->load_count, 1);
    atomic_fetch_add(&dispatcher->load_bytes, body_size);
    if (ok)
        copy_row(job, &row);
    if (!job->row_composed) // see recovery.h
        job->delivery.mark = dots_find(dispatcher->dots, id);
    dispatcher_adopt(dispatcher, job);
    if (is_whole)
        return job;
    // An operator who has the key, or an undamaged copy, can bring it back; nobody else can.
    bool lacks_key = ok && row.fault == BODY_OF_UNKNOWN_KEY;
    if (!delivery_settle_verdict(dispatcher, job)) // it has gone out before it was damaged
        settlement_end(dispatcher, job, MESSAGE_PARKED, lacks_key ? "unknown_key" : "damaged");
    return NULL;
}

// The lease is committed while the mail is rendered anew: the minutes in it must be those left.
static void claim(struct dispatcher *dispatcher, struct job *job)
{
    job->is_claiming = true;
    int64_t lease_end_ms =
        queue_now_ms(dispatcher->queue) + dispatcher->longest_transaction_ms + LEASE_SPARE_MS;
    queue_claim(dispatcher->queue, job->id, dispatcher->owner, lease_end_ms, inbox_written, job);
    composition_begin(dispatcher, job, job->row_composed ? COMPOSE_RENDER : COMPOSE_PAYLOAD);
}

void backlog_claimed(struct dispatcher *dispatcher, struct job *job, enum queue_result result)
{
    job->is_claiming = false;
    if (result != QUEUE_DONE) {
        dispatcher_release(dispatcher, job); // somebody was quicker, or the queue is closing
        return;
    }
    job->stored = true;
    if (job->state == JOB_WAITING)
        admission_decide(dispatcher, job);
}

// How many due rows to bring in now: as many as there are slots for which nothing in memory
// waits; and always one, lest a stream of new mail keeps the waiting ones out for ever.
static size_t count_wanted(const struct dispatcher *dispatcher, int64_t now_ms)
{
    if (deliverers_down(dispatcher->deliverers, now_ms) ||
        deliverers_are_paced(dispatcher->deliverers, now_ms))
        return 0;
    size_t slots = deliverers_free_slots(dispatcher->deliverers, now_ms), taken = 0, claimed = 0;
    for (const struct job *job = dispatcher->jobs.all; job; job = job->list_next) {
        taken += job->state <= JOB_READY;
        claimed += job->state <= JOB_READY && job->row_composed;
    }
    size_t wanted = slots > taken ? slots - taken : 0;
    if (wanted == 0 && claimed == 0 && taken > 0)
        wanted = 1;
    return wanted < FETCH_MAX ? wanted : FETCH_MAX;
}

// How a look at the due rows went.
struct look {
    size_t claimed;
    bool more;           // what was read did not suffice: rows were parked, or wait for a token now
    bool failed;         // it has to be repeated
    int64_t opens_at_ms; // CLOCK_BOOTTIME: when a lane that has sent enough altogether may go on
    bool is_probe;       // one is wanted, by deliverers_turn(), whatever its lane:
    queue_id best_id;    // of those seen so far; "": none
    uint64_t best_turn;
};

static void consider(struct dispatcher *dispatcher, const char *id, struct look *look)
{
    struct queue_message row;
    bool found = false;
    struct error err = {0};
    if (job_table_find(&dispatcher->jobs, id)) // delivery.c chooses among those in memory
        return;
    // What cannot be read is loaded as any other is, which says so, and parks it.
    if (!queue_load(dispatcher->reader, id, &row, &found, NULL, NULL, &err))
        row = (struct queue_message){0};
    else if (!found)
        return;
    const struct probe_candidate candidate = {id, row.recipient, row.created_ms};
    uint64_t turn = deliverers_turn(dispatcher->deliverers, &candidate, clock_boot_ms());
    if (*look->best_id && turn >= look->best_turn)
        return;
    memcpy(look->best_id, id, sizeof(look->best_id));
    look->best_turn = turn;
}

// Nobody goes before the first one: that is so while what is down refuses no message of its own.
static bool is_chosen(const struct look *look)
{
    return look->is_probe && *look->best_id && look->best_turn == 0;
}

// False: the lane has sent enough altogether.
static bool is_lane_open(struct dispatcher *dispatcher, enum lane lane, struct look *look)
{
    int64_t opens_at_ms = INT64_MAX;
    bool is_open = rate_gate_is_open(dispatcher, lane, &opens_at_ms);
    if (opens_at_ms < look->opens_at_ms)
        look->opens_at_ms = opens_at_ms;
    return is_open;
}

static void claim_one(struct dispatcher *dispatcher, const char *id, struct look *look)
{
    struct job *job = backlog_load(dispatcher, id, &look->failed);
    if (!job || expiry_end_dead(dispatcher, job) ||
        (job->was_released && admission_end_duplicate(dispatcher, job)))
        return;
    if (rate_gate_pass(dispatcher, job)) {
        claim(dispatcher, job);
        look->claimed++;
    }
}

// Claims due rows of a lane until there are so many; of a probe, notes the best.
static void claim_due(struct dispatcher *dispatcher, enum lane lane, size_t wanted, int64_t at_ms,
                      struct look *look)
{
    // Rows that are in memory may still look due on disk, so as many more are asked for.
    size_t limit = (look->is_probe ? PROBE_LOOK_MAX : FETCH_MAX) + dispatcher->jobs.count;
    size_t count = 0;
    queue_id *ids = calloc(limit, sizeof(*ids));
    struct error err = {0};
    if (!ids || !queue_due(dispatcher->reader, lane, at_ms, limit, ids, &count, &err)) {
        log_queue_error(NULL, &err);
        look->failed = true;
    }
    size_t seen = 0;
    bool is_open = true;
    for (; seen < count && look->claimed < wanted && !is_chosen(look); seen++) {
        is_open = is_lane_open(dispatcher, lane, look);
        if (!is_open || dispatcher->jobs.count >= JOBS_MAX + FETCH_MAX)
            break;
        if (look->is_probe)
            consider(dispatcher, ids[seen], look);
        else
            claim_one(dispatcher, ids[seen], look);
    }
    bool is_all = seen == count && count < limit;
    look->more = look->more || (!is_all && is_open && look->claimed < wanted && !look->is_probe);
    free(ids);
}

// A look costs as much as a delivery, so while a backlog drains it is put off for a moment, until
// there is room for some.
static bool is_put_off(struct dispatcher *dispatcher, size_t wanted, int64_t now_ms)
{
    size_t slots = wanted + deliverers_under_way(dispatcher->deliverers);
    dispatcher->fetch_is_put_off = !dispatcher->fetch_is_put_off && wanted < slots / 4;
    if (dispatcher->fetch_is_put_off)
        dispatcher->due_at_ms = now_ms + PUT_OFF_MS;
    return dispatcher->fetch_is_put_off;
}

static void look_at_lanes(struct dispatcher *dispatcher, size_t wanted, int64_t now, bool reversed,
                          struct look *look)
{
    for (int i = 0; i < LANE_COUNT && look->claimed < wanted && !is_chosen(look); i++)
        claim_due(dispatcher, (enum lane)(reversed ? LANE_COUNT - 1 - i : i), wanted, now, look);
}

static void fetch_due(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (now_ms < dispatcher->due_at_ms)
        return;
    size_t wanted = count_wanted(dispatcher, now_ms);
    if (wanted == 0)
        deliverers_wanted(dispatcher->deliverers, now_ms);
    if (wanted == 0 || is_put_off(dispatcher, wanted, now_ms))
        return;
    bool reversed = ++dispatcher->pick_turn % LANE_TURN == 0;
    // One moment for all of it: what falls due, or a token that comes, while it lasts would else be
    // seen neither by the look nor by whoever asks when to look next.
    int64_t now = queue_now_ms(dispatcher->queue);
    struct look look = {.opens_at_ms = INT64_MAX,
                        .is_probe = deliverers_probe(dispatcher->deliverers, now_ms)};
    look_at_lanes(dispatcher, wanted, now, reversed, &look);
    if (*look.best_id) {
        claim_one(dispatcher, look.best_id, &look);
        look.more = look.claimed == 0; // it was dead: another
    }
    if (look.claimed == wanted)
        return; // there may be more
    int64_t next_ms = INT64_MAX;
    struct error err = {0};
    if (!queue_next_due(dispatcher->reader, now, &next_ms, &err)) {
        log_queue_error(NULL, &err);
        look.failed = true;
    }
    dispatcher->due_at_ms =
        next_ms == INT64_MAX ? INT64_MAX : queue_boot_ms(dispatcher->queue, next_ms);
    if (look.opens_at_ms < dispatcher->due_at_ms)
        dispatcher->due_at_ms = look.opens_at_ms;
    if (look.more)
        dispatcher->due_at_ms = now_ms + 1; // the rest, when these have been committed
    if (look.failed)
        dispatcher->due_at_ms = now_ms + READ_AGAIN_MS;
}

// A row that is `received`: its payload is composed. False where there is nothing to do.
static bool load_received(struct dispatcher *dispatcher, const char *id, bool *failed)
{
    struct job *job = backlog_load(dispatcher, id, failed);
    if (!job)
        return false;
    job->stored = true;
    composition_begin(dispatcher, job, COMPOSE_PAYLOAD);
    return true;
}

// What is committed from now on says so itself, so received_waiting turns false when the whole
// list was gone through. Not every job in memory stands in it (some are settled, some not yet
// committed), so a short list alone does not say that.
static void fetch_received(struct dispatcher *dispatcher)
{
    if (!dispatcher->received_waiting || dispatcher->jobs.count >= JOBS_REFILL ||
        atomic_load(&dispatcher->load_bytes) >= JOBS_BYTES_MAX)
        return;
    size_t limit = dispatcher->jobs.count + FETCH_MAX, count = 0, loaded = 0, seen = 0;
    queue_id *ids = calloc(limit, sizeof(*ids));
    struct error err = {0};
    bool failed = false;
    if (!ids || !queue_received(dispatcher->reader, limit, ids, &count, &err)) {
        log_queue_error(NULL, &err);
        failed = true;
    }
    for (; seen < count && loaded < FETCH_MAX; seen++) {
        if (atomic_load(&dispatcher->load_bytes) >= JOBS_BYTES_MAX)
            break;
        if (load_received(dispatcher, ids[seen], &failed))
            loaded++;
    }
    dispatcher->received_waiting = failed || seen < count || count == limit;
    free(ids);
}

// A message that has a mark of an earlier run has gone out, or may have, but what it was is known
// only once its payload is composed: with a verdict, and committed. Until then its like would be
// taken for the first, so nothing else is begun: what comes meanwhile is brought in from the queue
// afterwards.
static bool are_marks_settled(struct dispatcher *dispatcher)
{
    bool failed = false;
    size_t left = 0;
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dispatcher->dots, i, &dot);
        if (dot.state == DOT_FREE)
            continue;
        if (!job_table_find(&dispatcher->jobs, dot.id))
            load_received(dispatcher, dot.id, &failed);
        const struct job *job = job_table_find(&dispatcher->jobs, dot.id);
        if (!job && !failed)
            dots_clear(dispatcher->dots, i); // no such row
        left += job ? dot.state == DOT_VERDICT || job->state <= JOB_WAITING : failed;
    }
    dispatcher->marks_left = left > 0;
    return left == 0;
}

void backlog_fetch(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (!queue_can_settle(dispatcher->queue))
        return;
    if (dispatcher->marks_left && !are_marks_settled(dispatcher))
        return;
    fetch_due(dispatcher, now_ms);
    fetch_received(dispatcher);
}
