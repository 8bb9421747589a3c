// drain.h - closes sockets of refused clients so that they get their answer.
//
// A socket that is closed with unread data in it is reset, and a reset may overtake the answer
// of which the client has read nothing yet: it is still sending. So what it sends is read and
// thrown away for a while, without memory for it (RFC 9112 §9.6). Not thread-safe.
#ifndef RELAY_HTTP_DRAIN_H
#define RELAY_HTTP_DRAIN_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_DRAIN_SOCKETS = 64 };

struct http_drain {
    struct {
        int fd;
        int64_t until_ms;
        size_t left_bytes;
    } sockets[HTTP_DRAIN_SOCKETS];
    size_t count;
};

// Takes over a non-blocking stream socket whose writing side is shut down. False where too many
// are drained already: it stays the caller's.
bool http_drain_add(struct http_drain *drain, int fd, int64_t now_ms);

// Fills in what to poll for, count entries; and until when (INT64_MAX: nothing is drained).
size_t http_drain_wants(const struct http_drain *drain, struct pollfd wants[HTTP_DRAIN_SOCKETS],
                        int64_t *ret_until_ms);

// Reads what has come; closes those whose client has closed, sent too much or taken too long.
void http_drain_step(struct http_drain *drain, int64_t now_ms);

// Closes all.
void http_drain_finish(struct http_drain *drain);

#endif
