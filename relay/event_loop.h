// event_loop.h - epoll with callbacks. One thread.
#ifndef RELAY_EVENT_LOOP_H
#define RELAY_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

struct event_loop;

// Owned by whoever adds it, and alive until event_loop_remove().
struct event_source {
    int fd;
    void (*ready)(void *context, uint32_t events); // events: EPOLLIN, EPOLLOUT, ...
    void *context;
};

struct event_loop *event_loop_create(struct error *err);
void event_loop_destroy(struct event_loop *loop); // NULL is a no-op

bool event_loop_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                    struct error *err);
bool event_loop_change(struct event_loop *loop, struct event_source *source, uint32_t events,
                       struct error *err);
// Safe from within any callback: a removed source is not called again, even if it was ready.
void event_loop_remove(struct event_loop *loop, struct event_source *source);

// Waits at most timeout_ms (-1: for ever) and calls what is ready.
bool event_loop_wait(struct event_loop *loop, int timeout_ms, struct error *err);

#endif
