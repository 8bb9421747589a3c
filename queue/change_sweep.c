// change_sweep.c - what is kept no longer: bodies that can help no more, old rows. In batches,
// since nobody is accepted while one is at work.
#include <stdlib.h>

#include "queue/change.h"
#include "queue/queue_private.h"
#include "queue/schema.h"

// Rows looked at for each that may be deleted.
#define LOOK_FACTOR 10

struct sweep {
    struct change change;
    struct queue *queue;
    int64_t before_ms;
    int64_t limit;
    int64_t *seqs; // room for limit rows
    int64_t swept; // out
    bool more;     // out: not everything was looked at
};

static int drop_outlived_bodies(struct sweep *sweep, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET body_form = 0, body = NULL"
        " WHERE seq IN (SELECT seq FROM message INDEXED BY message_kept"
        "  WHERE body_form > 0 AND state IN ('failed', 'unknown', 'held', 'parked')"
        "  AND " SCHEMA_KEPT_UNTIL " <= ?1 LIMIT ?2)";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_int(&query, sweep->limit);
    int rc = query_run(&query);
    if (rc == SQLITE_OK)
        sweep->swept += database_changes(database);
    return rc;
}

// What was set aside can be let go for as long as it has its body, and has ended without.
static bool is_final(const char *state, enum body_form form)
{
    enum message_state parsed;
    if (!message_state_parse(state, &parsed))
        return false;
    if (parsed == MESSAGE_HELD || parsed == MESSAGE_PARKED)
        return form == BODY_DROPPED;
    return parsed != MESSAGE_RECEIVED && parsed != MESSAGE_QUEUED && parsed != MESSAGE_SENDING;
}

// Rows lie in the order they came, so the old ones are in front and no index by age is needed.
// A stretch that must stay is passed once and not looked at again before all was gone through.
// However short the retention is, what a payload is known by stays for as long as it has to be
// known (design §6, Dedupe): each row says itself until when.
static int find_old(struct sweep *sweep, struct database *database, int64_t now_ms,
                    size_t *ret_count)
{
    static const char SQL[] =
        "SELECT seq, created, updated, " SCHEMA_KNOWN_UNTIL ", body_form, state"
        " FROM message WHERE seq > ? ORDER BY seq LIMIT ?";
    int64_t left = sweep->limit - sweep->swept;
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, sweep->queue->swept_seq);
    query_int(&query, left * LOOK_FACTOR);
    int64_t looked_at = 0;
    *ret_count = 0;
    while ((int64_t)*ret_count < left && query_step(&query)) {
        int64_t seq = query_get_int(&query);
        if (query_get_int(&query) >= sweep->before_ms)
            break;
        int64_t updated_ms = query_get_int(&query);
        int64_t known_until_ms = query_get_int(&query);
        enum body_form form = (enum body_form)query_get_int(&query);
        if (updated_ms < sweep->before_ms && known_until_ms <= now_ms &&
            is_final(query_get_text(&query), form))
            sweep->seqs[(*ret_count)++] = seq;
        sweep->queue->swept_seq = seq;
        looked_at++;
    }
    sweep->more = (int64_t)*ret_count == left || looked_at == left * LOOK_FACTOR;
    if (!sweep->more)
        sweep->queue->swept_seq = 0; // that was all: the next sweep begins in front
    return query.rc;
}

static int delete_row(struct database *database, int64_t seq)
{
    static const char *const SQL[] = {"DELETE FROM message WHERE seq = ?",
                                      "DELETE FROM attempt WHERE message = ?"};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof(SQL) / sizeof(SQL[0]); i++) {
        AUTO_QUERY struct query query = query_start(database, SQL[i]);
        query_int(&query, seq);
        rc = query_run(&query);
    }
    return rc;
}

static int delete_old(struct sweep *sweep, struct database *database, int64_t now_ms)
{
    size_t count = 0;
    int rc = find_old(sweep, database, now_ms, &count);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = delete_row(database, sweep->seqs[i]);
    sweep->swept += (int64_t)count;
    return rc;
}

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    struct sweep *sweep = (struct sweep *)change;
    sweep->swept = 0;
    int rc = drop_outlived_bodies(sweep, database, now_ms);
    if (rc == SQLITE_OK)
        rc = delete_old(sweep, database, now_ms);
    return rc;
}

static const struct change_type SWEEP = {.apply = apply, .by_reserve = true};

bool queue_sweep(struct queue *queue, int64_t before_ms, size_t limit, size_t *ret_swept,
                 bool *ret_more, struct error *err)
{
    int64_t *seqs = calloc(limit > 0 ? limit : 1, sizeof(*seqs));
    if (!seqs)
        return error_set(err, ERR_TEMPORARY, "no memory to sweep %zu rows", limit);
    struct sweep sweep = {.change.type = &SWEEP,
                          .queue = queue,
                          .before_ms = before_ms,
                          .limit = (int64_t)limit,
                          .seqs = seqs};
    enum queue_result result = writer_submit_and_wait(queue->writer, &sweep.change);
    free(seqs);
    if (result != QUEUE_DONE)
        return error_set(err, ERR_TEMPORARY, "the queue in %s cannot be written now", queue->dir);
    *ret_swept = (size_t)sweep.swept;
    *ret_more = sweep.more;
    return true;
}
