// migration.h - an older queue.db is brought up to date on a copy first.
//
// Its last step, on the file itself, is schema_upgrade() in one transaction: whatever ends the
// process leaves the old file or the new one.
#ifndef QUEUE_MIGRATION_H
#define QUEUE_MIGRATION_H

#include "queue/schema.h"

// Of a file that is neither empty nor current: looks for room, copies it within its folder, takes
// the steps there, looks at the result as integrity_check does and for attempts without their
// message, and removes the copy. False: queue.db is as it was. ERR_TEMPORARY: no room.
bool migration_rehearse(struct database *database, const char *dir, const struct schema *schema,
                        struct error *err);

#endif
