// A folder as the smarthost (`file:DIR`), for development: each mail becomes DIR/<id>.eml.
//
// It goes through the same gate as SMTP's dot, here before the rename, so that deadlines, marks
// and what the core makes of them are the same.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/deliverer/smtp_driver.h"

enum { REPLY_STORED = 250 };

struct client {
    const char *dir;
    struct wire *wire;
};

static bool setup(const struct settings *settings, struct error *err)
{
    if (access(settings->dir, W_OK | X_OK) < 0)
        return error_errno(err, ERR_INPUT, "write to %s", settings->dir);
    return true;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

// False with *ret_stopped where the gate was closed.
static bool store(struct client *client, const struct job *job, bool *ret_stopped,
                  struct error *err)
{
    *ret_stopped = false;
    char name[64], temporary[72];
    snprintf(name, sizeof(name), "%s.eml", job->id);
    snprintf(temporary, sizeof(temporary), ".%s.tmp", name);

    AUTO_CLOSE int dir_fd = open(client->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return error_errno(err, ERR_IO, "open %s", client->dir);
    AUTO_CLOSE int fd =
        openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, ERR_IO, "create %s/%s", client->dir, temporary);
    bool written = write_all(fd, job->body, job->body_size) && fsync(fd) == 0;
    if (!written)
        error_errno(err, ERR_IO, "write %s/%s", client->dir, temporary);
    *ret_stopped = written && !wire_pass_dot(client->wire);
    if (!written || *ret_stopped) {
        unlinkat(dir_fd, temporary, 0);
        return false;
    }
    if (renameat(dir_fd, temporary, dir_fd, name) < 0 || fsync(dir_fd) < 0)
        return error_errno(err, ERR_IO, "publish %s/%s", client->dir, name);
    return true;
}

static void deliver(struct client *client, const struct job *job, struct outcome *outcome)
{
    struct error err = {0};
    bool stopped;
    wire_take_mail(client->wire); // a slow disk is no smarthost that says nothing
    bool stored = store(client, job, &stopped, &err);
    if (stored || stopped) {
        struct trace trace = {
            .stage = stored ? STAGE_DOT : STAGE_BODY,
            .answered = stored,
            .reply = {.code = stored ? REPLY_STORED : 0},
            .dot_begun = stored,
            .stop = wire_stopped(client->wire),
        };
        outcome_judge(&trace, outcome);
        if (stored)
            wire_verdict(client->wire, REPLY_STORED);
        return;
    }
    // Even where the rename was done but not synced: the same again overwrites the same file.
    outcome_set(outcome, OUTCOME_SESSION, STAGE_BODY, err.message);
}

static void run(void *opaque, struct job *job, struct job_source *source)
{
    struct client *client = opaque;
    for (; job; job = source->next(source)) {
        struct outcome outcome = {0};
        deliver(client, job, &outcome);
        source->done(source, job, &outcome);
    }
}

static void *create(const struct settings *settings, struct wire *wire, struct error *err)
{
    struct client *client = malloc(sizeof(*client));
    if (!client) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    *client = (struct client){.dir = settings->dir, .wire = wire};
    return client;
}

static void destroy(void *client)
{
    free(client);
}

const struct smtp_driver mail_file = {
    .setup = setup, .create = create, .destroy = destroy, .run = run};
