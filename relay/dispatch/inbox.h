// inbox.h - private to the dispatcher: what other threads leave for it (dispatcher_offer() and the
// like, which inbox.c has as well), and what comes of that in its own thread.
#ifndef RELAY_DISPATCH_INBOX_H
#define RELAY_DISPATCH_INBOX_H

#include <stdbool.h>

#include "queue/queue.h"

struct dispatcher;

// What is left wakes the event loop from here on, and is seen to.
bool inbox_open(struct dispatcher *dispatcher, struct error *err);
// Sees to what was left before this; others may leave more meanwhile.
void inbox_empty(struct dispatcher *dispatcher);
// Also where it could not be opened. Nobody may leave anything any more.
void inbox_close(struct dispatcher *dispatcher);

// A queue_done_fn with the job as its context, for every write: backlog_claimed() or
// settlement_written() is called in the dispatcher's own thread.
void inbox_written(void *context, enum queue_result result, const char *id);

#endif
