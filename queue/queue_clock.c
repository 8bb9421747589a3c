#include "queue/queue_clock.h"

#include <string.h>

static int64_t machine_boot_ms(void *context)
{
    (void)context;
    return clock_boot_ms();
}

static int64_t machine_wall_ms(void *context)
{
    (void)context;
    return clock_wall_ms();
}

static bool machine_boot_id(void *context, char ret_id[CLOCK_BOOT_ID_SIZE], struct error *err)
{
    (void)context;
    return clock_boot_id(ret_id, err);
}

const struct clock_source CLOCK_SOURCE_MACHINE = {
    .boot_ms = machine_boot_ms, .wall_ms = machine_wall_ms, .boot_id = machine_boot_id};

struct record {
    char boot_id[CLOCK_BOOT_ID_SIZE];
    char recovered_boot_id[CLOCK_BOOT_ID_SIZE];
    int64_t boot_ms, queue_ms, wall_ms;
};

static int read_record(struct database *database, struct record *ret_record, bool *ret_found)
{
    static const char SQL[] =
        "SELECT boot.value, recovered.value, boot_ms.value, queue_ms.value, wall_ms.value"
        " FROM meta AS boot, meta AS recovered, meta AS boot_ms, meta AS queue_ms, meta AS wall_ms"
        " WHERE boot.name = 'boot_id' AND recovered.name = 'recovered_boot_id'"
        "   AND boot_ms.name = 'boot_ms' AND queue_ms.name = 'queue_ms'"
        "   AND wall_ms.name = 'wall_ms'";
    AUTO_QUERY struct query query = query_start(database, SQL);
    *ret_found = query_step(&query);
    if (*ret_found) {
        query_copy_text(&query, ret_record->boot_id, sizeof(ret_record->boot_id));
        query_copy_text(&query, ret_record->recovered_boot_id,
                        sizeof(ret_record->recovered_boot_id));
        ret_record->boot_ms = query_get_int(&query);
        ret_record->queue_ms = query_get_int(&query);
        ret_record->wall_ms = query_get_int(&query);
    }
    return query.rc;
}

// The record is up to a minute old. Whatever the wall clock did since: time does not run
// behind what the newest message has seen.
static int read_newest(struct database *database, int64_t *ret_ms)
{
    AUTO_QUERY struct query query =
        query_start(database, "SELECT created FROM message ORDER BY seq DESC LIMIT 1");
    *ret_ms = query_step(&query) ? query_get_int(&query) : INT64_MIN;
    return query.rc;
}

bool queue_clock_start(struct queue_clock *clock, const struct clock_source *source,
                       struct database *database, struct error *err)
{
    *clock = (struct queue_clock){.source = *source};
    if (!source->boot_id(source->context, clock->boot_id, err))
        return false;
    int64_t wall_ms = source->wall_ms(source->context);
    clock->base_boot_ms = source->boot_ms(source->context);

    struct record record;
    bool found = false;
    int64_t newest_ms = INT64_MIN;
    int rc = read_record(database, &record, &found);
    if (rc == SQLITE_OK)
        rc = read_newest(database, &newest_ms);
    if (rc != SQLITE_OK)
        return database_error(database, rc, "read", err);
    if (!found) {
        clock->base_ms = wall_ms;
        return true;
    }
    clock->rebooted = strcmp(record.recovered_boot_id, clock->boot_id) != 0;
    // A boot clock that is behind itself is another time namespace's: a container was started anew,
    // or came from another host. Then it tells as little as after a reboot.
    if (strcmp(record.boot_id, clock->boot_id) == 0 && clock->base_boot_ms >= record.boot_ms) {
        clock->base_ms = record.queue_ms;
        clock->base_boot_ms = record.boot_ms;
        return true;
    }
    clock->away_ms = wall_ms - record.wall_ms;
    clock->base_ms = record.queue_ms + (clock->away_ms > 0 ? clock->away_ms : 0);
    if (clock->base_ms < newest_ms)
        clock->base_ms = newest_ms;
    return true;
}

static int64_t at_boot(const struct queue_clock *clock, int64_t boot_ms)
{
    return clock->base_ms + (boot_ms - clock->base_boot_ms);
}

int64_t queue_clock_now(const struct queue_clock *clock)
{
    return at_boot(clock, clock->source.boot_ms(clock->source.context));
}

int64_t queue_clock_wall(const struct queue_clock *clock, int64_t t_ms)
{
    return t_ms + (clock->source.wall_ms(clock->source.context) - queue_clock_now(clock));
}

int64_t queue_clock_boot(const struct queue_clock *clock, int64_t t_ms)
{
    return clock->base_boot_ms + (t_ms - clock->base_ms);
}

int queue_clock_record(const struct queue_clock *clock, struct database *database)
{
    static const char SQL[] =
        "INSERT INTO meta (name, value)"
        " VALUES ('boot_id', ?), ('boot_ms', ?), ('queue_ms', ?), ('wall_ms', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    int64_t boot_ms = clock->source.boot_ms(clock->source.context);
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_text(&query, clock->boot_id);
    query_int(&query, boot_ms);
    query_int(&query, at_boot(clock, boot_ms));
    query_int(&query, clock->source.wall_ms(clock->source.context));
    return query_run(&query);
}

int queue_clock_record_recovery(const struct queue_clock *clock, struct database *database)
{
    static const char SQL[] = "INSERT INTO meta (name, value) VALUES ('recovered_boot_id', ?)"
                              " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_text(&query, clock->boot_id);
    return query_run(&query);
}
