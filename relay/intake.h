// intake.h - from an HTTP payload to the queue, and back to the answer.
//
// Looks at a payload's first and last byte and no further: what a stranger wrote is the
// composer's to read. Hands it to the dispatcher and the queue at the same time, and answers
// when the commit has ended.
#ifndef RELAY_INTAKE_H
#define RELAY_INTAKE_H

#include <stdatomic.h>

#include "relay/http/server.h"

struct dispatcher;
struct queue;

// Zeroed it is closed: every payload is answered 503.
struct intake {
    struct queue *queue;
    struct dispatcher *dispatcher;
    atomic_bool is_open;
};

// Any thread, once. Both are borrowed; they must outlive the HTTP server that calls intake.
void intake_open(struct intake *intake, struct queue *queue, struct dispatcher *dispatcher);

// The server's handlers; intake must stay where it is as long as the server lives.
struct http_handlers intake_handlers(struct intake *intake);

#endif
