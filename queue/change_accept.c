// change_accept.c - a payload becomes a row, unless it is known.
#include <stdlib.h>
#include <string.h>

#include "queue/change.h"
#include "queue/queue_private.h"

struct accept {
    struct change change;
    char route[QUEUE_TEXT_SIZE], key_name[QUEUE_TEXT_SIZE], trace_id[QUEUE_TEXT_SIZE];
    uint8_t payload_hash[QUEUE_DIGEST_SIZE];
    struct sealed_body body;
    int64_t received_ms;
};

// Known for 24 h (86400000 ms) when it carries a code, is not composed yet (coded is null) or
// parked; else for 10 minutes (600000 ms): a person's next request looks the same.
static int find_known(const struct accept *accept, struct database *database,
                      char ret_id[QUEUE_ID_SIZE], bool *ret_known)
{
    static const char SQL[] =
        "SELECT id FROM message WHERE payload_hash = ?1 AND created > ?2 - 86400000"
        " AND (coded IS NOT 0 OR state = 'parked' OR created > ?2 - 600000)"
        " ORDER BY seq LIMIT 1";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_blob(&query, accept->payload_hash, sizeof(accept->payload_hash));
    query_int(&query, accept->received_ms);
    *ret_known = query_step(&query);
    if (*ret_known)
        query_copy_text(&query, ret_id, QUEUE_ID_SIZE);
    return query.rc;
}

static int insert(struct accept *accept, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "INSERT INTO message (seq, id, state, created, updated, body_form, route, key_name,"
        " payload_hash, body, trace_id) VALUES (?, ?, 'received', ?, ?, ?, ?, ?, ?, ?, ?)";
    int64_t seq = 0;
    if (!uuid_number(accept->change.id, &seq)) {
        accept->change.result = QUEUE_REFUSED;
        return SQLITE_OK;
    }
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, seq);
    query_text(&query, accept->change.id);
    query_int(&query, accept->received_ms);
    query_int(&query, now_ms);
    query_int(&query, BODY_PAYLOAD);
    query_text(&query, accept->route);
    query_text_or_null(&query, accept->key_name);
    query_blob(&query, accept->payload_hash, sizeof(accept->payload_hash));
    query_blob(&query, accept->body.data, accept->body.size);
    query_text_or_null(&query, accept->trace_id);
    if ((query_run(&query) & 0xff) != SQLITE_CONSTRAINT)
        return query.rc;
    // The id is taken; the others of the group go on. Only because an INSERT of one row writes
    // nothing before it fails: what undoes a part of a transaction loses commits (architecture.md).
    accept->change.result = QUEUE_REFUSED;
    return SQLITE_OK;
}

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    struct accept *accept = (struct accept *)change;
    char known_id[QUEUE_ID_SIZE];
    bool is_known = false;
    int rc = find_known(accept, database, known_id, &is_known);
    if (rc != SQLITE_OK)
        return rc;
    if (!is_known)
        return insert(accept, database, now_ms);
    change->result = QUEUE_DUPLICATE;
    memcpy(change->id, known_id, sizeof(known_id));
    return SQLITE_OK;
}

static void destroy(struct change *change)
{
    free(((struct accept *)change)->body.data);
    free(change);
}

static const struct change_type ACCEPT = {.apply = apply, .destroy = destroy};

void queue_accept(struct queue *queue, const struct queue_accept *from, queue_done_fn *done,
                  void *context)
{
    struct accept *accept = change_create(&ACCEPT, sizeof(struct accept), from->id, done, context);
    change_copy_text(accept->route, sizeof(accept->route), from->route);
    change_copy_text(accept->key_name, sizeof(accept->key_name), from->key_name);
    change_copy_text(accept->trace_id, sizeof(accept->trace_id), from->trace_id);
    accept->received_ms = from->received_ms;
    keys_digest(queue->keys, "payload", from->route, from->payload, from->payload_size,
                accept->payload_hash);
    const struct seal_binding binding =
        body_binding(accept->change.id, BODY_PAYLOAD, from->received_ms, NULL, 0);
    keys_hold(queue->keys);
    accept->body.data =
        seal_make(queue->keys, &binding, from->payload, from->payload_size, &accept->body.size);
    struct change *change = &accept->change;
    if (!accept->body.data) {
        destroy(change);
        change = change_refusal(from->id, done, context);
    }
    writer_submit(queue->writer, change);
    keys_release(queue->keys);
}
