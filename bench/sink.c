#include "bench/sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

enum { CONNECTIONS_MAX = 256, READ_BYTES = 64 * 1024, PENDING_BYTES_MAX = 1024 * 1024 };

struct session {
    int fd; // -1: free
    bool in_data;
    size_t number; // of the recipient given last
    struct buffer input, output;
};

struct sink {
    int listener, stop_fd;
    struct ledger *ledger;
    pthread_t thread;
    struct session sessions[CONNECTIONS_MAX];
};

static void session_end(struct session *session)
{
    close(session->fd);
    session->fd = -1;
    buffer_finish(&session->input);
    buffer_finish(&session->output);
}

static bool starts(const char *line, const char *verb)
{
    return strncasecmp(line, verb, strlen(verb)) == 0;
}

// One line without its CRLF, NUL-terminated.
static void take_line(struct sink *sink, struct session *session, const char *line)
{
    struct buffer *out = &session->output;
    if (session->in_data) {
        if (strcmp(line, ".") == 0) {
            session->in_data = false;
            ledger_arrived(sink->ledger, session->number);
            buffer_puts(out, "250 2.0.0 Ok: queued\r\n");
        }
    } else if (starts(line, "EHLO")) {
        buffer_puts(out, "250-sink.bench\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
    } else if (starts(line, "RCPT TO:<b")) {
        session->number = strtoull(line + strlen("RCPT TO:<b"), NULL, 10);
        buffer_puts(out, "250 2.1.5 Ok\r\n");
    } else if (starts(line, "DATA")) {
        session->in_data = true;
        buffer_puts(out, "354 go on\r\n");
    } else if (starts(line, "QUIT")) {
        buffer_puts(out, "221 2.0.0 bye\r\n");
    } else {
        buffer_puts(out, "250 2.0.0 Ok\r\n");
    }
}

static void take_lines(struct sink *sink, struct session *session)
{
    char *at = session->input.data;
    size_t left = session->input.size;
    for (char *end; left > 0 && (end = memchr(at, '\n', left)) != NULL;) {
        char *stop = end > at && end[-1] == '\r' ? end - 1 : end;
        *stop = '\0';
        take_line(sink, session, at);
        left -= (size_t)(end + 1 - at);
        at = end + 1;
    }
    buffer_consume(&session->input, session->input.size - left);
}

// False: the connection has ended.
static bool serve(struct sink *sink, struct session *session)
{
    char bytes[READ_BYTES];
    ssize_t size = recv(session->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size <= 0)
        return false;
    buffer_append(&session->input, bytes, (size_t)size);
    if (session->input.failed)
        return false;
    take_lines(sink, session);
    struct buffer *out = &session->output;
    // Replies are a few hundred bytes to a peer that waits for them: a blocking send is right.
    bool sent = out->size == 0 ||
                send(session->fd, out->data, out->size, MSG_NOSIGNAL) == (ssize_t)out->size;
    buffer_consume(out, out->size);
    return sent;
}

static void take_connection(struct sink *sink)
{
    int fd = accept4(sink->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct session *session = &sink->sessions[i];
        if (session->fd >= 0)
            continue;
        session->fd = fd;
        session->in_data = false;
        buffer_init(&session->input, PENDING_BYTES_MAX);
        buffer_init(&session->output, PENDING_BYTES_MAX);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        static const char greeting[] = "220 sink.bench ESMTP\r\n";
        if (send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
            session_end(session);
        return;
    }
    close(fd);
}

static void *run(void *context)
{
    struct sink *sink = context;
    for (;;) {
        struct pollfd fds[2 + CONNECTIONS_MAX];
        fds[0] = (struct pollfd){.fd = sink->stop_fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = sink->listener, .events = POLLIN};
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            fds[2 + i] = (struct pollfd){.fd = sink->sessions[i].fd, .events = POLLIN};
        if (poll(fds, 2 + CONNECTIONS_MAX, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (fds[2 + i].revents && !serve(sink, &sink->sessions[i]))
                session_end(&sink->sessions[i]);
        if (fds[1].revents)
            take_connection(sink);
    }
}

struct sink *sink_start(uint16_t port, struct ledger *ledger, struct error *err)
{
    AUTO_CLOSE int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    AUTO_CLOSE int stop_fd = eventfd(0, EFD_CLOEXEC);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || stop_fd < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, SOMAXCONN) < 0) {
        error_errno(err, ERR_IO, "listen on port %d", (int)port);
        return NULL;
    }
    struct sink *sink = calloc(1, sizeof(*sink));
    if (!sink) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    sink->ledger = ledger;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        sink->sessions[i].fd = -1;
    sink->listener = listener;
    sink->stop_fd = stop_fd;
    int rc = pthread_create(&sink->thread, NULL, run, sink);
    if (rc != 0) {
        free(sink);
        error_set(err, ERR_TEMPORARY, "no thread: %s", strerror(rc));
        return NULL;
    }
    listener = stop_fd = -1; // the sink's from here on
    return sink;
}

void sink_stop(struct sink *sink)
{
    if (!sink)
        return;
    eventfd_write(sink->stop_fd, 1);
    pthread_join(sink->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (sink->sessions[i].fd >= 0)
            session_end(&sink->sessions[i]);
    close(sink->listener);
    close(sink->stop_fd);
    free(sink);
}
