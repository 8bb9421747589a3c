// schema.h - the tables of queue.db, and how an older file becomes a current one.
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "queue/database.h"

// Step i takes a file from user_version i to i + 1. Steps run inside a transaction, so none may be
// of what SQLite does only outside (VACUUM, PRAGMA journal_mode).
struct schema_step {
    const char *name; // of its file in queue/schema: "0001_first"
    const char *sql;
};
struct schema {
    const struct schema_step *steps;
    int count;
};
extern const struct schema SCHEMA; // this program's

// SQL: until when a kept body could still help, in ms. A failed or unknown message is dead at its
// deadline. One that was set aside waits for a person, and the deadline of what could not even be
// composed is only a default: it has 7 days at least. Here because SQLite uses an index on an
// expression only for a query that repeats it.
#define SCHEMA_KEPT_UNTIL                                                                          \
    "CASE WHEN state IN ('held', 'parked')"                                                        \
    " THEN max(coalesce(deadline, 0), created + 604800000)"                                        \
    " ELSE coalesce(deadline, created + 604800000) END"

// SQL: until when a payload that comes again is known by its row, in ms. As in queue_accept().
#define SCHEMA_KNOWN_UNTIL "created + CASE WHEN coded IS NOT 0 THEN 86400000 ELSE 600000 END"

// SQL: whether the row `other` is the same mail as one of that content, made of the payload of that
// hash and received at that time (docs/architecture.md). Mails of one payload are not each other's
// duplicates. One that is parked has not gone, so it is nobody's first; what was released has no
// content until it is composed anew. Windows as in queue_accept().
#define SCHEMA_IS_SAME_MAIL(content, payload_hash, created)                                        \
    "other.content_digest = " content " AND other.payload_hash IS NOT " payload_hash               \
    " AND other.state <> 'parked'"                                                                 \
    " AND NOT (other.state = 'superseded' AND other.reason = 'duplicate')"                         \
    " AND abs(other.created - " created                                                            \
    ") < CASE WHEN other.coded IS NOT 0 THEN 86400000 ELSE 600000 END"

// Which of its steps a file has behind it. ERR_INPUT: more than there are; it is a newer program's,
// and nothing was written.
enum schema_age { SCHEMA_EMPTY, SCHEMA_OLDER, SCHEMA_CURRENT };
bool schema_age(struct database *database, const struct schema *schema, enum schema_age *ret_age,
                struct error *err);

// ERR_INPUT where the file is not current by SCHEMA.
bool schema_check(struct database *database, struct error *err);

// Takes the steps that are left inside one transaction, which the caller has begun and rolls back
// after a failure; that names the step. *ret_made: the file was empty. See migration.h for what
// goes before it.
bool schema_upgrade(struct database *database, const struct schema *schema, bool *ret_made,
                    struct error *err);

#endif
