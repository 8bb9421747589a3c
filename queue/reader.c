// reader.c - opening a reader, and what the dispatcher asks for next.
#include "queue/reader.h"

#include <stdlib.h>

#include "queue/queue_private.h"
#include "queue/schema.h"
#include "queue/uuid.h"

static struct queue_reader *reader_create(const char *dir, struct error *err)
{
    struct queue_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    if (database_open(&reader->database, dir, true, err))
        return reader;
    queue_reader_destroy(reader);
    return NULL;
}

struct queue_reader *queue_reader_create(struct queue *queue, struct error *err)
{
    struct queue_reader *reader = reader_create(queue->dir, err);
    if (reader) {
        reader->keys = queue->keys;
        reader->writer = queue->writer;
        reader->clock = queue->clock;
    }
    return reader;
}

static struct queue_reader *open_beside_daemon(const char *dir, struct error *err)
{
    struct queue_reader *reader = reader_create(dir, err);
    if (reader) {
        reader->database.delays_stops = true;
        reader->wall_ahead_ms = clock_wall_ahead_ms();
    }
    if (reader && schema_check(&reader->database, err) &&
        queue_clock_start(&reader->clock, &CLOCK_SOURCE_MACHINE, &reader->database, err))
        return reader;
    queue_reader_destroy(reader);
    return NULL;
}

// To open a database is to look into it, too.
struct queue_reader *queue_reader_open(const char *dir, struct error *err)
{
    sigset_t before;
    database_delay_stops(&before);
    struct queue_reader *reader = open_beside_daemon(dir, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reader;
}

void queue_reader_destroy(struct queue_reader *reader)
{
    if (!reader)
        return;
    database_close(&reader->database);
    free(reader);
}

int64_t queue_reader_now_ms(struct queue_reader *reader)
{
    return queue_clock_now(&reader->clock);
}

int64_t queue_reader_wall_ms(struct queue_reader *reader, int64_t t_ms)
{
    if (reader->writer) // for as long as the daemon runs, in which the clock may be set
        return queue_clock_wall(&reader->clock, t_ms);
    return queue_clock_boot(&reader->clock, t_ms) + reader->wall_ahead_ms;
}

bool reader_ended_well(const struct queue_reader *reader, const struct query *query,
                       struct error *err)
{
    return query->rc == SQLITE_OK || database_error(&reader->database, query->rc, "read", err);
}

// Its id is what a row is found by everywhere else. One whose id has changed would be found
// nowhere, and be due for ever.
static bool is_at_home(const char *id, int64_t seq)
{
    int64_t number = 0;
    return uuid_number(id, &number) && number == seq;
}

// Takes the columns id and seq. Rows that are not at home are parked, and then it fails, so that
// somebody is told; the next look does not meet them any more. The others are given all the same.
static bool read_ids(const struct queue_reader *reader, struct query *query,
                     char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err)
{
    size_t count = 0;
    int64_t stray_seq = 0;
    while (query_step(query)) {
        query_copy_text(query, ret_ids[count], QUEUE_ID_SIZE);
        int64_t seq = query_get_int(query);
        if (is_at_home(ret_ids[count], seq)) {
            count++;
            continue;
        }
        if (reader->writer)
            writer_submit(reader->writer, change_park_stray(seq));
        stray_seq = seq;
    }
    if (!reader_ended_well(reader, query, err))
        return false;
    *ret_count = count;
    if (stray_seq != 0)
        return error_set(err, ERR_CORRUPT, "the row %lld has lost its id, and is parked",
                         (long long)stray_seq);
    return true;
}

bool queue_received(struct queue_reader *reader, size_t limit, char (*ret_ids)[QUEUE_ID_SIZE],
                    size_t *ret_count, struct error *err)
{
    // A received row has no lane yet; saying so gives the order of age within message_open.
    static const char SQL[] = "SELECT id, seq FROM message INDEXED BY message_open"
                              " WHERE state = 'received' AND state <> 'sent' AND lane IS NULL"
                              " ORDER BY created DESC, seq DESC LIMIT ?";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, (int64_t)limit);
    return read_ids(reader, &query, ret_ids, ret_count, err);
}

// ---- due rows ---------------------------------------------------------------------------------

// By age means walking message_open over rows that are not due; through message_due it means
// sorting all that are. After an outage nearly all of a million are due, while retries pause
// nearly none: so up to so many due ones are sorted, and beyond that the walk is short.
#define SORTED_MAX "1024"

