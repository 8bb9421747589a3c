// lookup.c - one message with its body, and its likes: same content, or newer.
#include <string.h>

#include "queue/change.h"
#include "queue/reader.h"
#include "queue/schema.h"
#include "queue/seal.h"
#include "queue/uuid.h"

static void get_digest(struct query *query, bool *ret_has, uint8_t ret_digest[QUEUE_DIGEST_SIZE])
{
    size_t size = 0;
    const void *digest = query_get_blob(query, &size);
    *ret_has = digest && size == QUEUE_DIGEST_SIZE;
    if (*ret_has)
        memcpy(ret_digest, digest, QUEUE_DIGEST_SIZE);
}

bool reader_get_message(struct query *query, struct queue_message *ret_message)
{
    struct queue_message *to = ret_message;
    *to = (struct queue_message){0};
    query_copy_text(query, to->id, sizeof(to->id));
    to->array_index = (int)query_get_int(query);
    bool ok = message_state_parse(query_get_text(query), &to->state);
    query_copy_text(query, to->reason, sizeof(to->reason));
    query_copy_text(query, to->route, sizeof(to->route));
    query_copy_text(query, to->key_name, sizeof(to->key_name));
    query_copy_text(query, to->channel, sizeof(to->channel));
    to->has_lane = !query_next_is_null(query);
    const char *lane = query_get_text(query);
    ok = ok && (!to->has_lane || lane_parse(lane, &to->lane));
    query_copy_text(query, to->template, sizeof(to->template));
    query_copy_text(query, to->locale, sizeof(to->locale));
    query_copy_text(query, to->recipient, sizeof(to->recipient));
    query_copy_text(query, to->identity_id, sizeof(to->identity_id));
    to->coded = query_get_int(query) != 0;
    get_digest(query, &to->has_content, to->content_digest);
    get_digest(query, &to->has_supersede, to->supersede_digest);
    to->supersede_by_browser = query_get_int(query) != 0;
    query_copy_text(query, to->smarthost, sizeof(to->smarthost));
    to->attempts = (int)query_get_int(query);
    to->unknown_outcomes = (int)query_get_int(query);
    to->created_ms = query_get_int(query);
    to->updated_ms = query_get_int(query);
    to->not_before_ms = query_get_int(query);
    to->deadline_ms = query_get_int(query);
    query_copy_text(query, to->last_reply, sizeof(to->last_reply));
    query_copy_text(query, to->trace_id, sizeof(to->trace_id));
    query_copy_text(query, to->locale_source, sizeof(to->locale_source));
    int64_t form = query_get_int(query);
    to->has_body = form != BODY_DROPPED;
    to->composed = form == BODY_MAIL;
    to->is_part = form == BODY_PART;
    return ok;
}

// False where there is no memory for it; one that does not open is NULL, and the message says why.
static bool open_body(const struct queue_reader *reader, struct query *query,
                      struct queue_message *message, char **ret_body, size_t *ret_size,
                      struct error *err)
{
    enum body_form form = message->composed  ? BODY_MAIL
                          : message->is_part ? BODY_PART
                                             : BODY_PAYLOAD;
    const struct seal_binding binding = body_binding(message->id, form, message->created_ms,
                                                     message->recipient, message->deadline_ms);
    size_t sealed_size = 0, size = 0;
    const void *sealed = query_get_blob(query, &sealed_size);
    enum seal_fault fault = SEAL_DAMAGED;
    char *body = message->has_body
                     ? seal_open(reader->keys, &binding, sealed, sealed_size, &size, &fault)
                     : NULL;
    if (!body && fault == SEAL_NO_MEMORY)
        return error_set(err, ERR_TEMPORARY, "no memory for the body of %s", message->id);
    if (!body && message->has_body)
        message->fault = fault == SEAL_UNKNOWN_KEY ? BODY_OF_UNKNOWN_KEY : BODY_DAMAGED;
    *ret_body = body;
    *ret_size = size;
    return true;
}

// The row that query stands at; with its body where ret_body is given.
static bool get_row(const struct queue_reader *reader, struct query *query, const char *id,
                    struct queue_message *ret_message, char **ret_body, size_t *ret_body_size,
                    struct error *err)
{
    struct queue_message message;
    if (!reader_get_message(query, &message))
        return error_set(err, ERR_CORRUPT, "the row of %s has an unknown state or lane", id);
    if (ret_body && !open_body(reader, query, &message, ret_body, ret_body_size, err))
        return false;
    *ret_message = message;
    return true;
}

