// deliverer: one smarthost, many connections. Started by the core with a socket (descriptor 3) and
// its share of the dot marks (4); docs/protocol.md says what goes over the socket.
//
// This thread reads frames and watches the clock; the others deliver. Where they do, it must not
// wait for anything else: a `cut` has to work while all workers hang.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/dots.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/deliverer/pool.h"
#include "relay/deliverer/protocol.h"

enum { DOTS_FD = PROCESS_SOCKET_FD + 1 };

// Standard error is the core's, for what no frame could tell; what goes there never names a
// message.
static int fail(const struct error *err)
{
    fprintf(stderr, "deliverer: %s\n", err->message);
    return EXIT_FAILURE;
}

static const struct smtp_driver *driver_for(enum driver_kind kind)
{
    switch (kind) {
    case DRIVER_ESMTP:
        return &smtp_esmtp;
    case DRIVER_CURL:
        return &smtp_curl;
    case DRIVER_FILE:
        return &mail_file;
    }
    return NULL;
}

// Reads `init` and answers it. NULL: *err says why, and *ret_told whether the core knows that.
static struct pool *start(struct frame_reader *reader, struct settings *settings, struct dots *dots,
                          bool *ret_told, struct error *err)
{
    *ret_told = false;
    struct frame frame;
    struct request request;
    enum frame_status status = frame_read(reader, PROCESS_SOCKET_FD, &frame, err);
    if (status == FRAME_END)
        _exit(EXIT_SUCCESS);
    if (status != FRAME_READY || !protocol_parse(&frame, &request, err))
        return NULL;
    if (request.kind != REQUEST_INIT) {
        error_set(err, ERR_INPUT, "the first frame is not init");
        return NULL;
    }
    *settings = request.settings;

    const char *what, *where = settings_check(settings, &what);
    if (where) {
        error_set(err, ERR_INPUT, "init: %s: %s", where, what);
        *ret_told = protocol_write_fault(PROCESS_SOCKET_FD, where, what, &(struct error){0});
        return NULL;
    }
    const struct smtp_driver *driver = driver_for(settings->driver);
    if (!driver->setup(settings, err)) {
        *ret_told =
            protocol_write_fault(PROCESS_SOCKET_FD, "smarthost", err->message, &(struct error){0});
        return NULL;
    }
    struct pool *pool = pool_create(settings, driver, dots, PROCESS_SOCKET_FD, err);
    process_forget_start();
    if (pool && !protocol_write_ready(PROCESS_SOCKET_FD, err))
        return NULL;
    return pool;
}

// The one thing that this thread waits for: whoever asks has given it nothing to deliver.
static bool answer_probe(const struct settings *settings, const char *sender, struct error *err)
{
    struct probe probe;
    probe_smarthost(settings, sender, &probe);
    bool is_written = protocol_write_probed(PROCESS_SOCKET_FD, settings, &probe, err);
    wipe_free(probe.token);
    return is_written;
}

static bool handle(struct pool *pool, const struct settings *settings, const struct frame *frame,
                   struct error *err)
{
    struct request request;
    if (!protocol_parse(frame, &request, err))
        return false;
    switch (request.kind) {
    case REQUEST_INIT:
        settings_finish(&request.settings);
        return error_set(err, ERR_INPUT, "a second init");
    case REQUEST_DELIVER:
        pool_deliver(pool, request.job);
        return true;
    case REQUEST_CUT:
        pool_cut(pool, request.cut_id);
        return true;
    case REQUEST_PING:
        return pool_answer_ping(pool, err);
    case REQUEST_PROBE:
        return answer_probe(settings, request.probe_sender, err);
    }
    return true;
}

// Waits for the core's next frame, minding the clock meanwhile. The descriptor is a blocking one
// (workers write to it), but a frame that has begun to arrive comes at once.
static enum frame_status next_frame(struct pool *pool, struct frame_reader *reader,
                                    struct frame *ret_frame, struct error *err)
{
    frame_reader_drop(reader); // it may be long until the next one, and this one was a mail
    // What came together with the last frame is in the reader, where poll() does not see it.
    if (reader->bytes.size > 0)
        return frame_read(reader, PROCESS_SOCKET_FD, ret_frame, err);
    for (;;) {
        struct pollfd input = {.fd = PROCESS_SOCKET_FD, .events = POLLIN};
        int ready = poll(&input, 1, pool_watch(pool));
        if (ready > 0)
            return frame_read(reader, PROCESS_SOCKET_FD, ret_frame, err);
        if (ready < 0 && errno != EINTR) {
            error_errno(err, ERR_IO, "poll");
            return FRAME_ERROR;
        }
    }
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc != 2) {
        fprintf(stderr, "deliverer: started by courier-relay, not by hand\n");
        return EXIT_FAILURE;
    }
    if (!process_child_setup((pid_t)strtol(argv[1], NULL, 10), &err))
        return fail(&err);
    struct dots *dots = dots_map(DOTS_FD, &err);
    if (!dots)
        return fail(&err);

    struct frame_reader reader;
    struct settings settings = {0};
    frame_reader_init(&reader);
    bool told;
    struct pool *pool = start(&reader, &settings, dots, &told, &err);
    if (!pool) // what was set up so far ends with the process
        _exit(told ? EXIT_FAILURE : fail(&err));

    for (;;) {
        struct frame frame;
        enum frame_status status = next_frame(pool, &reader, &frame, &err);
        // _exit: the workers are in the middle of things that must not be torn down under them.
        if (status == FRAME_END)
            _exit(EXIT_SUCCESS);
        if (status != FRAME_READY || !handle(pool, &settings, &frame, &err)) {
            fail(&err);
            _exit(EXIT_FAILURE);
        }
    }
}
