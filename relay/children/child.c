#include "relay/children/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/process.h"

// More than a child can be owed: connections times the largest mail would be 64 MiB.
#define PENDING_MAX_BYTES ((size_t)64 * 1024 * 1024)

static void watch(struct child *child, bool wants_write)
{
    if (wants_write == child->wants_write)
        return;
    child->wants_write = wants_write;
    // Cannot fail for a descriptor that is there; if it did, the child's watchdog ends it.
    event_loop_change(child->loop, &child->source, wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
                      NULL);
}

// A child whose socket fails is of no more use than one that died, and is made to die, lest it
// wait for ever for what was lost: reading finds out.
static void flush(struct child *child)
{
    if (!frame_flush(&child->pending, child->source.fd, NULL)) {
        buffer_clear(&child->pending);
        kill(child->pid, SIGKILL);
    }
    watch(child, child->pending.size > 0);
}

static void end(struct child *child, const struct error *err)
{
    kill(child->pid, SIGKILL);
    child->on_end(child->context, err);
}

static void on_ready(void *context, uint32_t events)
{
    struct child *child = context;
    if (events & EPOLLOUT)
        flush(child);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    struct frame frame;
    struct error err = {0};
    for (;;) {
        switch (frame_read(&child->reader, child->source.fd, &frame, &err)) {
        case FRAME_AGAIN:
            return;
        case FRAME_END:
            error_set(&err, ERR_TEMPORARY, "it ended");
            end(child, &err);
            return;
        case FRAME_ERROR:
            end(child, &err);
            return;
        case FRAME_READY:
            break;
        }
        json_auto_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
        if (!json_is_object(header)) {
            error_set(&err, ERR_CORRUPT, "its frame has no JSON header");
            end(child, &err);
            return;
        }
        child->on_frame(child->context, header, &frame);
    }
}

struct child *child_start(struct event_loop *loop, const char *path, enum process_heap heap,
                          const int *pass, size_t pass_count,
                          void (*on_frame)(void *, const struct json_t *, const struct frame *),
                          void (*on_end)(void *, const struct error *), void *context,
                          struct error *err)
{
    struct child *child = calloc(1, sizeof(*child));
    if (!child) {
        error_set(err, ERR_TEMPORARY, "start %s: no memory", path);
        return NULL;
    }
    *child =
        (struct child){.loop = loop, .on_frame = on_frame, .on_end = on_end, .context = context};
    if (!process_spawn(path, heap, NULL, pass, pass_count, &child->pid, &child->source.fd, err)) {
        free(child);
        return NULL;
    }
    child->source.ready = on_ready;
    child->source.context = child;
    frame_reader_init(&child->reader);
    buffer_init(&child->pending, PENDING_MAX_BYTES);
    if (!event_loop_add(loop, &child->source, EPOLLIN, err)) {
        child_destroy(child);
        return NULL;
    }
    return child;
}

void child_kill(struct child *child)
{
    kill(child->pid, SIGKILL);
}

void child_destroy(struct child *child)
{
    if (!child)
        return;
    // Reaped here and nowhere else, so that the number is ours until now and cannot name a
    // stranger. A killed child is a zombie within microseconds.
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    event_loop_remove(child->loop, &child->source);
    close(child->source.fd);
    frame_reader_finish(&child->reader);
    buffer_finish(&child->pending);
    free(child);
}

bool child_send(struct child *child, const struct json_t *header, const struct frame_blob *blobs,
                size_t blob_count, struct error *err)
{
    AUTO_FREE char *text = json_dumps(header, JSON_COMPACT);
    if (!text)
        return error_set(err, ERR_INPUT, "the frame's header is no UTF-8");
    struct frame frame = {.header = text, .header_size = strlen(text), .blob_count = blob_count};
    if (blob_count > 0)
        memcpy(frame.blobs, blobs, blob_count * sizeof(*blobs));
    if (!frame_encode(&child->pending, &frame, err)) {
        child->pending.failed = false; // what waits there is whole frames still
        return false;
    }
    flush(child);
    return true;
}