bool queue_load(struct queue_reader *reader, const char *id, struct queue_message *ret_message,
                bool *ret_found, char **ret_body, size_t *ret_body_size, struct error *err)
{
    static const char WITHOUT_BODY[] =
        "SELECT " MESSAGE_COLUMNS " FROM message WHERE seq = ? AND id = ?";
    static const char WITH_BODY[] =
        "SELECT " MESSAGE_COLUMNS ", body FROM message WHERE seq = ? AND id = ?";
    int64_t seq = 0;
    if (ret_body && !reader->keys)
        return error_set(err, ERR_INPUT, "bodies cannot be read without the queue's key");
    if (!uuid_number(id, &seq)) {
        *ret_found = false;
        return true;
    }
    AUTO_QUERY struct query query =
        query_start(&reader->database, ret_body ? WITH_BODY : WITHOUT_BODY);
    query_int(&query, seq);
    query_text(&query, id);
    if (ret_body)
        keys_hold(reader->keys);
    bool found = query_step(&query);
    bool ok = found ? get_row(reader, &query, id, ret_message, ret_body, ret_body_size, err)
                    : reader_ended_well(reader, &query, err);
    if (ret_body)
        keys_release(reader->keys);
    if (ok)
        *ret_found = found;
    return ok;
}

static bool read_one_id(const struct queue_reader *reader, struct query *query,
                        char ret_id[QUEUE_ID_SIZE], bool *ret_found, struct error *err)
{
    bool found = query_step(query);
    if (!reader_ended_well(reader, query, err))
        return false;
    if (found)
        query_copy_text(query, ret_id, QUEUE_ID_SIZE);
    *ret_found = found;
    return true;
}

// The seq of id; one that is no id of ours is nobody's.
static int64_t number_of(const char *id)
{
    int64_t seq = 0;
    return uuid_number(id, &seq) ? seq : -1;
}

bool queue_find_content(struct queue_reader *reader, const uint8_t *content_digest,
                        const char *own_id, int64_t now_ms, char ret_id[QUEUE_ID_SIZE],
                        bool *ret_found, struct error *err)
{
    // One that was released may be older than its like, so it is their distance that counts.
    static const char SQL[] =
        "SELECT other.id FROM message AS other INDEXED BY message_content"
        " LEFT JOIN message AS own ON own.seq = ?2"
        " WHERE " SCHEMA_IS_SAME_MAIL("?1", "own.payload_hash",
                                      "coalesce(own.created, ?3)") " ORDER BY other.seq LIMIT 1";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_blob(&query, content_digest, QUEUE_DIGEST_SIZE);
    query_int(&query, number_of(own_id));
    query_int(&query, now_ms);
    return read_one_id(reader, &query, ret_id, ret_found, err);
}

bool queue_find_newer(struct queue_reader *reader, const uint8_t *supersede_digest, bool by_browser,
                      const char *own_id, int64_t own_created_ms, char ret_id[QUEUE_ID_SIZE],
                      bool *ret_found, struct error *err)
{
    // Of two in the same millisecond the id decides, but mails of one payload are of one age.
    static const char SQL[] =
        "SELECT id FROM message INDEXED BY message_supersede"
        " WHERE supersede_digest = ?1 AND supersede_by_browser = ?2"
        " AND (created > ?4 OR (created = ?4 AND seq > ?3))"
        " AND payload_hash IS NOT (SELECT own.payload_hash FROM message AS own WHERE own.seq = ?3)"
        " AND NOT (state = 'superseded' AND reason = 'duplicate')"
        " AND NOT (?2 AND state IN ('parked', 'held', 'failed', 'cancelled'))"
        " ORDER BY created DESC, seq DESC LIMIT 1";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_blob(&query, supersede_digest, QUEUE_DIGEST_SIZE);
    query_int(&query, by_browser);
    query_int(&query, number_of(own_id));
    query_int(&query, own_created_ms);
    return read_one_id(reader, &query, ret_id, ret_found, err);
}

bool queue_count_siblings(struct queue_reader *reader, const char *id, size_t *ret_count,
                          struct error *err)
{
    // The same bytes may have come again after their window, but not in the same millisecond.
    static const char SQL[] =
        "SELECT COUNT(*) FROM message AS own JOIN message AS sibling INDEXED BY message_payload"
        " ON sibling.payload_hash = own.payload_hash AND sibling.created = own.created"
        " WHERE own.seq = ?1";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, number_of(id));
    query_step(&query);
    if (!reader_ended_well(reader, &query, err))
        return false;
    *ret_count = (size_t)query_get_int(&query);
    return true;
}
