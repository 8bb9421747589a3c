#include "relay/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/base/number.h"

enum {
    FIRST_FD = 3,
    USEC_PER_S = 1000000,
    BEATS_A_LIMIT = 3,
    READY_LIMIT_US = 2 * USEC_PER_S,
    STATE_LIMIT_US = 100 * 1000,
    STATE_TEXT_SIZE = 512
};

static const char *const socket_names[SERVICE_SOCKETS] = {"mail", "admin"};

static bool read_count(const char *variable, int64_t max, int64_t *ret_count)
{
    const char *text = getenv(variable);
    return text && number_parse(text, strlen(text), max, ret_count);
}

// Absent counts as us: only LISTEN_PID must be there.
static bool is_for_us(const char *variable, bool where_absent)
{
    int64_t pid = 0;
    return getenv(variable) ? read_count(variable, INT32_MAX, &pid) && pid == getpid()
                            : where_absent;
}

// ---- sockets ------------------------------------------------------------------------------------

static bool is_listening(int fd)
{
    int listens = 0, type = 0;
    socklen_t size = sizeof(listens), type_size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM;
}

static bool take_socket(struct service_manager *manager, int fd, const char *name, size_t size,
                        struct error *err)
{
    for (size_t i = 0; i < SERVICE_SOCKETS; i++) {
        if (strlen(socket_names[i]) != size || strncmp(socket_names[i], name, size) != 0)
            continue;
        if (manager->sockets[i] >= 0)
            return error_set(err, ERR_INPUT, "LISTEN_FDNAMES: there are two sockets \"%s\"",
                             socket_names[i]);
        if (!is_listening(fd))
            return error_set(err, ERR_INPUT, "LISTEN_FDS: descriptor %d (\"%s\") does not listen",
                             fd, socket_names[i]);
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return error_errno(err, ERR_IO, "set the socket \"%s\" non-blocking", socket_names[i]);
        manager->sockets[i] = fd;
        return true;
    }
    return error_set(err, ERR_INPUT, "LISTEN_FDNAMES: \"%.*s\" is neither mail nor admin",
                     (int)size, name);
}

// Descriptors stay inheritable, for executing the relay anew. Its children are given theirs by
// name and no others (process.h).
static bool take_sockets(struct service_manager *manager, struct error *err)
{
    int64_t count = 0;
    if (!is_for_us("LISTEN_PID", false) || !getenv("LISTEN_FDS"))
        return true;
    if (!read_count("LISTEN_FDS", SERVICE_SOCKETS, &count))
        return error_set(err, ERR_INPUT, "LISTEN_FDS is not from 0 to %d", SERVICE_SOCKETS);
    const char *names = getenv("LISTEN_FDNAMES");
    if (!names && count > 1)
        return error_set(err, ERR_INPUT, "LISTEN_FDNAMES does not say which socket is which");
    if (!names)
        names = socket_names[SERVICE_SOCKET_MAIL];
    for (int i = 0; i < count; i++) {
        size_t size = strcspn(names, ":");
        if (!take_socket(manager, FIRST_FD + i, names, size, err))
            return false;
        names += size + (names[size] == ':');
    }
    return true;
}

bool service_manager_socket(const struct service_manager *manager, enum service_socket which,
                            int *ret_fd, struct error *err)
{
    int fd = manager->sockets[which];
    if (fd >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD + SERVICE_SOCKETS)) < 0)
        return error_errno(err, ERR_IO, "take the socket \"%s\"", socket_names[which]);
    *ret_fd = fd;
    return true;
}

// ---- telling it ---------------------------------------------------------------------------------

static bool take_notify_address(struct service_manager *manager, struct error *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path)
        return true;
    size_t size = strlen(path);
    if ((*path != '/' && *path != '@') || size >= sizeof(manager->notify_address.sun_path))
        return error_set(err, ERR_INPUT, "NOTIFY_SOCKET is no address of a unix socket");
    manager->notify_address.sun_family = AF_UNIX;
    memcpy(manager->notify_address.sun_path, path, size);
    if (*path == '@')
        manager->notify_address.sun_path[0] = '\0'; // of the abstract name space
    manager->notify_address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (*path == '/'));
    manager->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return manager->notify_fd >= 0 || error_errno(err, ERR_IO, "a socket for NOTIFY_SOCKET");
}

