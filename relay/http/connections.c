#include "relay/http/connections.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/http/drain.h"

enum {
    ADDRESS_SIZE = 16,
    SILENT_LOOKS_MAX = 32,
    NEWCOMERS_SHARE = 8, // one in so many connections may be one that shows its key yet
};

struct http_connection {
    struct http_connection *prev, *next; // http_connections::oldest, in order of accept
    int fd;
    uint8_t address[ADDRESS_SIZE];
    int64_t deadline_ms; // INT64_MAX: none
    uint64_t idle_turn;  // of http_connections::idle_turns, when it became idle; 0: it is not
    bool is_admitted;
    bool is_refused;
    bool is_ended; // shut down by us; the library has not closed it yet
};

struct http_connections {
    struct http_connection_limits limits;
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock;
    struct http_connection *oldest, *newest;
    uint64_t idle_turns;
    int to_drain[HTTP_DRAIN_SOCKETS]; // for the thread to take
    size_t to_drain_count;
    // When the thread looks at the deadlines next. Never later than the earliest of them, but
    // maybe earlier, where that one was met since: so a request costs no wake-up of its own.
    int64_t look_ms;
    bool is_stopping;
};

// What counts as one client: an IPv4 address, or the /64 that an IPv6 client can use as it likes.
static void address_of(const struct sockaddr *address, uint8_t ret_address[ADDRESS_SIZE])
{
    memset(ret_address, 0, ADDRESS_SIZE);
    if (address && address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        ret_address[10] = ret_address[11] = 0xff;
        memcpy(ret_address + 12, &v4.sin_addr, 4);
    } else if (address && address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        memcpy(ret_address, &v6.sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) ? 16 : 8);
    }
}

static void wake(const struct http_connections *connections)
{
    eventfd_write(connections->wake_fd, 1); // it can only fail by being full: awake already
}

static void set_deadline(struct http_connections *connections, struct http_connection *connection,
                         int64_t deadline_ms)
{
    connection->deadline_ms = deadline_ms;
    if (deadline_ms >= connections->look_ms)
        return;
    connections->look_ms = deadline_ms;
    wake(connections);
}

// The descriptor is the connection's own as long as the connection is in the list.
static void end(const struct http_connections *connections, struct http_connection *connection,
                enum http_connection_end why)
{
    connection->is_ended = true;
    connection->deadline_ms = INT64_MAX;
    shutdown(connection->fd, SHUT_RDWR);
    if (connections->limits.ended)
        connections->limits.ended(connections->limits.context, why, connection->is_admitted);
}

// ---- the thread ---------------------------------------------------------------------------------

static void end_late(struct http_connections *connections, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (struct http_connection *at = connections->oldest; at; at = at->next) {
        if (at->deadline_ms <= now_ms)
            end(connections, at, HTTP_CONNECTION_LATE);
        else if (at->deadline_ms < next_ms)
            next_ms = at->deadline_ms;
    }
    connections->look_ms = next_ms;
}

static int poll_timeout(int64_t until_ms, int64_t now_ms)
{
    if (until_ms == INT64_MAX)
        return -1;
    return until_ms <= now_ms               ? 0
           : until_ms - now_ms >= INT32_MAX ? INT32_MAX
                                            : (int)(until_ms - now_ms);
}

// Waits for a wake-up, for what is drained, or until look_ms. Drains without the lock: a client
// that sends fast delays nobody.
static void wait_and_drain(const struct http_connections *connections, struct http_drain *drain,
                           int64_t look_ms)
{
    struct pollfd wants[1 + HTTP_DRAIN_SOCKETS];
    wants[0] = (struct pollfd){.fd = connections->wake_fd, .events = POLLIN};
    int64_t until_ms;
    size_t count = http_drain_wants(drain, wants + 1, &until_ms);
    if (look_ms < until_ms)
        until_ms = look_ms;
    eventfd_t ignored;
    if (poll(wants, 1 + (nfds_t)count, poll_timeout(until_ms, clock_boot_ms())) > 0 &&
        wants[0].revents)
        eventfd_read(connections->wake_fd, &ignored);
    http_drain_step(drain, clock_boot_ms());
}

