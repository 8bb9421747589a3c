// change_compose.c - a stored payload becomes the mails that were composed of it.
#include <stdlib.h>
#include <string.h>

#include "queue/change.h"
#include "queue/queue_private.h"

struct composed_mail {
    char id[QUEUE_ID_SIZE];
    struct envelope_copy envelope;
    struct sealed_body body;
    enum body_form form; // of body
    enum message_state state;
    char reason[QUEUE_TEXT_SIZE];
    int64_t not_before_ms;
};

struct compose {
    struct change change;
    struct composed_mail *mails;
    size_t count;
};

static bool may_start(const struct compose *compose, const struct row *row)
{
    if (row->state != MESSAGE_RECEIVED)
        return false;
    for (size_t i = 0; i < compose->count; i++)
        if (compose->mails[i].envelope.created_ms != row->created_ms)
            return false; // its body is sealed to another time and would never open
    return true;
}

// Nothing to send carries no code: the same payload is known for the short time only.
static int end_as_nothing(struct database *database, int64_t seq, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'cancelled', reason = 'nothing_to_send', coded = 0,"
        " body_form = 0, body = NULL, updated = ? WHERE seq = ?";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_int(&query, seq);
    return query_run(&query);
}

// What a mail shares with the payload's own row is copied from there.
static int insert_sibling(struct database *database, const char *id, int64_t seq, int64_t of_seq,
                          size_t index)
{
    static const char SQL[] =
        "INSERT INTO message (seq, id, state, created, updated, body_form, array_index, route,"
        " key_name, payload_hash, trace_id)"
        " SELECT ?, ?, 'received', created, updated, 0, ?, route, key_name, payload_hash, trace_id"
        " FROM message WHERE seq = ?";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, seq);
    query_text(&query, id);
    query_int(&query, (int64_t)index);
    query_int(&query, of_seq);
    return query_run(&query);
}

// keeps: what the row's body is when the mail brings none.
static int write_mail(struct database *database, const struct composed_mail *mail, int64_t seq,
                      enum body_form keeps, int64_t now_ms)
{
    enum body_form form = mail->body.data ? mail->form : keeps;
    const struct row_update update = {
        .state = mail->state,
        .reason = mail->reason,
        .not_before_ms = mail->not_before_ms,
        .form = change_state_drops_body(mail->state) ? BODY_DROPPED : form,
        .body = mail->body.data ? &mail->body : NULL,
        .envelope = &mail->envelope,
    };
    return change_update_row(database, seq, &update, now_ms);
}

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    const struct compose *compose = (const struct compose *)change;
    struct row row;
    bool found = false;
    int rc = change_find_row(database, change->id, &row, &found);
    if (rc != SQLITE_OK)
        return rc;
    if (!found || !may_start(compose, &row)) {
        change->result = QUEUE_GONE;
        return SQLITE_OK;
    }
    if (compose->count == 0)
        return end_as_nothing(database, row.seq, now_ms);
    rc = write_mail(database, &compose->mails[0], row.seq, row.form, now_ms);
    for (size_t i = 1; rc == SQLITE_OK && i < compose->count; i++) {
        const struct composed_mail *mail = &compose->mails[i];
        int64_t seq = 0;
        uuid_number(mail->id, &seq); // one of ours
        rc = insert_sibling(database, mail->id, seq, row.seq, i);
        if (rc == SQLITE_OK)
            rc = write_mail(database, mail, seq, BODY_DROPPED, now_ms);
    }
    return rc;
}

static void destroy(struct change *change)
{
    struct compose *compose = (struct compose *)change;
    for (size_t i = 0; compose->mails && i < compose->count; i++)
        free(compose->mails[i].body.data);
    free(compose->mails);
    free(compose);
}

static const struct change_type COMPOSE = {.apply = apply, .destroy = destroy, .kept = true};

static bool copy_mail(struct composed_mail *to, const struct queue_mail *from,
                      const struct keys *keys)
{
    envelope_copy(&to->envelope, &from->envelope);
    to->state = from->state;
    change_copy_text(to->reason, sizeof(to->reason), from->reason);
    to->not_before_ms = from->not_before_ms;
    if (!from->body || change_state_drops_body(from->state))
        return true;
    if (!from->body_is_payload) {
        to->form = BODY_MAIL;
        return envelope_seal(&to->envelope, keys, to->id, from->body, from->body_size, &to->body);
    }
    to->form = BODY_PART;
    const struct seal_binding binding =
        body_binding(to->id, BODY_PART, to->envelope.created_ms, NULL, 0);
    to->body.data = seal_make(keys, &binding, from->body, from->body_size, &to->body.size);
    return to->body.data != NULL;
}

void queue_compose(struct queue *queue, const char *id, const struct queue_mail *mails,
                   size_t count, queue_done_fn *done, void *context)
{
    struct compose *compose = change_create(&COMPOSE, sizeof(struct compose), id, done, context);
    compose->mails = calloc(count > 0 ? count : 1, sizeof(*compose->mails));
    struct change *change = &compose->change;
    bool ok = compose->mails != NULL;
    keys_hold(queue->keys);
    for (size_t i = 0; ok && i < count; i++) {
        struct composed_mail *mail = &compose->mails[compose->count++];
        if (i == 0)
            memcpy(mail->id, compose->change.id, sizeof(mail->id));
        else
            queue_new_id(queue, mail->id);
        ok = copy_mail(mail, &mails[i], queue->keys);
    }
    if (!ok) {
        destroy(change);
        change = change_refusal(id, done, context);
    }
    writer_submit(queue->writer, change);
    keys_release(queue->keys);
}
