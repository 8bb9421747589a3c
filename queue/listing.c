// listing.c - for people: lists of messages, attempts, counts.
#include <stdlib.h>
#include <string.h>

#include "queue/reader.h"
#include "queue/uuid.h"

// Filters scan, since an index would be paid for by every accept. A scan of a large queue is
// cut into stretches of so many rows, each a transaction of its own, over before anything is given
// out: whoever takes it may write it into a pipe that nobody reads.
enum { STRETCH_ROWS = 1000 };

// A stretch: rows from below (not in it) down to oldest; INT64_MIN: there are none behind it.
struct stretch {
    int64_t below, oldest;
};

// The next one, of so many rows, below what *stretch was.
static bool find_stretch(struct queue_reader *reader, struct stretch *stretch, size_t rows,
                         struct error *err)
{
    static const char SQL[] =
        "SELECT seq FROM message WHERE seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    stretch->below = stretch->oldest;
    query_int(&query, stretch->below);
    query_int(&query, (int64_t)rows - 1);
    stretch->oldest = query_step(&query) ? query_get_int(&query) : INT64_MIN;
    return reader_ended_well(reader, &query, err);
}

// Of ?3 to ?13, one for each of them: what is not meant is null, and no row's state.
static void bind_states(struct query *query, unsigned states)
{
    int bound = 0;
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++)
        if (states & QUEUE_STATE_BIT(i)) {
            query_text(query, message_state_name((enum message_state)i));
            bound++;
        }
    for (; bound < MESSAGE_STATE_COUNT; bound++)
        query_null(query);
}

static void bind_filter(struct query *query, const struct queue_filter *filter)
{
    bind_states(query, filter->states);
    query_text(query, filter->has_lane ? lane_name(filter->lane) : NULL);
    query_text(query, filter->recipient);
    query_text(query, filter->template);
    query_text(query, filter->reason);
    query_text(query, filter->smarthost);
    query_int(query, filter->since_ms);
    query_int_or_null(query, filter->before_ms);
}

// Rows that hold what no version of this program writes. They hide no others: they are told of at
// the end.
struct odd_rows {
    size_t count;
    char first_id[QUEUE_ID_SIZE];
};

static bool were_none_odd(const struct odd_rows *odd, struct error *err)
{
    if (odd->count > 1)
        return error_set(err, ERR_CORRUPT,
                         "%zu rows have an unknown state or lane, first that of %s", odd->count,
                         odd->first_id);
    return odd->count == 0 ||
           error_set(err, ERR_CORRUPT, "the row of %s has an unknown state or lane", odd->first_id);
}

// rows has room for limit. *stretch ends at the last row that was given, where limit ended it.
static bool read_stretch(struct queue_reader *reader, const struct queue_filter *filter,
                         struct stretch *stretch, size_t limit, struct queue_message *rows,
                         size_t *ret_count, struct odd_rows *odd, struct error *err)
{
    static const char SQL[] =
        "SELECT " MESSAGE_COLUMNS ", seq FROM message WHERE seq < ?1 AND seq >= ?2"
        " AND (?3 IS NULL OR state IN (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13))"
        " AND (?14 IS NULL OR lane = ?14)"
        " AND (?15 IS NULL OR recipient = ?15 COLLATE NOCASE)"
        " AND (?16 IS NULL OR template = ?16)"
        " AND (?17 IS NULL OR reason = ?17)"
        " AND (?18 IS NULL OR smarthost = ?18)"
        " AND created >= ?19 AND (?20 IS NULL OR created < ?20)"
        " ORDER BY seq DESC LIMIT ?21";
    size_t count = 0;
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, stretch->below);
    query_int(&query, stretch->oldest);
    bind_filter(&query, filter);
    query_int(&query, (int64_t)limit);
    while (query_step(&query)) {
        if (reader_get_message(&query, &rows[count])) {
            if (++count == limit)
                stretch->oldest = query_get_int(&query);
        } else if (odd->count++ == 0) {
            memcpy(odd->first_id, rows[count].id, QUEUE_ID_SIZE);
        }
    }
    *ret_count = count;
    return reader_ended_well(reader, &query, err);
}

// rows has room for a stretch. look_max SIZE_MAX: all.
static bool list_stretches(struct queue_reader *reader, const struct queue_filter *filter,
                           struct stretch stretch, size_t look_max, struct queue_message *rows,
                           queue_each_fn *each, void *context, char ret_next_id[QUEUE_ID_SIZE],
                           struct error *err)
{
    size_t left = filter->limit, seen = 0, count = 0;
    struct odd_rows odd = {0};
    while (left > 0 && seen < look_max && stretch.oldest != INT64_MIN) {
        size_t most = left < STRETCH_ROWS ? left : STRETCH_ROWS;
        // Where every row is meant, the first stretch is all that it takes.
        size_t size = seen == 0 ? most : STRETCH_ROWS;
        seen += size;
        if (!find_stretch(reader, &stretch, size, err) ||
            !read_stretch(reader, filter, &stretch, most, rows, &count, &odd, err))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!each(context, &rows[i]))
                return were_none_odd(&odd, err);
        left -= count;
    }
    if (stretch.oldest == INT64_MIN)
        ret_next_id[0] = '\0';
    else
        uuid_first_of(stretch.oldest, ret_next_id);
    return were_none_odd(&odd, err);
}

