// integrity.h - whether a file is a sound database whose rows belong together.
#ifndef QUEUE_INTEGRITY_H
#define QUEUE_INTEGRITY_H

#include "queue/database.h"

// Called with what SQLite's integrity_check says, a line at a time; false: no more.
typedef bool integrity_each_fn(void *context, const char *problem);

// Every page, row and constraint of SQLite's own, and whether indexes agree with their rows, which
// INTEGRITY_QUICK leaves out. False where that could not be looked at. *ret_sound: nothing found.
enum integrity_depth { INTEGRITY_QUICK, INTEGRITY_FULL };
bool integrity_check(struct database *database, enum integrity_depth depth, integrity_each_fn *each,
                     void *context, bool *ret_sound, struct error *err);
// Attempts whose message is not there: the one thing that rows say of each other.
bool integrity_count_orphans(struct database *database, int64_t *ret_count, struct error *err);

#endif