static void take_to_drain(struct http_connections *connections, struct http_drain *drain,
                          int64_t now_ms)
{
    for (size_t i = 0; i < connections->to_drain_count; i++)
        if (!http_drain_add(drain, connections->to_drain[i], now_ms))
            close(connections->to_drain[i]);
    connections->to_drain_count = 0;
}

static void *watch(void *context)
{
    struct http_connections *connections = context;
    struct http_drain drain = {0};
    pthread_mutex_lock(&connections->lock);
    while (!connections->is_stopping) {
        int64_t now_ms = clock_boot_ms();
        if (connections->look_ms <= now_ms)
            end_late(connections, now_ms);
        take_to_drain(connections, &drain, now_ms);
        int64_t look_ms = connections->look_ms;
        pthread_mutex_unlock(&connections->lock);
        wait_and_drain(connections, &drain, look_ms);
        pthread_mutex_lock(&connections->lock);
    }
    take_to_drain(connections, &drain, 0);
    pthread_mutex_unlock(&connections->lock);
    http_drain_finish(&drain);
    return NULL;
}

struct http_connections *http_connections_create(const struct http_connection_limits *limits,
                                                 struct error *err)
{
    struct http_connections *connections = calloc(1, sizeof(*connections));
    if (!connections) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    connections->limits = *limits;
    connections->look_ms = INT64_MAX;
    connections->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connections->wake_fd < 0) {
        error_errno(err, ERR_IO, "eventfd");
        free(connections);
        return NULL;
    }
    pthread_mutex_init(&connections->lock, NULL);
    int error = pthread_create(&connections->thread, NULL, watch, connections);
    if (error == 0)
        return connections;
    error_set(err, ERR_TEMPORARY, "start a thread: %s", strerror(error));
    pthread_mutex_destroy(&connections->lock);
    close(connections->wake_fd);
    free(connections);
    return NULL;
}

void http_connections_destroy(struct http_connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->is_stopping = true;
    pthread_mutex_unlock(&connections->lock);
    wake(connections);
    pthread_join(connections->thread, NULL);
    pthread_mutex_destroy(&connections->lock);
    close(connections->wake_fd);
    free(connections);
}

// ---- room ---------------------------------------------------------------------------------------

static bool counts(const struct http_connection *connection, const uint8_t *address)
{
    return !connection->is_ended &&
           (!address || memcmp(connection->address, address, ADDRESS_SIZE) == 0);
}

