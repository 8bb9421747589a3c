// schema.h - the tables of queue.db, and how an older file becomes a current one.
#ifndef QUEUE_SCHEMA_H
#define QUEUE_SCHEMA_H

#include "queue/database.h"

// Makes or migrates the tables inside one transaction that the caller has begun. *ret_made: the
// file was empty.
bool schema_upgrade(struct database *database, bool *ret_made, struct error *err);

// Succeeds where the file can be used as it is or after schema_upgrade(). ERR_INPUT where it is
// of a newer program (nothing is written), or, with need_current, not made or migrated yet.
bool schema_check(struct database *database, bool need_current, struct error *err);

#endif
