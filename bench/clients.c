#include "bench/clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/payload.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

enum { ANSWER_BYTES_MAX = 8 * 1024 };

struct crowd {
    const struct clients_plan *plan;
    struct ledger *ledger;
    _Atomic size_t next; // number of the next message
};

struct client {
    struct crowd *crowd;
    pthread_t thread;
    bool ok;
    struct error err;
};

static int connect_to(uint16_t port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0) {
        error_errno(err, ERR_IO, "connect to port %d", (int)port);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

// The answer of a relay has no body, so it ends with its head.
static bool read_answer(int fd, struct error *err)
{
    char answer[ANSWER_BYTES_MAX + 1];
    size_t size = 0;
    while (size < ANSWER_BYTES_MAX) {
        ssize_t got = recv(fd, answer + size, ANSWER_BYTES_MAX - size, 0);
        if (got <= 0)
            return error_set(err, ERR_IO, "the relay closed the connection");
        size += (size_t)got;
        answer[size] = '\0';
        if (strstr(answer, "\r\n\r\n"))
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) != 0)
        return error_set(err, ERR_TEMPORARY, "answered %.20s", answer);
    return true;
}

static bool post(struct crowd *crowd, int fd, size_t number, struct buffer *request,
                 struct buffer *body, struct error *err)
{
    const struct clients_plan *plan = crowd->plan;
    buffer_clear(body);
    payload_put(body, plan->pattern, plan->run, number);
    buffer_clear(request);
    buffer_printf(request,
                  "POST /kratos/webhook HTTP/1.1\r\nHost: relay\r\nX-Api-Key: %s\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  plan->key, body->size);
    buffer_append(request, body->data, body->size);
    if (body->failed || request->failed)
        return error_set(err, ERR_TEMPORARY, "no memory");
    ledger_posted(crowd->ledger, number);
    if (send(fd, request->data, request->size, MSG_NOSIGNAL) != (ssize_t)request->size)
        return error_errno(err, ERR_IO, "send");
    if (!read_answer(fd, err))
        return false;
    ledger_answered(crowd->ledger, number);
    return true;
}

static void *run(void *context)
{
    struct client *client = context;
    struct crowd *crowd = client->crowd;
    const struct clients_plan *plan = crowd->plan;
    AUTO_CLOSE int fd = connect_to(plan->port, &client->err);
    AUTO_BUFFER struct buffer request, body;
    buffer_init(&request, (size_t)2 * PAYLOAD_BYTES_MAX);
    buffer_init(&body, PAYLOAD_BYTES_MAX);
    client->ok = fd >= 0;
    while (client->ok) {
        size_t number = atomic_fetch_add(&crowd->next, 1);
        if (number >= plan->messages)
            break;
        client->ok = post(crowd, fd, number, &request, &body, &client->err);
        if (plan->interval_ms > 0)
            nanosleep(&(struct timespec){.tv_sec = plan->interval_ms / 1000,
                                         .tv_nsec = plan->interval_ms % 1000 * 1000000},
                      NULL);
    }
    return NULL;
}

bool clients_run(const struct clients_plan *plan, struct ledger *ledger, struct error *err)
{
    struct crowd crowd = {.plan = plan, .ledger = ledger};
    AUTO_FREE struct client *clients = calloc(plan->clients, sizeof(*clients));
    if (!clients)
        return error_set(err, ERR_TEMPORARY, "no memory");
    size_t started = 0;
    for (; started < plan->clients; started++) {
        clients[started].crowd = &crowd;
        if (pthread_create(&clients[started].thread, NULL, run, &clients[started]) != 0)
            break;
    }
    bool ok = started == plan->clients || error_set(err, ERR_TEMPORARY, "too few threads");
    for (size_t i = 0; i < started; i++) {
        pthread_join(clients[i].thread, NULL);
        if (ok && !clients[i].ok) {
            *err = clients[i].err;
            ok = false;
        }
    }
    return ok;
}
