// change_reconsider.c - what waits for a token of limits that were changed is asked again. In
// batches, since nobody is accepted while one is at work.
#include "queue/change.h"
#include "queue/queue_private.h"

enum { LOOK_MAX = 500, BATCH_MAX = 64 };

// The lanes that have limits, in the order they are gone through.
static const enum lane LANES[] = {LANE_CODE, LANE_BULK};
enum { LANES_COUNT = sizeof(LANES) / sizeof(LANES[0]) };

struct reconsider {
    struct change change;
    const char *limits;
    int64_t before_ms;       // what was put off later was so by this run
    struct reconsidered at;  // where it begins
    struct reconsidered end; // out: where the next batch begins
    int64_t seqs[BATCH_MAX];
    size_t count; // out
};

static int are_same(const struct reconsider *reconsider, struct database *database, bool *ret_same)
{
    AUTO_QUERY struct query query =
        query_start(database, "SELECT 1 FROM meta WHERE name = 'rate_limits' AND value = ?");
    query_text(&query, reconsider->limits);
    *ret_same = query_step(&query);
    return query.rc;
}

static int remember(const struct reconsider *reconsider, struct database *database)
{
    static const char SQL[] = "INSERT INTO meta (name, value) VALUES ('rate_limits', ?)"
                              " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_text(&query, reconsider->limits);
    return query_run(&query);
}

// The newest first, as they are to have what tokens there are. The index holds no reasons.
static int find(struct reconsider *reconsider, struct database *database, int64_t now_ms)
{
    static const char FROM_THE_NEWEST[] =
        "SELECT created, not_before, seq, reason IS 'rate_limited' AND updated < ?"
        " FROM message INDEXED BY message_open WHERE state = 'queued' AND state <> 'sent'"
        " AND lane = ? ORDER BY created DESC, not_before DESC, seq DESC LIMIT ?";
    static const char GO_ON[] =
        "SELECT created, not_before, seq, reason IS 'rate_limited' AND updated < ?"
        " FROM message INDEXED BY message_open WHERE state = 'queued' AND state <> 'sent'"
        " AND lane = ? AND (created, not_before, seq) < (?, ?, ?)"
        " ORDER BY created DESC, not_before DESC, seq DESC LIMIT ?";
    struct reconsidered *end = &reconsider->end;
    AUTO_QUERY struct query query = query_start(database, end->is_within ? GO_ON : FROM_THE_NEWEST);
    query_int(&query, reconsider->before_ms);
    query_text(&query, lane_name(LANES[end->lanes]));
    if (end->is_within) {
        query_int(&query, end->created_ms);
        query_int(&query, end->not_before_ms);
        query_int(&query, end->seq);
    }
    query_int(&query, LOOK_MAX);
    size_t looked_at = 0;
    for (; reconsider->count < BATCH_MAX && query_step(&query); looked_at++) {
        end->created_ms = query_get_int(&query);
        end->not_before_ms = query_get_int(&query);
        end->seq = query_get_int(&query);
        end->is_within = true;
        if (query_get_int(&query) && end->not_before_ms > now_ms)
            reconsider->seqs[reconsider->count++] = end->seq;
    }
    if (query.rc == SQLITE_OK && looked_at < LOOK_MAX && reconsider->count < BATCH_MAX)
        *end = (struct reconsidered){.lanes = end->lanes + 1};
    return query.rc;
}

// The reason stays: it is no new arrival to whoever gives the tokens.
static int make_due(struct database *database, int64_t seq)
{
    AUTO_QUERY struct query query =
        query_start(database, "UPDATE message SET not_before = 0 WHERE seq = ?");
    query_int(&query, seq);
    return query_run(&query);
}

// May be applied again after a rollback: all it tells is set anew.
static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    struct reconsider *reconsider = (struct reconsider *)change;
    reconsider->end = reconsider->at;
    reconsider->count = 0;
    bool is_begin = reconsider->at.lanes == 0 && !reconsider->at.is_within, same = false;
    int rc = is_begin ? are_same(reconsider, database, &same) : SQLITE_OK;
    if (rc != SQLITE_OK || same) {
        reconsider->end.lanes = LANES_COUNT;
        return rc;
    }
    size_t lanes;
    do {
        lanes = reconsider->end.lanes;
        rc = find(reconsider, database, now_ms);
    } while (rc == SQLITE_OK && reconsider->end.lanes > lanes &&
             reconsider->end.lanes < LANES_COUNT);
    for (size_t i = 0; rc == SQLITE_OK && i < reconsider->count; i++)
        rc = make_due(database, reconsider->seqs[i]);
    // Only behind the last of them: a kill before has it done once more.
    if (rc == SQLITE_OK && reconsider->end.lanes == LANES_COUNT)
        rc = remember(reconsider, database);
    return rc;
}

// Not taken by a full disk: outcomes need its last room.
static const struct change_type RECONSIDER = {.apply = apply};

bool queue_reconsider(struct queue *queue, const char *limits, int64_t before_ms, size_t *ret_count,
                      bool *ret_more, struct error *err)
{
    struct reconsider reconsider = {.change.type = &RECONSIDER,
                                    .limits = limits,
                                    .before_ms = before_ms,
                                    .at = queue->reconsidered};
    if (writer_submit_and_wait(queue->writer, &reconsider.change) != QUEUE_DONE)
        return error_set(err, ERR_TEMPORARY, "the queue in %s cannot be written now", queue->dir);
    *ret_count = reconsider.count;
    *ret_more = reconsider.end.lanes < LANES_COUNT;
    queue->reconsidered = *ret_more ? reconsider.end : (struct reconsidered){0};
    return true;
}
