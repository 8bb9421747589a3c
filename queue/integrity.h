// integrity.h - whether a file is a sound database whose rows belong together.
#ifndef QUEUE_INTEGRITY_H
#define QUEUE_INTEGRITY_H

#include "queue/database.h"

// Called with what SQLite's integrity_check says, a line at a time; false: no more.
typedef bool integrity_each_fn(void *context, const char *problem);

// Every page, row, index and constraint of SQLite's own; false where that could not be looked at.
// *ret_sound: nothing was found. each may be NULL.
bool integrity_check(struct database *database, integrity_each_fn *each, void *context,
                     bool *ret_sound, struct error *err);
// Attempts whose message is not there: the one thing that rows say of each other.
bool integrity_count_orphans(struct database *database, int64_t *ret_count, struct error *err);

#endif
