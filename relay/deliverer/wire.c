#include "relay/deliverer/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h> // netinet/tcp.h does not know bytes_received
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "relay/base/clock.h"

enum { CLOSE_WAIT = 8 }; // TCP_CLOSE_WAIT of netinet/tcp.h
enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 10, KEEPALIVE_PROBES = 3 };

void wire_init(struct wire *wire, struct dots *dots, int timeout_ms)
{
    *wire = (struct wire){.dots = dots, .timeout_ms = timeout_ms};
    pthread_mutex_init(&wire->lock, NULL);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++)
        wire->sockets[i].own_fd = -1;
}

void wire_finish(struct wire *wire)
{
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        if (wire->sockets[i].own_fd >= 0)
            close(wire->sockets[i].own_fd);
    }
    pthread_mutex_destroy(&wire->lock);
}

void wire_begin(struct wire *wire, const struct job *job)
{
    pthread_mutex_lock(&wire->lock);
    wire->job = job;
    wire->stop = STOP_NONE;
    wire->mail_taken = wire->dot_begun = false;
    pthread_mutex_unlock(&wire->lock);
}

void wire_end(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    wire->job = NULL;
    pthread_mutex_unlock(&wire->lock);
}

// With wire->lock. A failure means that the peer was quicker.
static void shut_down(struct wire *wire, int how)
{
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        if (wire->sockets[i].own_fd >= 0)
            (void)shutdown(wire->sockets[i].own_fd, how);
    }
}

static void stop_locked(struct wire *wire, enum stop why)
{
    if (wire->stop == STOP_NONE)
        wire->stop = why;
    shut_down(wire, SHUT_RDWR);
}

void wire_stop(struct wire *wire, enum stop why)
{
    pthread_mutex_lock(&wire->lock);
    if (wire->job)
        stop_locked(wire, why);
    pthread_mutex_unlock(&wire->lock);
}

enum stop wire_stopped(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    enum stop stop = wire->stop;
    pthread_mutex_unlock(&wire->lock);
    return stop;
}

bool wire_dot_begun(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool begun = wire->dot_begun;
    pthread_mutex_unlock(&wire->lock);
    return begun;
}

void wire_take_mail(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    wire->mail_taken = true;
    pthread_mutex_unlock(&wire->lock);
}

bool wire_mail_taken(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool taken = wire->mail_taken;
    pthread_mutex_unlock(&wire->lock);
    return taken;
}

static void note_address(struct wire *wire, const struct sockaddr *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
        snprintf(wire->address, sizeof(wire->address), "%s:%d", host, ntohs(in.sin_port));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof(host));
        snprintf(wire->address, sizeof(wire->address), "[%s]:%d", host, ntohs(in.sin6_port));
    }
}

// None of these is worth failing for: without them a dead peer is found later.
static void set_options(int fd, int timeout_ms)
{
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1}, // see libesmtp in smtp_esmtp.c; libcurl sets it as well
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

bool wire_opened(struct wire *wire, int fd, const struct sockaddr *address, socklen_t size)
{
    pthread_mutex_lock(&wire->lock);
    bool taken = false;
    if (wire->stop == STOP_NONE) {
        for (size_t i = 0; i < WIRE_SOCKETS_MAX && !taken; i++) {
            if (wire->sockets[i].own_fd >= 0)
                continue;
            wire->sockets[i].library_fd = fd;
            wire->sockets[i].own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            taken = wire->sockets[i].own_fd >= 0;
            break;
        }
    }
    if (taken) {
        set_options(fd, wire->timeout_ms);
        if (size >= (socklen_t)sizeof(sa_family_t))
            note_address(wire, address);
    }
    pthread_mutex_unlock(&wire->lock);
    return taken;
}

void wire_closed(struct wire *wire, int fd)
{
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        if (wire->sockets[i].own_fd >= 0 && (fd < 0 || wire->sockets[i].library_fd == fd)) {
            close(wire->sockets[i].own_fd);
            wire->sockets[i].own_fd = -1;
        }
    }
    pthread_mutex_unlock(&wire->lock);
}

bool wire_is_open(struct wire *wire)
{
    bool open = false;
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++)
        open = open || wire->sockets[i].own_fd >= 0;
    pthread_mutex_unlock(&wire->lock);
    return open;
}

int wire_library_fd(struct wire *wire)
{
    int fd = -1;
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        if (wire->sockets[i].own_fd >= 0)
            fd = wire->sockets[i].library_fd;
    }
    pthread_mutex_unlock(&wire->lock);
    return fd;
}

bool wire_is_connected(struct wire *wire)
{
    bool connected = false;
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        connected = connected ||
                    (wire->sockets[i].own_fd >= 0 &&
                     getpeername(wire->sockets[i].own_fd, (struct sockaddr *)&peer, &size) == 0);
    }
    pthread_mutex_unlock(&wire->lock);
    return connected;
}