// limit_us: how long it may take where nobody reads there; 0: not at all.
static void send_text(const struct service_manager *manager, const char *text, int limit_us)
{
    const struct timeval limit = {.tv_sec = limit_us / USEC_PER_S,
                                  .tv_usec = limit_us % USEC_PER_S};
    if (manager->notify_fd < 0)
        return;
    // It can only fail where there is no such socket; then the sending fails, too.
    (void)setsockopt(manager->notify_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (sendto(manager->notify_fd, text, strlen(text),
               MSG_NOSIGNAL | (limit_us == 0 ? MSG_DONTWAIT : 0),
               (const struct sockaddr *)&manager->notify_address,
               manager->notify_address_size) >= 0)
        return;
    struct error err;
    error_errno(&err, ERR_IO, "tell it %.*s", (int)strcspn(text, "\n"), text);
    LOG(LOG_WARNING, "service_manager_unreachable", LOG_STRING("error", err.message));
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // fails for an unknown clock only
    return (int64_t)now.tv_sec * USEC_PER_S + now.tv_nsec / 1000;
}

void service_manager_tell(const struct service_manager *manager, enum service_state state,
                          const char *status)
{
    char text[STATE_TEXT_SIZE], word[64];
    switch (state) {
    case SERVICE_READY:
        snprintf(word, sizeof(word), "READY=1");
        break;
    case SERVICE_RELOADING: // the time is what systemd tells one reload from the next by
        snprintf(word, sizeof(word), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, monotonic_us());
        break;
    case SERVICE_STOPPING:
        snprintf(word, sizeof(word), "STOPPING=1");
        break;
    }
    snprintf(text, sizeof(text), "%s%s%s", word, status ? "\nSTATUS=" : "", status ? status : "");
    // One that missed READY=1 waits for ever, so that is worth a moment; mail waits no longer for
    // it than this. Of a stop it hears anyway.
    send_text(manager, text, state == SERVICE_READY ? READY_LIMIT_US : STATE_LIMIT_US);
}

// ---- signs of life ------------------------------------------------------------------------------

static void on_beat(void *context, uint32_t events)
{
    (void)events;
    struct service_manager *manager = context;
    uint64_t beats;
    if (read(manager->beat.fd, &beats, sizeof(beats)) == (ssize_t)sizeof(beats))
        send_text(manager, "WATCHDOG=1", 0); // the next one will do
}

static bool start_beat(struct service_manager *manager, struct error *err)
{
    int64_t limit_us = 0;
    if (manager->notify_fd < 0 || !is_for_us("WATCHDOG_PID", true) ||
        !read_count("WATCHDOG_USEC", INT64_MAX, &limit_us) || limit_us < BEATS_A_LIMIT)
        return true;
    int64_t pause_us = limit_us / BEATS_A_LIMIT;
    const struct timespec pause = {.tv_sec = pause_us / USEC_PER_S,
                                   .tv_nsec = pause_us % USEC_PER_S * 1000};
    const struct itimerspec beats = {.it_interval = pause, .it_value = pause};
    manager->beat =
        (struct event_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                              .ready = on_beat,
                              .context = manager};
    if (manager->beat.fd < 0 || timerfd_settime(manager->beat.fd, 0, &beats, NULL) < 0)
        return error_errno(err, ERR_IO, "a timer for WATCHDOG_USEC");
    return event_loop_add(manager->loop, &manager->beat, EPOLLIN, err);
}

bool service_manager_init(struct service_manager *manager, struct event_loop *loop,
                          struct error *err)
{
    *manager = SERVICE_MANAGER_NONE;
    manager->loop = loop;
    return take_sockets(manager, err) && take_notify_address(manager, err) &&
           start_beat(manager, err);
}

void service_manager_finish(struct service_manager *manager)
{
    if (manager->beat.fd >= 0) {
        event_loop_remove(manager->loop, &manager->beat);
        close(manager->beat.fd);
    }
    if (manager->notify_fd >= 0)
        close(manager->notify_fd);
    *manager = SERVICE_MANAGER_NONE;
}
