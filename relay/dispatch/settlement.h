// settlement.h - private to the dispatcher: committing how a message goes on, and telling it.
#ifndef RELAY_DISPATCH_SETTLEMENT_H
#define RELAY_DISPATCH_SETTLEMENT_H

#include <stddef.h>

#include "queue/queue.h"

struct dispatcher;
struct job;

// Commits how it goes on; the job is released when that is done. attempt may be NULL.
void settlement_submit(struct dispatcher *dispatcher, struct job *job,
                       struct queue_settlement *settlement);
// The same for an end, which may ride; settlement holds the attempt that led to it. reason is
// static, or the job's own. Its log line comes when it is committed.
void settlement_finish(struct dispatcher *dispatcher, struct job *job,
                       struct queue_settlement *settlement, enum message_state state,
                       const char *reason);
// An end without SMTP.
void settlement_end(struct dispatcher *dispatcher, struct job *job, enum message_state state,
                    const char *reason);
void settlement_written(struct dispatcher *dispatcher, struct job *job, enum queue_result result);

#endif
