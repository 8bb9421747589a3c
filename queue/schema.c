#include "queue/schema.h"

#include <stdio.h>

// Version 1. Rules for whoever changes this: never edit a step that was released, append one.
//
// States, lanes and channels are words: whoever opens the file with sqlite3 reads what the
// commands and the log say, and so does the SQL in this folder. It costs some seven bytes a row.
//
// Each page that a commit touches costs some 20 us, so a message is one row with its body, the
// body last, where no look at the rest has to step over it; and seq is made of the id (time and
// counter, uuid_number()), which saves the index that finds a row by its id.
//
//   created   when the payload was received: times are the queue's clock, see queue.h
//   body_form 0: dropped, 1: the raw payload, 2: a canonical mail, 3: the raw payload, of which
//             only the mail array_index is this row's
//   coded     null until composed
//
// Indexes cost every accept 5 to 10 us each, so there are few, and those on `queued` hold no
// message that goes out at once. Filters of the admin's lists scan instead.
//
//   message_payload   accept: is this payload known?
//   message_content   the second look, once composed
//   message_supersede is there a newer one?
//   message_open      everything but sent ones (the many): `received` ones by age, `queued` ones
//                     by age within a lane, counts for the statistics
//   message_due       what falls due next; due rows where they are few among many
//   message_deadline  what expires next
//   message_kept      bodies kept only until nothing could come of them
//
// SQLite uses a partial index only for a query that repeats its condition.
static const char VERSION_1[] =
    "CREATE TABLE message ("
    "  seq INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  reason TEXT,"
    "  lane TEXT,"
    "  created INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL,"
    "  not_before INTEGER NOT NULL DEFAULT 0,"
    "  deadline INTEGER,"
    "  attempts INTEGER NOT NULL DEFAULT 0,"
    "  unknown_outcomes INTEGER NOT NULL DEFAULT 0,"
    "  body_form INTEGER NOT NULL,"
    "  lease_owner TEXT,"
    "  lease_end INTEGER,"
    "  array_index INTEGER NOT NULL DEFAULT 0,"
    "  coded INTEGER,"
    "  route TEXT NOT NULL,"
    "  key_name TEXT,"
    "  channel TEXT,"
    "  template TEXT,"
    "  locale TEXT,"
    "  recipient TEXT,"
    "  identity_id TEXT,"
    "  smarthost TEXT,"
    "  last_reply TEXT,"
    "  payload_hash BLOB NOT NULL,"
    "  content_digest BLOB,"
    "  supersede_digest BLOB,"
    "  supersede_by_browser INTEGER NOT NULL DEFAULT 0,"
    "  body BLOB"
    ");"
    "CREATE TABLE attempt ("
    "  message INTEGER NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  started INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL,"
    "  smarthost TEXT,"
    "  outcome TEXT NOT NULL,"
    "  reply_code INTEGER,"
    "  enhanced_code TEXT,"
    "  reply_text TEXT,"
    "  PRIMARY KEY (message, number)"
    ") WITHOUT ROWID;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE INDEX message_payload ON message(payload_hash);"
    "CREATE INDEX message_content ON message(content_digest) WHERE content_digest IS NOT NULL;"
    "CREATE INDEX message_supersede ON message(supersede_digest)"
    "  WHERE supersede_digest IS NOT NULL;"
    "CREATE INDEX message_open ON message(state, lane, created, not_before)"
    "  WHERE state <> 'sent';"
    "CREATE INDEX message_due ON message(lane, not_before, created) WHERE state = 'queued';"
    "CREATE INDEX message_deadline ON message(deadline) WHERE state = 'queued';"
    "CREATE INDEX message_kept ON message(" SCHEMA_KEPT_UNTIL ")"
    "  WHERE body_form > 0 AND state IN ('failed', 'unknown', 'held', 'parked');"
    "PRAGMA user_version = 1;";

// Step i takes a file from version i to i + 1, and says so in user_version.
static const char *const STEPS[] = {VERSION_1};
enum { VERSION = sizeof(STEPS) / sizeof(STEPS[0]) };

static bool read_version(struct database *database, int64_t *ret_version, struct error *err)
{
    AUTO_QUERY struct query query = query_start(database, "PRAGMA user_version");
    int64_t version = query_step(&query) ? query_get_int(&query) : 0;
    if (query.rc != SQLITE_OK)
        return database_error(database, query.rc, "read", err);
    *ret_version = version;
    return true;
}

bool schema_check(struct database *database, bool need_current, struct error *err)
{
    int64_t version = 0;
    if (!read_version(database, &version, err))
        return false;
    if (version > VERSION)
        return error_set(err, ERR_INPUT,
                         "%s was written by a newer version of this program (schema %lld, this "
                         "one knows %d): left untouched",
                         database->path, (long long)version, VERSION);
    if (need_current && version < VERSION)
        return error_set(err, ERR_INPUT, "%s has not been set up by this version yet (schema %lld)",
                         database->path, (long long)version);
    return true;
}

bool schema_upgrade(struct database *database, bool *ret_made, struct error *err)
{
    int64_t version = 0;
    if (!read_version(database, &version, err))
        return false;
    *ret_made = version == 0;
    for (; version < VERSION; version++) {
        int rc = database_execute(database, STEPS[version]);
        if (rc != SQLITE_OK)
            return database_error(database, rc, "migrate", err);
    }
    return true;
}
