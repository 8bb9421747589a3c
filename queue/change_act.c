// change_act.c - what an operator does to a message: retry, hold, release, cancel.
#include <stdlib.h>

#include "queue/change.h"
#include "queue/queue_private.h"
#include "queue/schema.h"

static int run(struct database *database, const char *sql, int64_t now_ms, int64_t seq)
{
    AUTO_QUERY struct query query = query_start(database, sql);
    query_int(&query, now_ms);
    query_int(&query, seq);
    return query_run(&query);
}

// ---- each act on one row ------------------------------------------------------------------------

// A `received` row has no lane (queue_received() finds it by that), replaces no older message yet,
// makes no other a duplicate, and is known like any that was not composed. What people look for it
// by stays until it is composed anew, and so does its deadline.
static const char TO_RECEIVED[] =
    "UPDATE message SET state = 'received', reason = NULL, not_before = 0, updated = ?1,"
    " lane = NULL, coded = NULL, content_digest = NULL, supersede_digest = NULL,"
    " supersede_by_browser = 0 WHERE seq = ?2";
static const char RELEASED[] =
    "UPDATE message SET state = 'queued', reason = 'released', not_before = ?1, updated = ?1"
    " WHERE seq = ?2";
static const char RETRIED[] =
    "UPDATE message SET state = 'queued', reason = 'retried', not_before = ?1, updated = ?1"
    " WHERE seq = ?2";
// Why it waits stays: one that waits for a token is judged by its limit anew.
static const char DUE_NOW[] = "UPDATE message SET not_before = ?1, updated = ?1 WHERE seq = ?2";
static const char HELD[] = "UPDATE message SET state = 'held', reason = NULL, not_before = 0,"
                           " updated = ?1 WHERE seq = ?2";
static const char CANCELLED[] =
    "UPDATE message SET state = 'cancelled', reason = 'by_operator', not_before = 0, updated = ?1,"
    " body_form = 0, body = NULL WHERE seq = ?2";
// A composed mail is compared with others when it is composed, and its like could go while it was
// parked: then it is the second one now. That like may be under way for the first time, still
// `received` here, so the dispatcher looks once more at what has the reason `released`.
static const char TO_DUPLICATE[] =
    "UPDATE message SET state = 'superseded', reason = 'duplicate', updated = ?1,"
    " body_form = 0, body = NULL"
    " WHERE seq = ?2 AND state = 'parked' AND body_form = 2 AND EXISTS"
    " (SELECT 1 FROM message AS other INDEXED BY message_content WHERE " SCHEMA_IS_SAME_MAIL(
        "message.content_digest", "message.payload_hash", "message.created") ")";

// QUEUE_DONE: the act may begin. sends: what it does is of use only to what can be sent yet.
static enum queue_result judge(const struct row *row, enum queue_act act, bool sends,
                               int64_t now_ms)
{
    if ((queue_act_states(act) & QUEUE_STATE_BIT(row->state)) == 0)
        return QUEUE_WRONG_STATE;
    if (sends && row->form == BODY_DROPPED)
        return QUEUE_BODY_DROPPED;
    return sends && row->deadline_ms && row->deadline_ms <= now_ms ? QUEUE_TOO_LATE : QUEUE_DONE;
}

static int retry(struct database *database, const struct row *row, int64_t now_ms,
                 enum queue_result *ret_result)
{
    bool waits = row->state == MESSAGE_QUEUED;
    *ret_result = judge(row, QUEUE_RETRY, true, now_ms);
    if (*ret_result != QUEUE_DONE)
        return SQLITE_OK;
    const char *sql = waits ? DUE_NOW : row->form == BODY_MAIL ? RETRIED : TO_RECEIVED;
    return run(database, sql, now_ms, row->seq);
}

static int hold(struct database *database, const struct row *row, int64_t now_ms,
                enum queue_result *ret_result)
{
    *ret_result = judge(row, QUEUE_HOLD, false, now_ms);
    return *ret_result == QUEUE_DONE ? run(database, HELD, now_ms, row->seq) : SQLITE_OK;
}

static int release(struct database *database, const struct row *row, int64_t now_ms,
                   enum queue_result *ret_result)
{
    *ret_result = judge(row, QUEUE_RELEASE, true, now_ms);
    if (*ret_result != QUEUE_DONE)
        return SQLITE_OK;
    if (row->form != BODY_MAIL)
        return run(database, TO_RECEIVED, now_ms, row->seq);
    int rc = run(database, TO_DUPLICATE, now_ms, row->seq);
    if (rc != SQLITE_OK || database_changes(database) > 0)
        return rc;
    return run(database, RELEASED, now_ms, row->seq);
}

static int cancel(struct database *database, const struct row *row, int64_t now_ms,
                  enum queue_result *ret_result)
{
    *ret_result = judge(row, QUEUE_CANCEL, false, now_ms);
    return *ret_result == QUEUE_DONE ? run(database, CANCELLED, now_ms, row->seq) : SQLITE_OK;
}

