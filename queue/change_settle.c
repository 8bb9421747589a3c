// change_settle.c - a message is leased, and goes on after it was worked on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/change.h"
#include "queue/queue_private.h"

static void free_change(struct change *change)
{
    free(change);
}

// ---- claim ------------------------------------------------------------------------------------

struct claim {
    struct change change;
    char owner[QUEUE_TEXT_SIZE];
    int64_t lease_end_ms;
};

static int apply_claim(struct change *change, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'sending', reason = nullif(reason, 'rate_limited'),"
        " lease_owner = ?, lease_end = ?, updated = ?"
        " WHERE seq = ? AND id = ? AND state = 'queued'";
    const struct claim *claim = (const struct claim *)change;
    int64_t seq = 0;
    if (!uuid_number(change->id, &seq)) {
        change->result = QUEUE_GONE;
        return SQLITE_OK;
    }
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_text(&query, claim->owner);
    query_int(&query, claim->lease_end_ms);
    query_int(&query, now_ms);
    query_int(&query, seq);
    query_text(&query, change->id);
    if (query_run(&query) == SQLITE_OK && database_changes(database) == 0)
        change->result = QUEUE_GONE;
    return query.rc;
}

static const struct change_type CLAIM = {
    .apply = apply_claim, .destroy = free_change, .kept = true};

void queue_claim(struct queue *queue, const char *id, const char *owner, int64_t lease_end_ms,
                 queue_done_fn *done, void *context)
{
    struct claim *claim = change_create(&CLAIM, sizeof(struct claim), id, done, context);
    change_copy_text(claim->owner, sizeof(claim->owner), owner);
    claim->lease_end_ms = lease_end_ms;
    writer_submit(queue->writer, &claim->change);
}

// ---- settle -----------------------------------------------------------------------------------

struct attempt {
    int64_t started_ms, ended_ms;
    char smarthost[QUEUE_TEXT_SIZE], outcome[QUEUE_TEXT_SIZE], enhanced_code[QUEUE_TEXT_SIZE];
    char address[QUEUE_TEXT_SIZE], tls[QUEUE_TEXT_SIZE];
    int reply_code;
    char reply_text[QUEUE_REPLY_SIZE];
    char reply[QUEUE_REPLY_SIZE]; // code, enhanced code and text in one line
};

struct settle {
    struct change change;
    enum message_state state;
    char reason[QUEUE_TEXT_SIZE];
    bool has_envelope, has_attempt, charge, charge_unknown;
    struct envelope_copy envelope;
    struct sealed_body body;
    struct attempt attempt;
    int64_t not_before_ms;
};

static bool may_start(const struct settle *settle, const struct row *row)
{
    switch (row->state) {
    case MESSAGE_RECEIVED:
        // It can wait as a mail only; and a body sealed to another time would never open.
        if (settle->state == MESSAGE_QUEUED && !settle->body.data)
            return false;
        return !settle->body.data || settle->envelope.created_ms == row->created_ms;
    case MESSAGE_QUEUED:
    case MESSAGE_SENDING:
        return settle->state != MESSAGE_RECEIVED;
    case MESSAGE_SENT:
    case MESSAGE_FAILED:
    case MESSAGE_EXPIRED:
    case MESSAGE_SUPERSEDED:
    case MESSAGE_CANCELLED:
    case MESSAGE_UNKNOWN:
    case MESSAGE_HELD:
    case MESSAGE_PARKED:
        break;
    }
    return false;
}

static int update_row(const struct settle *settle, struct database *database, const struct row *row,
                      int64_t now_ms)
{
    bool is_composed = row->state == MESSAGE_RECEIVED && settle->state != MESSAGE_RECEIVED;
    bool becomes_mail = is_composed && settle->body.data;
    enum body_form form = becomes_mail ? BODY_MAIL : row->form;
    const struct row_update update = {
        .state = settle->state,
        .reason = settle->reason,
        .not_before_ms = settle->not_before_ms,
        .form = change_state_drops_body(settle->state) ? BODY_DROPPED : form,
        .body = becomes_mail ? &settle->body : NULL,
        .attempts = settle->charge,
        .unknown_outcomes = settle->charge_unknown,
        .smarthost = settle->attempt.smarthost,
        .last_reply = settle->attempt.reply,
        .envelope = is_composed && settle->has_envelope ? &settle->envelope : NULL,
    };
    return change_update_row(database, row->seq, &update, now_ms);
}

