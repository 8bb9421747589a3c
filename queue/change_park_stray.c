// change_park_stray.c - a row that cannot be found by its id is set aside: whatever has changed
// that may have changed more.
#include <stdlib.h>

#include "queue/change.h"

struct park_stray {
    struct change change;
    int64_t seq;
};

static int apply(struct change *change, struct database *database, int64_t now_ms)
{
    static const char SQL[] =
        "UPDATE message SET state = 'parked', reason = 'damaged', not_before = 0, updated = ?,"
        " lease_owner = NULL, lease_end = NULL"
        " WHERE seq = ? AND state IN ('received', 'queued', 'sending')";
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_int(&query, now_ms);
    query_int(&query, ((struct park_stray *)change)->seq);
    return query_run(&query);
}

static void destroy(struct change *change)
{
    free(change);
}

static void tell_nobody(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id; // refused, it is met and parked again
}

static const struct change_type PARK_STRAY = {
    .apply = apply, .destroy = destroy, .by_reserve = true};

struct change *change_park_stray(int64_t seq)
{
    struct park_stray *park =
        change_create(&PARK_STRAY, sizeof(struct park_stray), "", tell_nobody, NULL);
    park->seq = seq;
    return &park->change;
}
