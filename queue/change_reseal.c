// change_reseal.c - bodies that an older key has sealed are sealed with the first. In batches,
// since nobody is accepted while one is at work.
#include "queue/change_reseal.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MAX = 500, BODIES_MAX = 32, BYTES_MAX = 256 * 1024 };

static int write_body(struct database *database, int64_t seq, const void *sealed, size_t size)
{
    AUTO_QUERY struct query query =
        query_start(database, "UPDATE message SET body = ? WHERE seq = ?");
    query_blob(&query, sealed, size);
    query_int(&query, seq);
    return query_run(&query);
}

static int reseal_body(struct reseal *reseal, struct database *database, int64_t seq,
                       const struct seal_binding *binding, const void *sealed, size_t sealed_size)
{
    const struct keys *keys = reseal->keys;
    const struct ring_key *with = seal_key(keys, sealed, sealed_size);
    if (!with || with == keys_first(keys))
        return SQLITE_OK;
    size_t size = 0, new_size = 0;
    enum seal_fault fault;
    char *body = seal_open(keys, binding, sealed, sealed_size, &size, &fault);
    if (fault == SEAL_DAMAGED) {
        // Whoever mends the row needs its key.
        reseal->still_used[with - keys->ring->keys] = true;
        return SQLITE_OK;
    }
    void *new_sealed = body ? seal_make(keys, binding, body, size, &new_size) : NULL;
    if (body)
        sodium_memzero(body, size);
    free(body);
    int rc = new_sealed ? write_body(database, seq, new_sealed, new_size) : SQLITE_NOMEM;
    free(new_sealed);
    reseal->bodies++;
    reseal->bytes += new_size;
    return rc;
}

// The row that query stands at: its columns are those of apply_rows().
static int reseal_row(struct reseal *reseal, struct database *database, struct query *query)
{
    char id[QUEUE_ID_SIZE], recipient[QUEUE_RECIPIENT_SIZE];
    int64_t seq = query_get_int(query);
    query_copy_text(query, id, sizeof(id));
    enum body_form form = (enum body_form)query_get_int(query);
    int64_t created_ms = query_get_int(query);
    query_copy_text(query, recipient, sizeof(recipient));
    int64_t deadline_ms = query_get_int(query);
    const struct seal_binding binding = body_binding(id, form, created_ms, recipient, deadline_ms);
    size_t size = 0;
    const void *sealed = form == BODY_DROPPED ? NULL : query_get_blob(query, &size);
    reseal->after_seq = seq;
    return sealed ? reseal_body(reseal, database, seq, &binding, sealed, size) : SQLITE_OK;
}

static int apply_rows(struct reseal *reseal, struct database *database)
{
    static const char SQL[] = "SELECT seq, id, body_form, created, recipient, deadline, body"
                              " FROM message WHERE seq > ? ORDER BY seq LIMIT ?";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, reseal->after_seq);
    query_int(&query, LOOK_MAX);
    int rc = SQLITE_OK, looked_at = 0;
    while (rc == SQLITE_OK && reseal->bodies < BODIES_MAX && reseal->bytes < BYTES_MAX) {
        if (!query_step(&query)) {
            reseal->at_end = query.rc == SQLITE_OK && looked_at < LOOK_MAX;
            return query.rc;
        }
        rc = reseal_row(reseal, database, &query);
        looked_at++;
    }
    return rc;
}

// May be applied again after a rollback: all it tells is set anew.
static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    (void)now_ms;
    struct reseal *reseal = (struct reseal *)change;
    reseal->after_seq = reseal->begin_seq;
    reseal->bodies = reseal->bytes = 0;
    reseal->at_end = false;
    memset(reseal->still_used, 0, sizeof(reseal->still_used));
    keys_hold(reseal->keys);
    int rc =
        reseal->begin_seq == RESEAL_BEGIN ? keys_reseal_digest(reseal->keys, database) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = apply_rows(reseal, database);
    keys_release(reseal->keys);
    return rc;
}

const struct change_type CHANGE_RESEAL = {.apply = apply};
