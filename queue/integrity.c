#include "queue/integrity.h"

#include <string.h>

bool integrity_check(struct database *database, enum integrity_depth depth, integrity_each_fn *each,
                     void *context, bool *ret_sound, struct error *err)
{
    static const char FULL[] = "PRAGMA integrity_check", QUICK[] = "PRAGMA quick_check";
    *ret_sound = true;
    AUTO_QUERY struct query query = query_start(database, depth == INTEGRITY_FULL ? FULL : QUICK);
    while (query_step(&query)) {
        const char *problem = query_get_text(&query);
        if (strcmp(problem, "ok") == 0)
            continue;
        *ret_sound = false;
        if (!each(context, problem))
            break;
    }
    return query.rc == SQLITE_OK || database_error(database, query.rc, "check", err);
}

bool integrity_count_orphans(struct database *database, int64_t *ret_count, struct error *err)
{
    static const char SQL[] =
        "SELECT count(*) FROM attempt"
        " WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.seq = attempt.message)";
    AUTO_QUERY struct query query = query_start(database, SQL);
    if (query_step(&query))
        *ret_count = query_get_int(&query);
    return query.rc == SQLITE_OK || database_error(database, query.rc, "check", err);
}
