// change_recover.c - what an earlier run of the core has left behind is put in order.
#include "queue/change.h"
#include "queue/queue_private.h"

struct recover {
    struct change change;
    struct queue *queue;
    const char *owner;
    int64_t max_unknown;
    int64_t released; // out
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

static int end_too_often_unknown(const struct recover *recover, struct database *database,
                                 int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'unknown', reason = 'unknown_outcomes', lease_owner = NULL,"
        " lease_end = NULL, updated = ?"
        " WHERE state <> 'sent' AND state IN ('sending', 'received') AND seq <= ?"
        " AND unknown_outcomes > ? AND lease_owner IS NOT ?";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_int(&query, recover->queue->last_seq_found);
    query_int(&query, recover->max_unknown);
    query_text(&query, recover->owner);
    return query_run(&query);
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
    recover->released = database_changes(database);
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

bool queue_recover(struct queue *queue, const char *owner, int max_unknown, size_t *ret_released,
                   struct error *err)
{
    struct recover recover = {
        .change.type = &RECOVER, .queue = queue, .owner = owner, .max_unknown = max_unknown};
    if (writer_submit_and_wait(queue->writer, &recover.change) != QUEUE_DONE)
        return error_set(err, ERR_FULL, "the queue in %s cannot be written now", queue->dir);
    *ret_released = (size_t)recover.released;
    rekey_go_on(queue->rekey);
    return true;
}
