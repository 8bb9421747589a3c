// schema.h - the tables of queue.db, and how an older file becomes a current one.
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "queue/database.h"

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

// Makes or migrates the tables inside one transaction that the caller has begun. *ret_made: the
// file was empty.
bool schema_upgrade(struct database *database, bool *ret_made, struct error *err);

// Succeeds where the file can be used as it is or after schema_upgrade(). ERR_INPUT where it is
// of a newer program (nothing is written), or, with need_current, not made or migrated yet.
bool schema_check(struct database *database, bool need_current, struct error *err);

#endif
