// message_view.h - a message as operators see it: the names and forms of design §9.
#ifndef RELAY_MESSAGE_VIEW_H
#define RELAY_MESSAGE_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "queue/queue.h"

// An object with exactly the fields of design §9, in their order; times RFC 3339 UTC, null where
// unknown. Never the body. The caller json_decref()s it; NULL: no memory.
json_t *message_view(struct queue_reader *reader, const struct queue_message *message);

// What an operator can do about a message that was set aside before it is released, or, where it
// has no body any more, why nothing can be done; NULL for any other.
const char *message_view_advice(const struct queue_message *message);
// Whether a parked message is so for good: to release it is of no use.
bool message_view_is_lost(const struct queue_message *message);

// {started_at, ended_at, smarthost, address, tls, outcome, reply_code, enhanced_code, reply_text}.
json_t *message_view_attempt(struct queue_reader *reader, const struct queue_attempt_row *attempt);

// {states: {received: N, ...}, lanes: {code: {waiting: N, oldest_waiting_at: T}, ...}}.
json_t *message_view_stats(struct queue_reader *reader, const struct queue_stats *stats);

#endif
