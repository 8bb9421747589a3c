// dispatcher.h - from stored payload to settled message: composes, waits, delivers, retries.
//
// Runs in the thread that calls dispatcher_run(); all its state belongs to that thread. Other
// threads reach it only through the two functions marked so.
#ifndef RELAY_DISPATCHER_H
#define RELAY_DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/base/error.h"

struct config;
struct dispatcher;

// Any thread. Offers a payload whose queue_accept() is about to be submitted, so that it is
// composed while it is committed. Copies the payload. When the hand-over is full the offer is
// ignored, and the message comes from the queue later.
void dispatcher_offer(struct dispatcher *dispatcher, const char *id, const char *route,
                      const void *payload, size_t payload_size, int64_t received_ms);

// Any thread (the queue's writer). The commit of id has ended: QUEUE_DONE lets the message go
// out, anything else drops what was offered.
void dispatcher_committed(struct dispatcher *dispatcher, const char *id,
                          enum queue_result result);

#endif
