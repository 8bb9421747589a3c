#include "relay/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/number.h"

enum { PORT_MAX = 65535 };

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint, struct error *err)
{
    const char *host = text, *host_end;
    const char *colon = strrchr(text, ':');
    if (*text == '[') {
        host = text + 1;
        host_end = strchr(host, ']');
        if (!host_end || host_end + 1 != colon)
            return error_set(err, ERR_INPUT, "an IPv6 address is written [::1]:8080");
    } else {
        host_end = colon;
        if (colon && memchr(text, ':', (size_t)(colon - text)))
            return error_set(err, ERR_INPUT, "an IPv6 address needs brackets: [::1]:8080");
    }
    int64_t port;
    if (!colon || !number_parse(colon + 1, strlen(colon + 1), PORT_MAX, &port))
        return error_set(err, ERR_INPUT, "needs host:port, with a port from 0 to %d", PORT_MAX);
    size_t host_size = (size_t)(host_end - host);
    if (host_size >= ENDPOINT_HOST_SIZE || strcspn(host, " \t\r\n/@,") < host_size)
        return error_set(err, ERR_INPUT, "the host is none");
    memset(ret_endpoint, 0, sizeof(*ret_endpoint));
    memcpy(ret_endpoint->host, host, host_size);
    ret_endpoint->port = (uint16_t)port;
    return true;
}

static int listen_on(const struct addrinfo *address, int backlog)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

int endpoint_listen(const struct endpoint *endpoint, int backlog, struct error *err)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)endpoint->port);
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_family = AF_UNSPEC};
    struct addrinfo *addresses = NULL;
    int rc = getaddrinfo(*endpoint->host ? endpoint->host : NULL, port, &hints, &addresses);
    if (rc != 0) {
        error_set(err, ERR_INPUT, "listen on %s: %s", endpoint->host, gai_strerror(rc));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next)
        fd = listen_on(at, backlog);
    if (fd < 0)
        error_errno(err, ERR_IO, "listen on %s:%s", endpoint->host, port);
    freeaddrinfo(addresses);
    return fd;
}

void endpoint_unix_path(int dir_fd, const char *name, char ret_path[ENDPOINT_UNIX_PATH_SIZE])
{
    snprintf(ret_path, ENDPOINT_UNIX_PATH_SIZE, "/proc/self/fd/%d/%s", dir_fd, name);
}

int endpoint_listen_unix(int dir_fd, const char *name, int backlog, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[ENDPOINT_UNIX_PATH_SIZE];
    endpoint_unix_path(dir_fd, name, path);
    memcpy(address.sun_path, path, sizeof(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // The mode goes first: Linux gives the file what the socket has, less the umask.
    if (fd >= 0 && fchmod(fd, 0600) == 0 && (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) &&
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, backlog) == 0)
        return fd;
    error_errno(err, ERR_IO, "listen on %s", name);
    if (fd >= 0)
        close(fd);
    return -1;
}

bool endpoint_bound(int fd, char ret_text[ENDPOINT_TEXT_SIZE], struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return error_errno(err, ERR_IO, "getsockname");
    char host[64], port[8];
    int rc = getnameinfo((const struct sockaddr *)&address, size, host, sizeof(host), port,
                         sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    if (rc != 0)
        return error_set(err, ERR_IO, "the listener's address: %s", gai_strerror(rc));
    snprintf(ret_text, ENDPOINT_TEXT_SIZE, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
             host, port);
    return true;
}
