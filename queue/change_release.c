// change_release.c - what was set aside goes on: the operator has mended what was in its way.
#include <stdlib.h>

#include "queue/change.h"
#include "queue/queue_private.h"
#include "queue/schema.h"

// A `received` row has no lane (queue_received() finds it by that), replaces no older message yet,
// makes no other a duplicate, and is known like any that was not composed. What people look for it
// by stays until it is composed anew, and so does its deadline.
static const char TO_RECEIVED[] =
    "UPDATE message SET state = 'received', reason = NULL, not_before = 0, updated = ?1,"
    " lane = NULL, coded = NULL, content_digest = NULL, supersede_digest = NULL,"
    " supersede_by_browser = 0 WHERE seq = ?2";
static const char TO_QUEUED[] =
    "UPDATE message SET state = 'queued', reason = 'released', not_before = ?1, updated = ?1"
    " WHERE seq = ?2";
// A composed mail is compared with others when it is composed, and its like could go while it was
// parked: then it is the second one now. That like may be under way for the first time, still
// `received` here, so the dispatcher looks once more at what has the reason `released`.
static const char TO_DUPLICATE[] =
    "UPDATE message SET state = 'superseded', reason = 'duplicate', updated = ?1,"
    " body_form = 0, body = NULL"
    " WHERE seq = ?2 AND state = 'parked' AND body_form = 2 AND EXISTS"
    " (SELECT 1 FROM message AS other INDEXED BY message_content WHERE " SCHEMA_IS_SAME_MAIL(
        "message.content_digest", "message.payload_hash", "message.created") ")";

static int run(struct database *database, const char *sql, int64_t now_ms, int64_t seq)
{
    AUTO_QUERY struct query query = query_start(database, sql);
    query_int(&query, now_ms);
    query_int(&query, seq);
    return query_run(&query);
}

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    struct row row;
    bool found = false;
    int rc = change_find_row(database, change->id, &row, &found);
    if (rc != SQLITE_OK)
        return rc;
    if (!found) {
        change->result = QUEUE_GONE;
        return SQLITE_OK;
    }
    bool is_aside = row.state == MESSAGE_PARKED || row.state == MESSAGE_HELD;
    if (!is_aside || row.form == BODY_DROPPED) {
        change->result = QUEUE_WRONG_STATE;
        return SQLITE_OK;
    }
    if (row.form != BODY_MAIL)
        return run(database, TO_RECEIVED, now_ms, row.seq);
    rc = run(database, TO_DUPLICATE, now_ms, row.seq);
    if (rc != SQLITE_OK || database_changes(database) > 0)
        return rc;
    return run(database, TO_QUEUED, now_ms, row.seq);
}

static void destroy(struct change *change)
{
    free(change);
}

// Not kept while the disk is full: whoever asked for it waits for the answer.
static const struct change_type RELEASE = {.apply = apply, .destroy = destroy};

void queue_release(struct queue *queue, const char *id, queue_done_fn *done, void *context)
{
    writer_submit(queue->writer, change_create(&RELEASE, sizeof(struct change), id, done, context));
}
