#include "relay/deliverer/connect_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef int connect_function(int fd, const struct sockaddr *address, socklen_t size);
typedef int getaddrinfo_function(const char *name, const char *service,
                                 const struct addrinfo *hints, struct addrinfo **ret_found);

static struct {
    pthread_once_t once;
    connect_function *connect;
    getaddrinfo_function *getaddrinfo;
} libc = {.once = PTHREAD_ONCE_INIT};

// Of the one name that this process looks up, when it was looked up last.
static atomic_int address_count = 1;

static _Thread_local struct {
    struct wire *wire;
    int timeout_ms;
    int stand_in; // + 1; 0: none
} shim;

static void find_libc(void)
{
    // POSIX' way round the ban on casting data to function pointers.
    *(void **)&libc.connect = dlsym(RTLD_NEXT, "connect");
    *(void **)&libc.getaddrinfo = dlsym(RTLD_NEXT, "getaddrinfo");
}

int connect_shim_share(int timeout_ms)
{
    int share_ms = timeout_ms / atomic_load(&address_count);
    return share_ms > 0 ? share_ms : 1;
}

void connect_shim_use(struct wire *wire, int timeout_ms)
{
    shim.wire = wire;
    shim.timeout_ms = timeout_ms;
}

void connect_shim_divert(int stand_in)
{
    shim.stand_in = stand_in + 1;
}

static int connect_on_wire(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!wire_opened(shim.wire, fd, address, size)) {
        errno = ECANCELED;
        return -1;
    }
    int share_ms = connect_shim_share(shim.timeout_ms);
    struct timeval limit = {.tv_sec = share_ms / 1000, .tv_usec = share_ms % 1000 * 1000L};
    // Only connect() heeds it: the library makes the socket non-blocking afterwards.
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    // With a limit it is not taken up again by itself when the process was stopped and goes on, as
    // containers and laptops do. Asked again the kernel waits on, for the same connection.
    int rc;
    do {
        rc = libc.connect(fd, address, size);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int cause = errno == EINPROGRESS || errno == EALREADY ? ETIMEDOUT : errno;
        wire_closed(shim.wire, fd);
        errno = cause;
    }
    return rc;
}

// __CONST_SOCKADDR_ARG is what <sys/socket.h> declares: a transparent union under _GNU_SOURCE.
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    pthread_once(&libc.once, find_libc);
    if (!libc.connect) {
        errno = ENOSYS;
        return -1;
    }
    if (shim.stand_in) {
        int from = shim.stand_in - 1;
        shim.stand_in = 0;
        return dup2(from, fd) < 0 ? -1 : 0;
    }
    if (shim.wire)
        return connect_on_wire(fd, address.__sockaddr__, size);
    return libc.connect(fd, address.__sockaddr__, size);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_found)
{
    pthread_once(&libc.once, find_libc);
    if (!libc.getaddrinfo)
        return EAI_SYSTEM;
    int rc = libc.getaddrinfo(name, service, hints, ret_found);
    int count = 0;
    for (const struct addrinfo *at = rc == 0 ? *ret_found : NULL; at; at = at->ai_next)
        count += at->ai_socktype == SOCK_STREAM;
    if (count > 0)
        atomic_store(&address_count, count);
    return rc;
}