bool queue_list_page(struct queue_reader *reader, const struct queue_filter *filter,
                     size_t look_max, queue_each_fn *each, void *context,
                     char ret_next_id[QUEUE_ID_SIZE], struct error *err)
{
    struct stretch start = {.oldest = INT64_MAX};
    if (filter->before_id && !uuid_number(filter->before_id, &start.oldest))
        return error_set(err, ERR_INPUT, "a page begins at an id, which this is not");
    struct queue_message *rows = calloc(STRETCH_ROWS, sizeof(*rows));
    if (!rows)
        return error_set(err, ERR_TEMPORARY, "no memory for a list");
    bool ok =
        list_stretches(reader, filter, start, look_max, rows, each, context, ret_next_id, err);
    free(rows);
    return ok;
}

bool queue_list(struct queue_reader *reader, const struct queue_filter *filter, queue_each_fn *each,
                void *context, struct error *err)
{
    char next_id[QUEUE_ID_SIZE];
    return queue_list_page(reader, filter, SIZE_MAX, each, context, next_id, err);
}

bool queue_attempts(struct queue_reader *reader, const char *id, queue_each_attempt_fn *each,
                    void *context, struct error *err)
{
    static const char SQL[] =
        "SELECT started, ended, attempt.smarthost, outcome, enhanced_code, reply_code, reply_text,"
        " address, tls"
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
        query_copy_text(&query, row.address, sizeof(row.address));
        query_copy_text(&query, row.tls, sizeof(row.tls));
        if (!each(context, &row))
            break;
    }
    return reader_ended_well(reader, &query, err);
}

// ---- counts -------------------------------------------------------------------------------------
//
// In stretches as well, each some 30 ms at most: so the counts are of slightly different moments.

#define COUNT_STRETCH_ROWS 100000
#define COUNT_STRETCH "100000"
enum { HASH_STRETCHES = 64 };

// Of one state and lane.
struct tally {
    int64_t count, oldest_ms;
    int64_t created_ms, not_before_ms, seq; // the last that was counted: they come in this order
};

// *ret_more: a full stretch, so there may be others behind it.
static bool count_stretch(struct queue_reader *reader, enum message_state state, const char *lane,
                          struct tally *tally, bool *ret_more, struct error *err)
{
    static const char SQL[] = "SELECT created, not_before, seq FROM message INDEXED BY message_open"
                              " WHERE state <> 'sent' AND state = ? AND lane IS ? AND (created, "
                              "not_before, seq) > (?, ?, ?)"
                              " ORDER BY created, not_before, seq LIMIT " COUNT_STRETCH;
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_text(&query, message_state_name(state));
    query_text(&query, lane);
    query_int(&query, tally->created_ms);
    query_int(&query, tally->not_before_ms);
    query_int(&query, tally->seq);
    int64_t before = tally->count;
    while (query_step(&query)) {
        tally->created_ms = query_get_int(&query);
        tally->not_before_ms = query_get_int(&query);
        tally->seq = query_get_int(&query);
        if (tally->count++ == 0)
            tally->oldest_ms = tally->created_ms;
    }
    *ret_more = tally->count - before == COUNT_STRETCH_ROWS;
    return reader_ended_well(reader, &query, err);
}

// lane -1: none yet.
static bool count_state(struct queue_reader *reader, enum message_state state, int lane,
                        struct queue_stats *stats, struct error *err)
{
    struct tally tally = {.created_ms = INT64_MIN};
    for (bool more = true; more;)
        if (!count_stretch(reader, state, lane < 0 ? NULL : lane_name((enum lane)lane), &tally,
                           &more, err))
            return false;
    stats->count[state] += tally.count;
    if (lane < 0 || tally.count == 0 || (state != MESSAGE_QUEUED && state != MESSAGE_SENDING))
        return true;
    stats->waiting[lane] += tally.count;
    if (stats->oldest_waiting_ms[lane] == 0 || tally.oldest_ms < stats->oldest_waiting_ms[lane])
        stats->oldest_waiting_ms[lane] = tally.oldest_ms;
    return true;
}

// By the payload's hash, an index that every row is in, and which hashes cut into equal parts.
static bool count_all(struct queue_reader *reader, int64_t *ret_count, struct error *err)
{
    static const char SQL[] =
        "SELECT count(*) FROM message WHERE payload_hash >= ? AND payload_hash < ?";
    *ret_count = 0;
    for (unsigned i = 0; i < HASH_STRETCHES; i++) {
        uint8_t from = (uint8_t)(i * (256 / HASH_STRETCHES)), to[QUEUE_DIGEST_SIZE + 1];
        memset(to, 0xff, sizeof(to)); // behind all of them
        if (i + 1 < HASH_STRETCHES)
            to[0] = (uint8_t)(from + 256 / HASH_STRETCHES);
        AUTO_QUERY struct query query = query_start(&reader->database, SQL);
        query_blob(&query, &from, i == 0 ? 0 : 1);
        query_blob(&query, to, i + 1 < HASH_STRETCHES ? 1 : sizeof(to));
        if (query_step(&query))
            *ret_count += query_get_int(&query);
        if (!reader_ended_well(reader, &query, err))
            return false;
    }
    return true;
}

bool queue_stats(struct queue_reader *reader, struct queue_stats *ret_stats, struct error *err)
{
    struct queue_stats stats = {0};
    int64_t total = 0;
    if (!count_all(reader, &total, err))
        return false;
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++) {
        enum message_state state = (enum message_state)i;
        for (int lane = -1; state != MESSAGE_SENT && lane < LANE_COUNT; lane++)
            if (!count_state(reader, state, lane, &stats, err))
                return false;
        total -= stats.count[i];
    }
    // The many that were sent are not in message_open: they are what is missing from the total.
    stats.count[MESSAGE_SENT] = total > 0 ? total : 0;
    *ret_stats = stats;
    return true;
}
