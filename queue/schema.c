#include "queue/schema.h"

#include <stdio.h>

static bool read_version(struct database *database, int64_t *ret_version, struct error *err)
{
    AUTO_QUERY struct query query = query_start(database, "PRAGMA user_version");
    int64_t version = query_step(&query) ? query_get_int(&query) : 0;
    if (query.rc != SQLITE_OK)
        return database_error(database, query.rc, "read", err);
    *ret_version = version;
    return true;
}

bool schema_age(struct database *database, const struct schema *schema, enum schema_age *ret_age,
                struct error *err)
{
    int64_t version = 0;
    if (!read_version(database, &version, err))
        return false;
    if (version > schema->count)
        return error_set(err, ERR_INPUT,
                         "%s was written by a newer version of this program (schema %lld, this "
                         "one knows %d): left untouched",
                         database->path, (long long)version, schema->count);
    *ret_age = version == 0               ? SCHEMA_EMPTY
               : version == schema->count ? SCHEMA_CURRENT
                                          : SCHEMA_OLDER;
    return true;
}

bool schema_check(struct database *database, struct error *err)
{
    enum schema_age age = SCHEMA_EMPTY;
    if (!schema_age(database, &SCHEMA, &age, err))
        return false;
    return age == SCHEMA_CURRENT ||
           error_set(err, ERR_INPUT, "%s has not been set up by this version yet: start the relay",
                     database->path);
}

static int take_step(struct database *database, const struct schema *schema, int64_t step)
{
    char sql[48];
    int rc = database_execute(database, schema->steps[step].sql);
    if (rc != SQLITE_OK)
        return rc;
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)step + 1);
    return database_execute(database, sql);
}

bool schema_upgrade(struct database *database, const struct schema *schema, bool *ret_made,
                    struct error *err)
{
    int64_t version = 0;
    if (!read_version(database, &version, err))
        return false;
    *ret_made = version == 0;
    for (; version < schema->count; version++) {
        int rc = take_step(database, schema, version);
        if (rc == SQLITE_OK)
            continue;
        database_error(database, rc, "migrate", err);
        return error_prefix(err, "step %s", schema->steps[version].name);
    }
    return true;
}
