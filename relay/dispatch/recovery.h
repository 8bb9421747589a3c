// recovery.h - at start: what an earlier run left under way is judged by its dot marks.
#ifndef RELAY_DISPATCH_RECOVERY_H
#define RELAY_DISPATCH_RECOVERY_H

#include <stdbool.h>

#include "queue/queue.h"
#include "relay/base/dots.h"
#include "relay/base/error.h"

// Before anything is accepted or sent: commits every verdict that a mark holds, counts an unknown
// outcome where a dot was begun without one, gives back the leases of earlier runs, and clears
// the marks (design §6, Unknown outcomes). Those stay of rows that are still `received`, whose
// envelope was only in memory. A verdict: the dispatcher composes the payload once more and commits
// it with that, so that the row says who got what, and is found as a duplicate. A dot under way,
// as DOT_ASSIGNED: of payloads of one content this one goes first, since it may have arrived.
// owner names this run. max_unknown: the unknown outcomes a message may have and still be sent.
// Waits for the commits.
bool recovery_run(struct queue *queue, struct dots *dots, const char *owner, int max_unknown,
                  struct error *err);

#endif
