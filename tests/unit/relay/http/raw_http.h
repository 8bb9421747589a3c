// raw_http.h - an HTTP client for tests that says exactly what it is told to, well-formed or not.
//
// To be included behind cmocka.h. Gives up on a silent server after WAIT_S.
#ifndef TESTS_UNIT_RELAY_RAW_HTTP_H
#define TESTS_UNIT_RELAY_RAW_HTTP_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/http/server.h"

enum { WAIT_S = 20 };

// A socket that was told to connect there; *ret_status is what connect() said.
static inline int try_to_dial(const struct http_server *server, int *ret_status)
{
    const char *address = http_server_address(server);
    unsigned long port = strtoul(strchr(address, ':') + 1, NULL, 10);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    *ret_status = connect(fd, (struct sockaddr *)&to, sizeof(to));
    return fd;
}

static inline int dial(const struct http_server *server)
{
    int status, fd = try_to_dial(server, &status);
    const struct timeval limit = {.tv_sec = WAIT_S};
    assert_int_equal(status, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    size_t size = strlen(text);
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
}

struct reply {
    int status;
    char head[2048];
    char body[2048];
    bool closed; // the server has closed instead of answering
};

// The value of a header, or NULL; good until the thread's next call.
static inline const char *header(const struct reply *reply, const char *name)
{
    static _Thread_local char value[256];
    size_t size = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) != 0 || line[2 + size] != ':')
            continue;
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + 4 + size, "\r"),
                 line + 4 + size);
        return value;
    }
    return NULL;
}

static inline struct reply hear(int fd)
{
    struct reply reply = {0};
    size_t size = 0;
    while (!strstr(reply.head, "\r\n\r\n")) {
        ssize_t count = size + 1 < sizeof(reply.head) ? recv(fd, reply.head + size, 1, 0) : -1;
        if (count <= 0) {
            reply.closed = true;
            return reply;
        }
        size++;
    }
    sscanf(reply.head, "HTTP/1.1 %d", &reply.status);
    const char *length = header(&reply, "Content-Length");
    size_t body_size = length ? strtoul(length, NULL, 10) : 0;
    assert_true(body_size < sizeof(reply.body));
    if (body_size > 0) // a recv() of nothing would wait for something
        assert_int_equal(recv(fd, reply.body, body_size, MSG_WAITALL), body_size);
    return reply;
}

static inline bool is_closed(int fd)
{
    // libmicrohttpd 0.9.75 writes the head of its own refusals twice: what is left is dropped.
    char rest[1024];
    ssize_t count;
    while ((count = recv(fd, rest, sizeof(rest), 0)) > 0)
        continue;
    return count == 0 || errno == ECONNRESET;
}

#endif