// With wire->lock. A writer cannot tell a dead peer from a slow one, poll() can.
static bool is_quiet(const struct wire *wire)
{
    short bad = POLLERR | POLLHUP | POLLRDHUP;
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        struct pollfd poll_fd = {.fd = wire->sockets[i].own_fd, .events = POLLIN | POLLRDHUP};
        if (poll_fd.fd < 0 || poll(&poll_fd, 1, 0) <= 0)
            continue;
        if (poll_fd.revents & (bad | POLLIN))
            return false;
    }
    return true;
}

bool wire_is_quiet(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool quiet = is_quiet(wire);
    pthread_mutex_unlock(&wire->lock);
    return quiet;
}

static bool read_tcp_info(int fd, struct tcp_info *ret_info)
{
    socklen_t size = sizeof(*ret_info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &size) == 0 &&
           size >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);
}

// How many bytes have come. The peer's end counts as one (tcp_input.c, tcp_queue_rcv). The kernel
// looks at the state before it locks the socket, and at the bytes behind that (tcp.c,
// tcp_get_info), so the two belong together only where the state is still the same afterwards.
static bool count_received(int fd, uint64_t *ret_received)
{
    struct tcp_info info = {0}, later = {0};
    if (!read_tcp_info(fd, &later))
        return false;
    do {
        info = later;
        if (!read_tcp_info(fd, &later))
            return false;
    } while (later.tcpi_state != info.tcpi_state);
    *ret_received = info.tcpi_bytes_received;
    *ret_received -= info.tcpi_state == CLOSE_WAIT && *ret_received > 0;
    return true;
}

bool wire_is_in_step(struct wire *wire, uint64_t heard_bytes)
{
    uint64_t received = 0;
    bool known = true;
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX; i++) {
        uint64_t bytes = 0;
        if (wire->sockets[i].own_fd < 0)
            continue;
        known = known && count_received(wire->sockets[i].own_fd, &bytes);
        received += bytes;
    }
    pthread_mutex_unlock(&wire->lock);
    return !known || received == heard_bytes;
}

// With wire->lock: whether the kernel holds bytes of any of the sockets. request: SIOCINQ,
// SIOCOUTQ.
static bool holds_bytes(const struct wire *wire, unsigned long request)
{
    bool holds = false;
    for (size_t i = 0; i < WIRE_SOCKETS_MAX && !holds; i++) {
        int count = 0;
        holds = wire->sockets[i].own_fd >= 0 &&
                ioctl(wire->sockets[i].own_fd, request, &count) == 0 && count > 0;
    }
    return holds;
}

bool wire_has_unread(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool unread = holds_bytes(wire, SIOCINQ);
    pthread_mutex_unlock(&wire->lock);
    return unread;
}

size_t wire_peek(struct wire *wire, char *to, size_t size)
{
    ssize_t count = 0;
    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < WIRE_SOCKETS_MAX && count <= 0; i++)
        if (wire->sockets[i].own_fd >= 0)
            count = recv(wire->sockets[i].own_fd, to, size, MSG_PEEK | MSG_DONTWAIT);
    pthread_mutex_unlock(&wire->lock);
    return count > 0 ? (size_t)count : 0;
}

bool wire_is_acknowledged(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    bool acknowledged = wire->stop != STOP_NONE || !holds_bytes(wire, SIOCOUTQ);
    pthread_mutex_unlock(&wire->lock);
    return acknowledged;
}

void wire_hush(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    shut_down(wire, SHUT_RD);
    pthread_mutex_unlock(&wire->lock);
}

void wire_address(struct wire *wire, char ret_address[OUTCOME_ADDRESS_SIZE])
{
    pthread_mutex_lock(&wire->lock);
    memcpy(ret_address, wire->address, OUTCOME_ADDRESS_SIZE);
    pthread_mutex_unlock(&wire->lock);
}

bool wire_pass_dot(struct wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    if (!wire->dot_begun && wire->stop == STOP_NONE) {
        if (clock_boot_ms() >= wire->job->deadline_boot_ms) {
            stop_locked(wire, STOP_EXPIRED);
        } else if (!is_quiet(wire)) {
            stop_locked(wire, STOP_BROKEN);
        } else {
            wire->dot_begun = true;
            dots_begin(wire->dots, wire->job->mark);
        }
    }
    bool pass = wire->dot_begun;
    pthread_mutex_unlock(&wire->lock);
    return pass;
}

void wire_verdict(struct wire *wire, int reply_code)
{
    pthread_mutex_lock(&wire->lock);
    if (wire->job && wire->dot_begun && outcome_is_verdict(reply_code))
        dots_verdict(wire->dots, wire->job->mark, reply_code);
    pthread_mutex_unlock(&wire->lock);
}
