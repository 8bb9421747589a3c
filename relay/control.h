// control.h - how an operator's command reaches the daemon: control.sock in the queue's folder.
//
// Serves the orders of enum http_act to whoever may open the socket, which is the folder's owner
// alone. Logs `released`, `backed_up`, `backup_failed`, `paused` and `resumed`.
#ifndef RELAY_CONTROL_H
#define RELAY_CONTROL_H

#include "queue/queue.h"
#include "relay/base/error.h"
#include "relay/dispatch/dispatcher.h"

#define CONTROL_SOCKET "control.sock" // in the queue's folder

struct control;

// Listens from now on. The queue (whose folder queue_dir is, and whose lock is held) and the
// dispatcher are borrowed. NULL on failure.
struct control *control_create(const char *queue_dir, struct queue *queue,
                               struct dispatcher *dispatcher, struct error *err);
// Answers what was asked, and removes the socket. The queue must still be running. NULL is a
// no-op.
void control_destroy(struct control *control);

#endif
