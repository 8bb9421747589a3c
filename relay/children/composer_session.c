#include "relay/children/composer_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/process.h"
#include "relay/config/config.h"

struct composer_session {
    pid_t pid;
    int fd;
    struct frame_reader reader;
};

struct composer_session *composer_session_create(const char *path, struct error *err)
{
    struct composer_session *session = calloc(1, sizeof(*session));
    if (!session) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    if (!process_spawn(path, PROCESS_HEAP_QUICK, NULL, NULL, 0, &session->pid, &session->fd, err)) {
        free(session);
        return NULL;
    }
    frame_reader_init(&session->reader);
    return session;
}

void composer_session_destroy(struct composer_session *session)
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

static bool wait_for(int fd, short events, int64_t limit_ms, struct error *err)
{
    for (;;) {
        int64_t left_ms = limit_ms - clock_boot_ms();
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int count = left_ms > 0 ? poll(&poll_fd, 1, (int)left_ms) : 0;
        if (count > 0)
            return true;
        if (count == 0)
            return error_set(err, ERR_TEMPORARY, "the composer does not answer");
        if (errno != EINTR)
            return error_errno(err, ERR_IO, "poll");
    }
}

static bool send_frame(struct composer_session *session, const struct frame *frame,
                       int64_t limit_ms, struct error *err)
{
    AUTO_BUFFER struct buffer pending;
    buffer_init(&pending, FRAME_TOTAL_MAX);
    if (!frame_encode(&pending, frame, err))
        return false;
    while (pending.size > 0)
        if (!wait_for(session->fd, POLLOUT, limit_ms, err) ||
            !frame_flush(&pending, session->fd, err))
            return false;
    return true;
}

static bool receive_frame(struct composer_session *session, int64_t limit_ms,
                          struct frame *ret_frame, struct error *err)
{
    for (;;) {
        switch (frame_read(&session->reader, session->fd, ret_frame, err)) {
        case FRAME_READY:
            return true;
        case FRAME_AGAIN:
            if (!wait_for(session->fd, POLLIN, limit_ms, err))
                return false;
            break;
        case FRAME_END:
            return error_set(err, ERR_IO, "the composer has ended");
        case FRAME_ERROR:
            return false;
        }
    }
}

bool composer_session_ask(struct composer_session *session, const json_t *header, const void *blob,
                          size_t blob_size, int timeout_ms, json_t **ret_header,
                          struct frame *ret_frame, struct error *err)
{
    AUTO_FREE char *text = json_dumps(header, JSON_COMPACT);
    if (!text)
        return error_set(err, ERR_TEMPORARY, "no memory");
    int64_t limit_ms = clock_boot_ms() + timeout_ms;
    struct frame request = {.header = text, .header_size = strlen(text)};
    if (blob) {
        request.blobs[0] = (struct frame_blob){blob, blob_size};
        request.blob_count = 1;
    }
    struct frame answer;
    if (!send_frame(session, &request, limit_ms, err) ||
        !receive_frame(session, limit_ms, &answer, err))
        return false;
    json_t *parsed = json_loadb(answer.header, answer.header_size, 0, NULL);
    if (!json_is_object(parsed)) {
        json_decref(parsed);
        return error_set(err, ERR_CORRUPT, "the composer's answer is no JSON object");
    }
    *ret_header = parsed;
    *ret_frame = answer;
    return true;
}

// [{name, normaliser, defaults}, ...]; NULL: no memory, or a text is no UTF-8.
static json_t *pack_routes(const struct config *config)
{
    json_t *routes = json_array();
    int failed = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        json_t *defaults = route->defaults ? json_loads(route->defaults, 0, NULL) : json_null();
        failed |= json_array_append_new(routes, json_pack("{s:s, s:s, s:o}", "name", route->name,
                                                          "normaliser", route->normaliser,
                                                          "defaults", defaults));
    }
    if (!failed)
        return routes;
    json_decref(routes);
    return NULL;
}

json_t *composer_init_header(const struct config *config)
{
    json_t *lifetimes = json_object();
    for (size_t i = 0; i < config->lifetime_count; i++)
        json_object_set_new(lifetimes, config->lifetimes[i].type,
                            json_integer(config->lifetimes[i].ms));
    json_t *headers =
        config->mail_headers ? json_loads(config->mail_headers, 0, NULL) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:o}", "op", "init",
                     "templates_dir", config->templates_dir, "default_locale", config->locale,
                     "timezone", config->timezone, "mail_from", config->mail_from, "reply_to",
                     config->reply_to, "lifetimes", lifetimes, "headers", headers, "routes",
                     pack_routes(config));
}
