#include "queue/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/uuid.h"

static int refuse(struct change *change, struct database *database, int64_t now_ms)
{
    (void)database, (void)now_ms;
    change->result = QUEUE_REFUSED;
    return SQLITE_OK;
}

static int apply_nothing(struct change *change, struct database *database, int64_t now_ms)
{
    (void)change, (void)database, (void)now_ms;
    return SQLITE_OK;
}

const struct change_type CHANGE_NOTHING = {.apply = apply_nothing, .kept = true};

static void free_change(struct change *change)
{
    free(change);
}

static const struct change_type REFUSAL = {.apply = refuse, .destroy = free_change};

void *change_create(const struct change_type *type, size_t size, const char *id,
                    queue_done_fn *done, void *context)
{
    struct change *change = calloc(1, size);
    if (!change)
        abort();
    change->type = type;
    change->done = done;
    change->context = context;
    change_copy_text(change->id, sizeof(change->id), id);
    return change;
}

struct change *change_refusal(const char *id, queue_done_fn *done, void *context)
{
    return change_create(&REFUSAL, sizeof(struct change), id, done, context);
}

void change_copy_text(char *to, size_t size, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) // inside UTF-8
            length--;
    }
    if (length > 0)
        memcpy(to, text, length);
    to[length] = '\0';
}

// ---- bodies -----------------------------------------------------------------------------------

bool change_state_drops_body(enum message_state state)
{
    return state == MESSAGE_SENT || state == MESSAGE_SUPERSEDED || state == MESSAGE_CANCELLED ||
           state == MESSAGE_EXPIRED;
}

struct seal_binding body_binding(const char *id, enum body_form form, int64_t created_ms,
                                 const char *recipient, int64_t deadline_ms)
{
    bool is_mail = form == BODY_MAIL;
    return (struct seal_binding){.id = id,
                                 .form = form,
                                 .created_ms = created_ms,
                                 .recipient = is_mail ? recipient : NULL,
                                 .deadline_ms = is_mail ? deadline_ms : 0};
}

// ---- envelopes --------------------------------------------------------------------------------

void envelope_copy(struct envelope_copy *to, const struct queue_envelope *from)
{
    change_copy_text(to->channel, sizeof(to->channel), from->channel);
    change_copy_text(to->template, sizeof(to->template), from->template);
    change_copy_text(to->locale, sizeof(to->locale), from->locale);
    change_copy_text(to->locale_source, sizeof(to->locale_source), from->locale_source);
    change_copy_text(to->recipient, sizeof(to->recipient), from->recipient);
    change_copy_text(to->identity_id, sizeof(to->identity_id), from->identity_id);
    to->lane = from->lane;
    to->coded = from->coded;
    to->created_ms = from->created_ms;
    to->deadline_ms = from->deadline_ms;
    to->supersede_by_browser = from->supersede_by_browser;
    to->has_content = from->content_digest != NULL;
    if (to->has_content)
        memcpy(to->content_digest, from->content_digest, QUEUE_DIGEST_SIZE);
    to->has_supersede = from->supersede_digest != NULL;
    if (to->has_supersede)
        memcpy(to->supersede_digest, from->supersede_digest, QUEUE_DIGEST_SIZE);
}

#define ENVELOPE_COLUMNS                                                                           \
    "channel = ?, template = ?, lane = ?, locale = ?, recipient = ?, identity_id = ?, coded = ?,"  \
    " deadline = ?, content_digest = ?, supersede_digest = ?, supersede_by_browser = ?,"           \
    " locale_source = ?"

void envelope_bind(const struct envelope_copy *envelope, struct query *query)
{
    query_text_or_null(query, envelope->channel);
    query_text_or_null(query, envelope->template);
    query_text(query, lane_name(envelope->lane));
    query_text_or_null(query, envelope->locale);
    query_text_or_null(query, envelope->recipient);
    query_text_or_null(query, envelope->identity_id);
    query_int(query, envelope->coded);
    query_int_or_null(query, envelope->deadline_ms);
    query_blob(query, envelope->has_content ? envelope->content_digest : NULL, QUEUE_DIGEST_SIZE);
    query_blob(query, envelope->has_supersede ? envelope->supersede_digest : NULL,
               QUEUE_DIGEST_SIZE);
    query_int(query, envelope->supersede_by_browser);
    query_text_or_null(query, envelope->locale_source);
}

bool envelope_seal(const struct envelope_copy *envelope, const struct keys *keys, const char *id,
                   const void *body, size_t size, struct sealed_body *ret_body)
{
    const struct seal_binding binding = body_binding(id, BODY_MAIL, envelope->created_ms,
                                                     envelope->recipient, envelope->deadline_ms);
    ret_body->data = seal_make(keys, &binding, body, size, &ret_body->size);
    return ret_body->data != NULL;
}

// ---- rows -------------------------------------------------------------------------------------

int change_find_row(struct database *database, const char *id, struct row *ret_row, bool *ret_found)
{
    *ret_found = false;
    if (!uuid_number(id, &ret_row->seq))
        return SQLITE_OK;
    AUTO_QUERY struct query query = query_start(
        database,
        "SELECT created, deadline, state, body_form FROM message WHERE seq = ? AND id = ?");
    query_int(&query, ret_row->seq);
    query_text(&query, id);
    if (query_step(&query)) {
        ret_row->created_ms = query_get_int(&query);
        ret_row->deadline_ms = query_get_int(&query);
        // A word that no version writes is a state that no change starts from.
        *ret_found = message_state_parse(query_get_text(&query), &ret_row->state);
        ret_row->form = (enum body_form)query_get_int(&query);
    }
    return query.rc;
}

#define UPDATE_START                                                                               \
    "UPDATE message SET state = ?, reason = ?, not_before = ?, updated = ?, body_form = ?,"        \
    " attempts = attempts + ?, unknown_outcomes = unknown_outcomes + ?,"                           \
    " smarthost = coalesce(?, smarthost), last_reply = coalesce(?, last_reply),"                   \
    " lease_owner = NULL, lease_end = NULL"
#define UPDATE_END " WHERE seq = ?"

int change_update_row(struct database *database, int64_t seq, const struct row_update *update,
                      int64_t now_ms)
{
    // Naming a column in SET rewrites its indexes, even where it stays.
    static const char *const SQL[2][2] = {
        {UPDATE_START UPDATE_END, UPDATE_START ", body = ?" UPDATE_END},
        {UPDATE_START ", " ENVELOPE_COLUMNS UPDATE_END,
         UPDATE_START ", " ENVELOPE_COLUMNS ", body = ?" UPDATE_END},
    };
    bool has_envelope = update->envelope != NULL;
    bool sets_body = update->body || update->form == BODY_DROPPED;
    AUTO_QUERY struct query query = query_start(database, SQL[has_envelope][sets_body]);
    query_text(&query, message_state_name(update->state));
    query_text_or_null(&query, update->reason);
    query_int(&query, update->state == MESSAGE_QUEUED ? update->not_before_ms : 0);
    query_int(&query, now_ms);
    query_int(&query, update->form);
    query_int(&query, update->attempts);
    query_int(&query, update->unknown_outcomes);
    query_text_or_null(&query, update->smarthost);
    query_text_or_null(&query, update->last_reply);
    if (has_envelope)
        envelope_bind(update->envelope, &query);
    if (sets_body && update->form == BODY_DROPPED)
        query_null(&query);
    else if (sets_body)
        query_blob(&query, update->body->data, update->body->size);
    query_int(&query, seq);
    return query_run(&query);
}
