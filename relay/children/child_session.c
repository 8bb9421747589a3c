#include "relay/children/child_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"

enum { PUT_OFF_MAX = 5 };

struct child_session {
    const char *name;
    pid_t pid;
    int fd;
    struct frame_reader reader;
};

// By when there must be an answer.
struct limit {
    int64_t boot_ms;
    int timeout_ms;
    int64_t cpu_before_ms, cpu_ms; // of the child, at the beginning and at the last look
    int put_off;                   // how often it was
};

struct child_session *child_session_create(const char *name, const char *path,
                                           enum process_heap heap, const int *pass,
                                           size_t pass_count, struct error *err)
{
    struct child_session *session = calloc(1, sizeof(*session));
    if (!session) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    session->name = name;
    if (!process_spawn(path, heap, NULL, pass, pass_count, &session->pid, &session->fd, err)) {
        free(session);
        return NULL;
    }
    frame_reader_init(&session->reader);
    return session;
}

void child_session_destroy(struct child_session *session)
{
    if (!session)
        return;
    kill(session->pid, SIGKILL);
    while (waitpid(session->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(session->fd);
    frame_reader_finish(&session->reader);
    free(session);
}

// On a machine that has no time for it, a child that works is not at fault. One that waits for what
// never comes uses no more time, and has had one limit too many then.
static bool put_off(const struct child_session *session, struct limit *limit)
{
    int64_t cpu_ms = clock_cpu_ms(session->pid);
    bool works = cpu_ms > limit->cpu_ms;
    bool is_starved = cpu_ms - limit->cpu_before_ms < limit->timeout_ms / 2;
    if (!works || !is_starved || limit->put_off == PUT_OFF_MAX)
        return false;
    limit->put_off++;
    limit->cpu_ms = cpu_ms;
    limit->boot_ms = clock_boot_ms() + limit->timeout_ms;
    return true;
}

static bool wait_for(const struct child_session *session, short events, struct limit *limit,
                     struct error *err)
{
    for (;;) {
        int64_t left_ms = limit->boot_ms - clock_boot_ms();
        struct pollfd poll_fd = {.fd = session->fd, .events = events};
        int count = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);
        if (count > 0)
            return true;
        if (count == 0 && !put_off(session, limit))
            return error_set(err, ERR_TEMPORARY, "the %s does not answer", session->name);
        if (count < 0 && errno != EINTR)
            return error_errno(err, ERR_IO, "poll");
    }
}

static bool send_frame(struct child_session *session, const struct frame *frame,
                       struct limit *limit, struct error *err)
{
    AUTO_BUFFER struct buffer pending;
    buffer_init(&pending, FRAME_TOTAL_MAX);
    if (!frame_encode(&pending, frame, err))
        return false;
    while (pending.size > 0)
        if (!wait_for(session, POLLOUT, limit, err) || !frame_flush(&pending, session->fd, err))
            return false;
    return true;
}

static bool receive_frame(struct child_session *session, struct limit *limit,
                          struct frame *ret_frame, struct error *err)
{
    for (;;) {
        switch (frame_read(&session->reader, session->fd, ret_frame, err)) {
        case FRAME_READY:
            return true;
        case FRAME_AGAIN:
            if (!wait_for(session, POLLIN, limit, err))
                return false;
            break;
        case FRAME_END:
            return error_set(err, ERR_IO, "the %s has ended", session->name);
        case FRAME_ERROR:
            return false;
        }
    }
}

bool child_session_ask(struct child_session *session, const json_t *header, const void *blob,
                       size_t blob_size, int timeout_ms, json_t **ret_header,
                       struct frame *ret_frame, struct error *err)
{
    AUTO_FREE char *text = json_dumps(header, JSON_COMPACT);
    if (!text)
        return error_set(err, ERR_TEMPORARY, "no memory");
    struct limit limit = {.boot_ms = clock_boot_ms() + timeout_ms, .timeout_ms = timeout_ms};
    limit.cpu_before_ms = limit.cpu_ms = clock_cpu_ms(session->pid);
    struct frame request = {.header = text, .header_size = strlen(text)};
    if (blob) {
        request.blobs[0] = (struct frame_blob){blob, blob_size};
        request.blob_count = 1;
    }
    struct frame answer;
    if (!send_frame(session, &request, &limit, err) ||
        !receive_frame(session, &limit, &answer, err))
        return false;
    json_t *parsed = json_loadb(answer.header, answer.header_size, 0, NULL);
    if (!json_is_object(parsed)) {
        json_decref(parsed);
        return error_set(err, ERR_CORRUPT, "the %s's answer is no JSON object", session->name);
    }
    *ret_header = parsed;
    *ret_frame = answer;
    return true;
}
