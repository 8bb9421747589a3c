// queue_log.h - what the log says of the queue as a whole: that it was made, that its keys or the
// clock are doubtful, that it takes nothing or takes mail again.
#ifndef RELAY_QUEUE_LOG_H
#define RELAY_QUEUE_LOG_H

#include <stdbool.h>

#include "queue/queue.h"

// `queue_created`, where it was by this start. dir: its folder.
void queue_log_made(struct queue *queue, const char *dir);
// What is doubtful of a queue that has been opened. keys_are_given: by RELAY_QUEUE_KEY.
void queue_log_opened(struct queue *queue, bool keys_are_given);

// For struct queue_options; threads of the queue call these. context is not looked at.
void queue_log_blocked(void *context, const struct error *err);
void queue_log_resealed(void *context, const struct queue_resealed *resealed);

#endif
