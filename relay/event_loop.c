#include "relay/event_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH_MAX = 32 };

struct event_loop {
    int epoll_fd;
    struct epoll_event batch[BATCH_MAX]; // being handed out by event_loop_wait()
    int batch_size;
};

struct event_loop *event_loop_create(struct error *err)
{
    struct event_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        error_set(err, ERR_TEMPORARY, "event loop: no memory");
        return NULL;
    }
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        error_errno(err, ERR_IO, "epoll_create1");
        free(loop);
        return NULL;
    }
    return loop;
}

void event_loop_destroy(struct event_loop *loop)
{
    if (!loop)
        return;
    close(loop->epoll_fd);
    free(loop);
}

static bool control(struct event_loop *loop, int operation, struct event_source *source,
                    uint32_t events, struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) < 0)
        return error_errno(err, ERR_IO, "epoll_ctl");
    return true;
}

bool event_loop_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                    struct error *err)
{
    return control(loop, EPOLL_CTL_ADD, source, events, err);
}

bool event_loop_change(struct event_loop *loop, struct event_source *source, uint32_t events,
                       struct error *err)
{
    return control(loop, EPOLL_CTL_MOD, source, events, err);
}

void event_loop_remove(struct event_loop *loop, struct event_source *source)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    // Its owner may free it now, so it must not be found in the rest of this batch.
    for (int i = 0; i < loop->batch_size; i++)
        if (loop->batch[i].data.ptr == source)
            loop->batch[i].data.ptr = NULL;
}

bool event_loop_wait(struct event_loop *loop, int timeout_ms, struct error *err)
{
    int count = epoll_wait(loop->epoll_fd, loop->batch, BATCH_MAX, timeout_ms);
    if (count < 0)
        return errno == EINTR || error_errno(err, ERR_IO, "epoll_wait");
    loop->batch_size = count;
    for (int i = 0; i < count; i++) {
        struct event_source *source = loop->batch[i].data.ptr;
        if (source)
            source->ready(source->context, loop->batch[i].events);
    }
    loop->batch_size = 0;
    return true;
}
