// change_recover.c - what an earlier run of the core has left behind is put in order.
#include <stdlib.h>

#include "queue/change.h"
#include "queue/queue_private.h"

struct recover {
    struct change change;
    struct queue *queue;
    const char *owner;
    int64_t max_unknown;
    struct queue_recovery recovery; // out
};

static int count_unknown(const struct recover *recover, struct database *database)
{
    // Two statements, so that each finds its rows in message_open.
    static const char LEASES[] =
        "UPDATE message SET unknown_outcomes = unknown_outcomes + 1"
        " WHERE state <> 'sent' AND state = 'sending' AND lease_owner IS NOT ?";
    static const char RECEIVED[] = "UPDATE message SET unknown_outcomes = unknown_outcomes + 1"
                                   " WHERE state <> 'sent' AND state = 'received' AND seq <= ?";
    AUTO_QUERY struct query leases = query_start(database, LEASES);
    query_text(&leases, recover->owner);
    int rc = query_run(&leases);
    if (rc != SQLITE_OK)
        return rc;
    AUTO_QUERY struct query received = query_start(database, RECEIVED);
    query_int(&received, recover->queue->last_seq_found);
    return query_run(&received);
}

static bool take_ended(struct queue_recovery *recovery, const char *id)
{
    char(*ended)[QUEUE_ID_SIZE] =
        realloc(recovery->ended, (recovery->ended_count + 1) * sizeof(*ended));
    if (!ended)
        return false;
    recovery->ended = ended;
    change_copy_text(ended[recovery->ended_count++], QUEUE_ID_SIZE, id);
    return true;
}

static int end_too_often_unknown(struct recover *recover, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'unknown', reason = 'unknown_outcomes', lease_owner = NULL,"
        " lease_end = NULL, updated = ?"
        " WHERE state <> 'sent' AND state IN ('sending', 'received') AND seq <= ?"
        " AND unknown_outcomes > ? AND lease_owner IS NOT ? RETURNING id";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_int(&query, recover->queue->last_seq_found);
    query_int(&query, recover->max_unknown);
    query_text(&query, recover->owner);
    recover->recovery.ended_count = 0; // of a try before
    while (query_step(&query))
        if (!take_ended(&recover->recovery, query_get_text(&query)))
            return SQLITE_NOMEM;
    return query.rc;
}

static int release_leases(struct recover *recover, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'queued', not_before = 0, lease_owner = NULL,"
        " lease_end = NULL, updated = ?"
        " WHERE state <> 'sent' AND state = 'sending' AND lease_owner IS NOT ?";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_text(&query, recover->owner);
    int rc = query_run(&query);
    recover->recovery.released = (size_t)database_changes(database);
    return rc;
}

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    struct recover *recover = (struct recover *)change;
    int rc = SQLITE_OK;
    if (recover->queue->clock.rebooted)
        rc = count_unknown(recover, database);
    // Whoever counts ends what has too many, so without a count there are none to be looked for:
    // that would read every row that is `received`.
    if (rc == SQLITE_OK && recover->queue->clock.rebooted)
        rc = end_too_often_unknown(recover, database, now_ms);
    if (rc == SQLITE_OK)
        rc = release_leases(recover, database, now_ms);
    if (rc == SQLITE_OK)
        rc = queue_clock_record_recovery(&recover->queue->clock, database);
    return rc;
}

static const struct change_type RECOVER = {.apply = apply, .by_reserve = true};

bool queue_recover(struct queue *queue, const char *owner, int max_unknown,
                   struct queue_recovery *ret_recovery, struct error *err)
{
    struct recover recover = {
        .change.type = &RECOVER, .queue = queue, .owner = owner, .max_unknown = max_unknown};
    if (writer_submit_and_wait(queue->writer, &recover.change) != QUEUE_DONE) {
        free(recover.recovery.ended);
        return error_set(err, ERR_FULL, "the queue in %s cannot be written now", queue->dir);
    }
    *ret_recovery = recover.recovery;
    rekey_go_on(queue->rekey);
    return true;
}