// Has it sent something that the library has not read yet? In a burst of new ones, its key may be
// in there.
static bool has_unread(const struct http_connection *connection)
{
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

// The oldest from there on that has nothing unread, but not the newest of all, which had no time
// to say anything. Looks at a few only: each look is a system call. NULL: none of these.
static struct http_connection *oldest_silent(const struct http_connections *connections,
                                             struct http_connection *at, const uint8_t *address)
{
    size_t looks = 0;
    for (; at != connections->newest && looks < SILENT_LOOKS_MAX; at = at->next) {
        if (at->is_admitted || !counts(at, address))
            continue;
        looks++;
        if (!has_unread(at))
            return at;
    }
    return NULL;
}

// With a key or without. What one has sent and the library has not read is its next request: that
// one is not idle. NULL: none is.
static struct http_connection *longest_idle(const struct http_connections *connections,
                                            const uint8_t *address)
{
    for (uint64_t passed = 0;;) {
        struct http_connection *longest = NULL;
        for (struct http_connection *at = connections->oldest; at; at = at->next)
            if (at->idle_turn > passed && counts(at, address) &&
                (!longest || at->idle_turn < longest->idle_turn))
                longest = at;
        if (!longest || !has_unread(longest))
            return longest;
        passed = longest->idle_turn;
    }
}

// Where address, or all (NULL), have more than limit, one goes.
//
// Of those without a key the oldest, and one that has just sent something only where none is
// silent. But a few of them have room before those that are idle: they may be new connections of
// a proxy that keeps all those, about to show their key. No more than a few, so that strangers
// cost nobody else more than that. The one that has just come has no key yet: where no other can
// go, it is the one.
static void make_room(struct http_connections *connections, const uint8_t *address, size_t limit)
{
    struct http_connection *oldest = NULL, *gone = NULL;
    size_t count = 0, without_key = 0;
    for (struct http_connection *at = connections->oldest; at; at = at->next) {
        if (!counts(at, address))
            continue;
        count++;
        without_key += !at->is_admitted;
        if (!oldest && !at->is_admitted)
            oldest = at;
    }
    if (count <= limit || !oldest)
        return;
    if (without_key == 1 || without_key <= limit / NEWCOMERS_SHARE)
        gone = longest_idle(connections, address);
    if (!gone)
        gone = oldest_silent(connections, oldest, address);
    end(connections, gone ? gone : oldest, HTTP_CONNECTION_CROWDED);
}

struct http_connection *http_connections_opened(struct http_connections *connections, int fd,
                                                const struct sockaddr *address)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    connection->fd = fd;
    address_of(address, connection->address);
    pthread_mutex_lock(&connections->lock);
    connection->prev = connections->newest;
    *(connection->prev ? &connection->prev->next : &connections->oldest) = connection;
    connections->newest = connection;
    set_deadline(connections, connection, clock_boot_ms() + connections->limits.request_ms);
    make_room(connections, connection->address, connections->limits.per_address);
    make_room(connections, NULL, connections->limits.total);
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

// The library has sent its end of the stream; a copy of the descriptor outlives its close().
static void drain_rest(struct http_connections *connections,
                       const struct http_connection *connection)
{
    if (connections->to_drain_count == HTTP_DRAIN_SOCKETS)
        return;
    int fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return;
    connections->to_drain[connections->to_drain_count++] = fd;
    wake(connections);
}

void http_connections_closed(struct http_connections *connections,
                             struct http_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    *(connection->prev ? &connection->prev->next : &connections->oldest) = connection->next;
    *(connection->next ? &connection->next->prev : &connections->newest) = connection->prev;
    if (connection->is_refused && !connection->is_ended && !connections->is_stopping)
        drain_rest(connections, connection);
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

// ---- what happens on a connection ---------------------------------------------------------------

static void move_deadline(struct http_connections *connections, struct http_connection *connection,
                          int64_t in_ms, bool is_idle)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    // A refused one is about to be closed, and then drained.
    connection->idle_turn = is_idle && !connection->is_refused ? ++connections->idle_turns : 0;
    if (!connection->is_ended)
        set_deadline(connections, connection,
                     in_ms == INT64_MAX ? INT64_MAX : clock_boot_ms() + in_ms);
    pthread_mutex_unlock(&connections->lock);
}

void http_connections_begun(struct http_connections *connections,
                            struct http_connection *connection)
{
    if (!connection)
        return;
    int64_t deadline_ms = clock_boot_ms() + connections->limits.request_ms;
    pthread_mutex_lock(&connections->lock);
    connection->idle_turn = 0;
    // The first request's time runs from the accept.
    if (deadline_ms < connection->deadline_ms && !connection->is_ended)
        set_deadline(connections, connection, deadline_ms);
    pthread_mutex_unlock(&connections->lock);
}

void http_connections_admitted(struct http_connections *connections,
                               struct http_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    connection->is_admitted = true;
    pthread_mutex_unlock(&connections->lock);
}

void http_connections_waiting(struct http_connections *connections,
                              struct http_connection *connection)
{
    move_deadline(connections, connection, INT64_MAX, false);
}

void http_connections_answering(struct http_connections *connections,
                                struct http_connection *connection)
{
    move_deadline(connections, connection, connections->limits.request_ms, false);
}

void http_connections_refused(struct http_connections *connections,
                              struct http_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    connection->is_refused = true;
    pthread_mutex_unlock(&connections->lock);
}

void http_connections_answered(struct http_connections *connections,
                               struct http_connection *connection)
{
    move_deadline(connections, connection,
                  connections->limits.idle_ms + connections->limits.request_ms, true);
}