static bool are_many_due(struct queue_reader *reader, enum lane lane, int64_t now_ms,
                         bool *ret_many, struct error *err)
{
    static const char SQL[] =
        "SELECT 1 FROM message INDEXED BY message_due"
        " WHERE state = 'queued' AND lane = ? AND not_before <= ? LIMIT 1 OFFSET " SORTED_MAX;
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_text(&query, lane_name(lane));
    query_int(&query, now_ms);
    *ret_many = query_step(&query);
    return reader_ended_well(reader, &query, err);
}

#define DUE_SQL(index, condition, order)                                                           \
    "SELECT seq, created FROM message INDEXED BY " index " WHERE state = 'queued'" condition       \
    " AND lane = ? AND not_before <= ? ORDER BY created " order ", seq " order " LIMIT ?"
#define WALKED(order) WITH_IDS(DUE_SQL("message_open", " AND state <> 'sent'", order), order)
#define SORTED(order) WITH_IDS(DUE_SQL("message_due", "", order), order)
// Rows themselves are read for those that are wanted only; the indexes hold no ids.
#define WITH_IDS(due, order)                                                                       \
    "SELECT message.id, message.seq FROM (" due                                                    \
    ") AS due CROSS JOIN message ON message.seq = due.seq"                                         \
    " ORDER BY due.created " order ", due.seq " order

bool queue_due(struct queue_reader *reader, enum lane lane, int64_t now_ms, size_t limit,
               char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err)
{
    static const char NEWEST_WALKED[] = WALKED("DESC"), OLDEST_WALKED[] = WALKED("ASC");
    static const char NEWEST_SORTED[] = SORTED("DESC"), OLDEST_SORTED[] = SORTED("ASC");
    bool many = false;
    if (!are_many_due(reader, lane, now_ms, &many, err))
        return false;
    const char *newest = many ? NEWEST_WALKED : NEWEST_SORTED;
    const char *oldest = many ? OLDEST_WALKED : OLDEST_SORTED;
    AUTO_QUERY struct query query =
        query_start(&reader->database, lane == LANE_CODE ? newest : oldest);
    query_text(&query, lane_name(lane));
    query_int(&query, now_ms);
    query_int(&query, (int64_t)limit);
    return read_ids(reader, &query, ret_ids, ret_count, err);
}

// The one column of the one row; INT64_MAX where that is null.
static bool read_moment(const struct queue_reader *reader, struct query *query, int64_t *ret_ms,
                        struct error *err)
{
    int64_t moment_ms = INT64_MAX;
    if (query_step(query) && !query_next_is_null(query))
        moment_ms = query_get_int(query);
    if (!reader_ended_well(reader, query, err))
        return false;
    *ret_ms = moment_ms;
    return true;
}

#define NEXT_IN(lane)                                                                              \
    "SELECT min(not_before) AS moment FROM message INDEXED BY message_due"                         \
    " WHERE state = 'queued' AND lane = '" lane "' AND not_before > ?1"
#define NEXT_DEADLINE                                                                              \
    "SELECT min(deadline) AS moment FROM message INDEXED BY message_deadline"                      \
    " WHERE state = 'queued' AND deadline > ?1"

bool queue_next_due(struct queue_reader *reader, int64_t now_ms, int64_t *ret_due_ms,
                    struct error *err)
{
    static const char SQL[] = "SELECT min(moment) FROM (" NEXT_IN("code") " UNION ALL " NEXT_IN(
        "notice") " UNION ALL " NEXT_IN("bulk") " UNION ALL " NEXT_DEADLINE ")";
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, now_ms);
    return read_moment(reader, &query, ret_due_ms, err);
}

bool queue_overdue(struct queue_reader *reader, int64_t now_ms, size_t limit,
                   char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, int64_t *ret_next_ms,
                   struct error *err)
{
    static const char SQL[] = "SELECT id, seq FROM message INDEXED BY message_deadline"
                              " WHERE state = 'queued' AND deadline <= ?"
                              " ORDER BY deadline LIMIT ?";
    static const char NEXT[] = NEXT_DEADLINE;
    int64_t next_ms = INT64_MAX;
    AUTO_QUERY struct query next = query_start(&reader->database, NEXT);
    query_int(&next, now_ms);
    if (!read_moment(reader, &next, &next_ms, err))
        return false;
    AUTO_QUERY struct query query = query_start(&reader->database, SQL);
    query_int(&query, now_ms);
    query_int(&query, (int64_t)limit);
    if (!read_ids(reader, &query, ret_ids, ret_count, err))
        return false;
    *ret_next_ms = next_ms;
    return true;
}
