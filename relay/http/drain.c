#include "relay/http/drain.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DRAIN_MS = 1000,
    DRAIN_BYTES = 4 * 1024 * 1024, // what is worth a 413 to its sender
    READ_BYTES = 16 * 1024,
};

bool http_drain_add(struct http_drain *drain, int fd, int64_t now_ms)
{
    if (drain->count == HTTP_DRAIN_SOCKETS)
        return false;
    drain->sockets[drain->count].fd = fd;
    drain->sockets[drain->count].until_ms = now_ms + DRAIN_MS;
    drain->sockets[drain->count].left_bytes = DRAIN_BYTES;
    drain->count++;
    return true;
}

size_t http_drain_wants(const struct http_drain *drain, struct pollfd wants[HTTP_DRAIN_SOCKETS],
                        int64_t *ret_until_ms)
{
    *ret_until_ms = INT64_MAX;
    for (size_t i = 0; i < drain->count; i++) {
        wants[i] = (struct pollfd){.fd = drain->sockets[i].fd, .events = POLLIN};
        if (drain->sockets[i].until_ms < *ret_until_ms)
            *ret_until_ms = drain->sockets[i].until_ms;
    }
    return drain->count;
}

// False once there is nothing to wait for.
static bool read_away(int fd, size_t *left_bytes)
{
    char dropped[READ_BYTES];
    for (;;) {
        ssize_t count = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);
        if (count < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        if (count == 0 || (size_t)count >= *left_bytes)
            return false;
        *left_bytes -= (size_t)count;
    }
}

void http_drain_step(struct http_drain *drain, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < drain->count; i++) {
        if (!read_away(drain->sockets[i].fd, &drain->sockets[i].left_bytes) ||
            now_ms >= drain->sockets[i].until_ms)
            close(drain->sockets[i].fd);
        else
            drain->sockets[kept++] = drain->sockets[i];
    }
    drain->count = kept;
}

void http_drain_finish(struct http_drain *drain)
{
    for (size_t i = 0; i < drain->count; i++)
        close(drain->sockets[i].fd);
    drain->count = 0;
}
