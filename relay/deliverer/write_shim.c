#include "relay/deliverer/write_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

typedef ssize_t write_function(int fd, const void *data, size_t size);
typedef int poll_function(struct pollfd *fds, nfds_t count, int timeout_ms);

static struct {
    pthread_once_t once;
    write_function *write;
    poll_function *poll;
} libc = {.once = PTHREAD_ONCE_INIT};

static _Thread_local struct write_shim *current;

static void find_libc(void)
{
    *(void **)&libc.write = dlsym(RTLD_NEXT, "write"); // see connect_shim.c
    *(void **)&libc.poll = dlsym(RTLD_NEXT, "poll");
}

void write_shim_begin(struct write_shim *shim, struct wire *wire)
{
    const struct timeval none = {0}; // connect_shim.c has set one
    int fd = wire_library_fd(wire);
    int flags = fcntl(fd, F_GETFL);
    current = NULL;
    if (flags < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)) < 0 ||
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return; // it does without
    shim->wire = wire;
    shim->fd = fd;
    shim->size = 0;
    current = shim;
}

void write_shim_end(void)
{
    if (current)
        explicit_bzero(current->bytes, current->size);
    current = NULL;
}

// Writes what was kept, and data behind it. After a failure nothing can follow: the message would
// have a hole, and the library does not look at what becomes of its writes.
static bool write_all(struct write_shim *shim, const void *data, size_t size)
{
    struct iovec parts[2] = {{shim->bytes, shim->size}, {NULL, size}};
    memcpy(&parts[1].iov_base, &data, sizeof(data)); // const is lost by writev's own type
    size_t left = shim->size + size;
    while (left > 0) {
        ssize_t written = writev(shim->fd, parts, 2);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break;
        left -= (size_t)written;
        for (size_t i = 0; i < 2; i++) {
            size_t of_this =
                (size_t)written < parts[i].iov_len ? (size_t)written : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + of_this;
            parts[i].iov_len -= of_this;
            written -= (ssize_t)of_this;
        }
    }
    int cause = errno;
    explicit_bzero(shim->bytes, shim->size);
    shim->size = 0;
    if (left > 0)
        (void)shutdown(shim->fd, SHUT_WR); // a failure means that the peer was quicker
    errno = cause;
    return left == 0;
}

ssize_t write(int fd, const void *data, size_t size)
{
    struct write_shim *shim = current;
    if (!shim || fd != shim->fd) {
        pthread_once(&libc.once, find_libc);
        if (libc.write)
            return libc.write(fd, data, size);
        errno = ENOSYS;
        return -1;
    }
    if (size <= sizeof(shim->bytes) - shim->size && !wire_dot_begun(shim->wire)) {
        memcpy(shim->bytes + shim->size, data, size);
        shim->size += size;
        return (ssize_t)size;
    }
    return write_all(shim, data, size) ? (ssize_t)size : -1;
}

// What the library asks: may it write, has an answer come already (timeout_ms 0), and
// has one come at last?
static int answer(struct write_shim *shim, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    bool wants_write = false;
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = fds[i].events & POLLOUT;
        wants_write = wants_write || fds[i].revents;
    }
    if (wants_write)
        return 1;
    if (timeout_ms == 0)
        return 0;                   // to what it has not sent yet
    (void)write_all(shim, NULL, 0); // where it fails, reading tells
    fds[0].revents = fds[0].events & POLLIN;
    return 1;
}

// Under its own name <poll.h> says that it only writes to fds, which is not so.
int shim_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");

int shim_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct write_shim *shim = current;
    if (shim && count > 0 && fds[0].fd == shim->fd)
        return answer(shim, fds, count, timeout_ms);
    pthread_once(&libc.once, find_libc);
    if (libc.poll)
        return libc.poll(fds, count, timeout_ms);
    errno = ENOSYS;
    return -1;
}
