#include "relay/deliverer/tls_shim.h"

#include <dlfcn.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stddef.h>

typedef int read_function(SSL *ssl, void *buffer, int size);

static struct {
    pthread_once_t once;
    read_function *read;
} openssl = {.once = PTHREAD_ONCE_INIT};

static _Thread_local uint64_t read_bytes;

static void find_openssl(void)
{
    *(void **)&openssl.read = dlsym(RTLD_NEXT, "SSL_read"); // see connect_shim.c
}

uint64_t tls_shim_read_bytes(void)
{
    return read_bytes;
}

int SSL_read(SSL *ssl, void *buffer, int size)
{
    pthread_once(&openssl.once, find_openssl);
    if (!openssl.read)
        return -1;
    int count = openssl.read(ssl, buffer, size);
    if (count > 0)
        read_bytes += (uint64_t)count;
    return count;
}
