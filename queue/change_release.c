// change_release.c - what was set aside goes on: the operator has mended what was in its way.
#include <stdlib.h>

#include "queue/change.h"
#include "queue/queue_private.h"

// A `received` row has no lane (queue_received() finds it by that), replaces no older message yet
// and is known like any that was not composed. What people look for it by stays until it is
// composed anew, and so does its deadline.
static const char TO_RECEIVED[] =
    "UPDATE message SET state = 'received', reason = NULL, not_before = 0, updated = ?1,"
    " lane = NULL, coded = NULL, supersede_digest = NULL, supersede_by_browser = 0"
    " WHERE seq = ?2";
static const char TO_QUEUED[] =
    "UPDATE message SET state = 'queued', reason = NULL, not_before = ?1, updated = ?1"
    " WHERE seq = ?2";

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
    AUTO_QUERY struct query query =
        query_start(database, row.form == BODY_MAIL ? TO_QUEUED : TO_RECEIVED);
    query_int(&query, now_ms);
    query_int(&query, row.seq);
    return query_run(&query);
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
