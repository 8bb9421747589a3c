#include "relay/deliverer/read_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

typedef int ssl_read_function(SSL *ssl, void *buffer, int size);
typedef ssize_t recv_function(int fd, void *buffer, size_t size, int flags);

static struct {
    pthread_once_t once;
    ssl_read_function *ssl_read;
    recv_function *recv;
} next = {.once = PTHREAD_ONCE_INIT};

static _Thread_local uint64_t recv_bytes, tls_bytes;
static _Thread_local struct {
    char bytes[READ_SHIM_KEPT];
    size_t size;
} last;

static void find_next(void)
{
    *(void **)&next.ssl_read = dlsym(RTLD_NEXT, "SSL_read"); // see connect_shim.c
    *(void **)&next.recv = dlsym(RTLD_NEXT, "recv");
}

uint64_t read_shim_recv_bytes(void)
{
    return recv_bytes;
}

uint64_t read_shim_tls_bytes(void)
{
    return tls_bytes;
}

const char *read_shim_last(size_t size)
{
    return size > last.size ? NULL : last.bytes + (last.size - size);
}

static void keep(const void *buffer, size_t size)
{
    last.size = size < sizeof(last.bytes) ? size : sizeof(last.bytes);
    memcpy(last.bytes, (const char *)buffer + (size - last.size), last.size);
}

int SSL_read(SSL *ssl, void *buffer, int size)
{
    pthread_once(&next.once, find_next);
    if (!next.ssl_read)
        return -1;
    int count = next.ssl_read(ssl, buffer, size);
    if (count > 0) {
        tls_bytes += (uint64_t)count;
        keep(buffer, (size_t)count);
    }
    return count;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    pthread_once(&next.once, find_next);
    if (!next.recv) {
        errno = ENOSYS;
        return -1;
    }
    ssize_t count = next.recv(fd, buffer, size, flags);
    if (count > 0 && !(flags & MSG_PEEK)) {
        recv_bytes += (uint64_t)count;
        keep(buffer, (size_t)count);
    }
    return count;
}
