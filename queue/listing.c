// listing.c - for people: lists of messages, attempts, counts.
#include "queue/reader.h"
#include "queue/uuid.h"

// Filters scan, since an index would be paid for by every accept. A scan of a large queue is
// cut into stretches of so many rows, each a transaction of its own.
#define STRETCH "1000"

// Where the next stretch ends: the seq of its oldest row, INT64_MIN where it is the last.
static bool find_stretch(struct queue_reader *reader, int64_t below, int64_t *ret_oldest,
                         struct error *err)
{
    static const char SQL[] =
        "SELECT seq FROM message WHERE seq < ? ORDER BY seq DESC LIMIT 1 OFFSET " STRETCH " - 1";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, below);
    *ret_oldest = query_step(&query) ? query_get_int(&query) : INT64_MIN;
    return reader_ended_well(reader, &query, err);
}

static void bind_filter(struct query *query, const struct queue_filter *filter)
{
    query_text(query, filter->has_state ? message_state_name(filter->state) : NULL);
    query_text(query, filter->has_lane ? lane_name(filter->lane) : NULL);
    query_text(query, filter->recipient);
    query_text(query, filter->template);
    query_text(query, filter->reason);
    query_int(query, filter->since_ms);
    query_int_or_null(query, filter->before_ms);
}

// Gives the rows of one stretch. *left goes down with each, to 0 where each() wants no more.
static bool list_stretch(struct queue_reader *reader, const struct queue_filter *filter,
                         int64_t below, int64_t oldest, size_t *left, queue_each_fn *each,
                         void *context, struct error *err)
{
    static const char SQL[] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE seq < ?1 AND seq >= ?2"
                              " AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR lane = ?4)"
                              " AND (?5 IS NULL OR recipient = ?5 COLLATE NOCASE)"
                              " AND (?6 IS NULL OR template = ?6)"
                              " AND (?7 IS NULL OR reason = ?7)"
                              " AND created >= ?8 AND (?9 IS NULL OR created < ?9)"
                              " ORDER BY seq DESC LIMIT ?10";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, below);
    query_int(&query, oldest);
    bind_filter(&query, filter);
    query_int(&query, (int64_t)*left);
    while (*left > 0 && query_step(&query)) {
        struct queue_message message;
        if (!reader_get_message(&query, &message))
            return error_set(err, ERR_CORRUPT, "the row of %s has an unknown state or lane",
                             message.id);
        *left = each(context, &message) ? *left - 1 : 0;
    }
    return reader_ended_well(reader, &query, err);
}

bool queue_list(struct queue_reader *reader, const struct queue_filter *filter, queue_each_fn *each,
                void *context, struct error *err)
{
    int64_t below = INT64_MAX, oldest;
    if (filter->before_id && !uuid_number(filter->before_id, &below))
        return error_set(err, ERR_INPUT, "a page begins at an id, which this is not");
    size_t left = filter->limit;
    while (left > 0) {
        if (!find_stretch(reader, below, &oldest, err) ||
            !list_stretch(reader, filter, below, oldest, &left, each, context, err))
            return false;
        if (oldest == INT64_MIN)
            break;
        below = oldest;
    }
    return true;
}

bool queue_attempts(struct queue_reader *reader, const char *id, queue_each_attempt_fn *each,
                    void *context, struct error *err)
{
    static const char SQL[] =
        "SELECT started, ended, attempt.smarthost, outcome, enhanced_code, reply_code, reply_text"
        " FROM message JOIN attempt ON attempt.message = message.seq"
        " WHERE message.seq = ? AND message.id = ? ORDER BY number";
    int64_t seq = 0;
    if (!uuid_number(id, &seq))
        return true; // names no message
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, seq);
    query_text(&query, id);
    while (query_step(&query)) {
        struct queue_attempt_row row;
        row.started_ms = query_get_int(&query);
        row.ended_ms = query_get_int(&query);
        query_copy_text(&query, row.smarthost, sizeof(row.smarthost));
        query_copy_text(&query, row.outcome, sizeof(row.outcome));
        query_copy_text(&query, row.enhanced_code, sizeof(row.enhanced_code));
        row.reply_code = (int)query_get_int(&query);
        query_copy_text(&query, row.reply_text, sizeof(row.reply_text));
        if (!each(context, &row))
            break;
    }
    return reader_ended_well(reader, &query, err);
}

static void add_waiting(struct queue_stats *stats, enum lane lane, int64_t count, int64_t oldest_ms)
{
    stats->waiting[lane] += count;
    if (stats->oldest_waiting_ms[lane] == 0 || oldest_ms < stats->oldest_waiting_ms[lane])
        stats->oldest_waiting_ms[lane] = oldest_ms;
}

bool queue_stats(struct queue_reader *reader, struct queue_stats *ret_stats, struct error *err)
{
    // The many that were sent are not in message_open: they are what is missing from the total.
    static const char SQL[] =
        "SELECT state, lane, count(*), min(created) FROM message INDEXED BY message_open"
        " WHERE state <> 'sent' GROUP BY state, lane"
        " UNION ALL SELECT 'total', NULL, count(*), NULL FROM message";
    struct queue_stats stats = {0};
    int64_t total = 0, open = 0;
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    while (query_step(&query)) {
        enum message_state state;
        enum lane lane;
        bool is_state = message_state_parse(query_get_text(&query), &state);
        bool has_lane = lane_parse(query_get_text(&query), &lane);
        int64_t count = query_get_int(&query);
        int64_t oldest_ms = query_get_int(&query);
        if (!is_state) {
            total = count;
            continue;
        }
        open += count;
        stats.count[state] += count;
        if (has_lane && (state == MESSAGE_QUEUED || state == MESSAGE_SENDING))
            add_waiting(&stats, lane, count, oldest_ms);
    }
    if (!reader_ended_well(reader, &query, err))
        return false;
    stats.count[MESSAGE_SENT] = total - open;
    *ret_stats = stats;
    return true;
}
