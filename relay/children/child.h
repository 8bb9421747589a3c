// child.h - one child process of the core and its socket: frames out, frames in, its end.
//
// Belongs to the thread of its event loop. Never blocks: what the child does not take at once
// waits in memory.
#ifndef RELAY_CHILDREN_CHILD_H
#define RELAY_CHILDREN_CHILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/event_loop.h"

struct child {
    pid_t pid;
    struct event_loop *loop;
    struct event_source source;
    struct frame_reader reader;
    struct buffer pending;
    bool wants_write;
    // A frame has come; header is its parsed header, both good during the call. The callee must
    // not destroy the child; child_kill() is allowed.
    void (*on_frame)(void *context, const struct json_t *header, const struct frame *frame);
    // The child has ended, or said something that is no frame, and has been killed. Called
    // once, never from within another function of this module; the callee destroys it there.
    void (*on_end)(void *context, const struct error *err);
    void *context;
};

// Starts the program at path, with that heap (process.h). pass: descriptors that become 4, 5, ...
// in the child. NULL on failure. on_frame and on_end are called from event_loop_wait().
struct child *child_start(struct event_loop *loop, const char *path, enum process_heap heap,
                          const int *pass, size_t pass_count,
                          void (*on_frame)(void *, const struct json_t *, const struct frame *),
                          void (*on_end)(void *, const struct error *), void *context,
                          struct error *err);
// Ends the process; on_end comes when its socket says so.
void child_kill(struct child *child);
// Kills the process if it lives, reaps it and releases everything. on_end is not called. NULL is
// a no-op.
void child_destroy(struct child *child);

// Queues a frame: header is dumped, not stolen. A child that has died is told by on_end. False
// only where the frame is over a limit: ERR_INPUT.
bool child_send(struct child *child, const struct json_t *header, const struct frame_blob *blobs,
                size_t blob_count, struct error *err);

#endif