typedef int act_fn(struct database *database, const struct row *row, int64_t now_ms,
                   enum queue_result *ret_result);
static const struct {
    const char *name;
    act_fn *apply;
    unsigned from;
} ACTS[QUEUE_ACT_COUNT] = {
    [QUEUE_RETRY] = {"retry", retry,
                     QUEUE_STATE_BIT(MESSAGE_QUEUED) | QUEUE_STATE_BIT(MESSAGE_FAILED) |
                         QUEUE_STATE_BIT(MESSAGE_UNKNOWN)},
    [QUEUE_HOLD] = {"hold", hold, QUEUE_STATE_BIT(MESSAGE_QUEUED)},
    [QUEUE_RELEASE] = {"release", release,
                       QUEUE_STATE_BIT(MESSAGE_HELD) | QUEUE_STATE_BIT(MESSAGE_PARKED)},
    [QUEUE_CANCEL] = {"cancel", cancel,
                      QUEUE_STATE_BIT(MESSAGE_QUEUED) | QUEUE_STATE_BIT(MESSAGE_HELD) |
                          QUEUE_STATE_BIT(MESSAGE_PARKED)},
};

const char *queue_act_name(enum queue_act act)
{
    return ACTS[act].name;
}

unsigned queue_act_states(enum queue_act act)
{
    return ACTS[act].from;
}

// What the message is now.
static int describe(struct database *database, struct queue_acted *acted, int64_t seq)
{
    AUTO_QUERY struct query query = query_start(
        database, "SELECT state, unknown_outcomes, lane, template FROM message WHERE seq = ?");
    query_int(&query, seq);
    if (query_step(&query)) {
        message_state_parse(query_get_text(&query), &acted->state);
        acted->unknown_outcomes = (int)query_get_int(&query);
        acted->has_lane = lane_parse(query_get_text(&query), &acted->lane);
        query_copy_text(&query, acted->template, sizeof(acted->template));
    }
    return query.rc;
}

static int act_on(struct database *database, enum queue_act act, struct queue_acted *acted,
                  int64_t now_ms)
{
    struct row row;
    bool found = false;
    int rc = change_find_row(database, acted->id, &row, &found);
    acted->result = QUEUE_GONE;
    if (rc == SQLITE_OK && found)
        rc = ACTS[act].apply(database, &row, now_ms, &acted->result);
    return rc == SQLITE_OK && found ? describe(database, acted, row.seq) : rc;
}

// ---- one message --------------------------------------------------------------------------------

struct act_change {
    struct change change;
    enum queue_act act;
    queue_acted_fn *done;
    void *context;
    struct queue_acted acted; // out
};

static int apply_one(struct change *change, struct database *database, int64_t now_ms)
{
    struct act_change *act = (struct act_change *)change;
    int rc = act_on(database, act->act, &act->acted, now_ms);
    change->result = act->acted.result;
    return rc;
}

static void tell(void *context, enum queue_result result, const char *id)
{
    (void)id;
    struct act_change *act = context;
    act->acted.result = result; // it may have been refused meanwhile
    act->done(act->context, &act->acted);
}

static void destroy(struct change *change)
{
    free(change);
}

// Not kept while the disk is full: whoever asked for it waits for the answer.
static const struct change_type ACT = {.apply = apply_one, .destroy = destroy};

void queue_act(struct queue *queue, enum queue_act act, const char *id, queue_acted_fn *done,
               void *context)
{
    struct act_change *change = change_create(&ACT, sizeof(*change), id, tell, NULL);
    change->change.context = change;
    change->act = act;
    change->done = done;
    change->context = context;
    change_copy_text(change->acted.id, sizeof(change->acted.id), id);
    writer_submit(queue->writer, &change->change);
}

// ---- several ------------------------------------------------------------------------------------

struct act_on_all {
    struct change change;
    enum queue_act act;
    struct queue_acted *messages;
    size_t count;
};

static int apply_to_all(struct change *change, struct database *database, int64_t now_ms)
{
    struct act_on_all *all = (struct act_on_all *)change;
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < all->count; i++)
        rc = act_on(database, all->act, &all->messages[i], now_ms);
    return rc;
}

static const struct change_type ACT_ON_ALL = {.apply = apply_to_all};

bool queue_act_on_all(struct queue *queue, enum queue_act act, struct queue_acted *messages,
                      size_t count, struct error *err)
{
    struct act_on_all all = {
        .change.type = &ACT_ON_ALL, .act = act, .messages = messages, .count = count};
    return writer_submit_and_wait(queue->writer, &all.change) == QUEUE_DONE ||
           error_set(err, ERR_TEMPORARY, "the queue in %s cannot be written now", queue->dir);
}