static int insert_attempt(const struct attempt *attempt, struct database *database, int64_t seq)
{
    static const char SQL[] =
        "INSERT INTO attempt (message, number, started, ended, smarthost, outcome, reply_code,"
        " enhanced_code, reply_text, address, tls)"
        " SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10"
        " FROM attempt WHERE message = ?1";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, seq);
    query_int(&query, attempt->started_ms);
    query_int(&query, attempt->ended_ms);
    query_text_or_null(&query, attempt->smarthost);
    query_text(&query, attempt->outcome);
    query_int_or_null(&query, attempt->reply_code);
    query_text_or_null(&query, attempt->enhanced_code);
    query_text_or_null(&query, attempt->reply_text);
    query_text_or_null(&query, attempt->address);
    query_text_or_null(&query, attempt->tls);
    return query_run(&query);
}

static int apply_settle(struct change *change, struct database *database, int64_t now_ms)
{
    const struct settle *settle = (const struct settle *)change;
    struct row row;
    bool found = false;
    int rc = change_find_row(database, change->id, &row, &found);
    if (rc != SQLITE_OK)
        return rc;
    if (!found || !may_start(settle, &row)) {
        change->result = QUEUE_GONE;
        return SQLITE_OK;
    }
    rc = update_row(settle, database, &row, now_ms);
    if (rc == SQLITE_OK && settle->has_attempt)
        rc = insert_attempt(&settle->attempt, database, row.seq);
    return rc;
}

static void destroy_settle(struct change *change)
{
    free(((struct settle *)change)->body.data);
    free(change);
}

static const struct change_type SETTLE = {
    .apply = apply_settle, .destroy = destroy_settle, .kept = true};

static void copy_attempt(struct attempt *to, const struct queue_attempt *from, int64_t now_ms)
{
    to->started_ms = from->started_ms;
    to->ended_ms = now_ms;
    to->reply_code = from->reply_code;
    change_copy_text(to->smarthost, sizeof(to->smarthost), from->smarthost);
    change_copy_text(to->outcome, sizeof(to->outcome), from->outcome);
    change_copy_text(to->enhanced_code, sizeof(to->enhanced_code), from->enhanced_code);
    change_copy_text(to->reply_text, sizeof(to->reply_text), from->reply_text);
    change_copy_text(to->address, sizeof(to->address), from->address);
    change_copy_text(to->tls, sizeof(to->tls), from->tls);

    char code[16] = "";
    if (to->reply_code != 0)
        snprintf(code, sizeof(code), "%d", to->reply_code);
    char line[sizeof(code) + sizeof(to->enhanced_code) + sizeof(to->reply_text) + 2] = "";
    const char *const parts[] = {code, to->enhanced_code, to->reply_text};
    size_t used = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i][0])
            used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", used ? " " : "",
                                     parts[i]);
    change_copy_text(to->reply, sizeof(to->reply), line);
}

void queue_settle(struct queue *queue, const char *id, const struct queue_settlement *from,
                  queue_done_fn *done, void *context)
{
    struct settle *settle = change_create(&SETTLE, sizeof(struct settle), id, done, context);
    settle->change.ride = from->ride;
    settle->state = from->state;
    change_copy_text(settle->reason, sizeof(settle->reason), from->reason);
    settle->charge = from->charge;
    settle->charge_unknown = from->charge_unknown;
    settle->not_before_ms = from->not_before_ms;
    settle->has_envelope = from->envelope != NULL;
    if (settle->has_envelope)
        envelope_copy(&settle->envelope, from->envelope);
    settle->has_attempt = from->attempt != NULL;
    if (settle->has_attempt)
        copy_attempt(&settle->attempt, from->attempt, queue_now_ms(queue));
    bool has_mail = from->state == MESSAGE_QUEUED && from->body && settle->has_envelope;
    keys_hold(queue->keys);
    // Refused, its outcome would be lost to everybody but the next start. So this is that start.
    if (has_mail && !envelope_seal(&settle->envelope, queue->keys, settle->change.id, from->body,
                                   from->body_size, &settle->body))
        abort();
    writer_submit(queue->writer, &settle->change);
    keys_release(queue->keys);
}

// ---- an attempt alone ---------------------------------------------------------------------------

struct note {
    struct change change;
    struct attempt attempt;
};

static int apply_note(struct change *change, struct database *database, int64_t now_ms)
{
    (void)now_ms;
    struct row row;
    bool found = false;
    int rc = change_find_row(database, change->id, &row, &found);
    if (rc != SQLITE_OK || !found)
        return rc;
    return insert_attempt(&((const struct note *)change)->attempt, database, row.seq);
}

static const struct change_type NOTE = {.apply = apply_note, .destroy = free_change, .kept = true};

static void noted(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id; // nothing depends on history
}

void queue_note_attempt(struct queue *queue, const char *id, const struct queue_attempt *attempt)
{
    struct note *note = change_create(&NOTE, sizeof(struct note), id, noted, NULL);
    note->change.ride = true;
    copy_attempt(&note->attempt, attempt, queue_now_ms(queue));
    writer_submit(queue->writer, &note->change);
}
