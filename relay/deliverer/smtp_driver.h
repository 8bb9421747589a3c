// smtp_driver.h - the one interface between a worker thread and what carries its messages.
//
// The two libraries want opposite things. libcurl does one message at a call and keeps the
// connection between calls; libesmtp keeps a connection only from within its own loop, where a
// callback may add the next message. A "send one" call cannot serve libesmtp, and a queue
// handed over beforehand cannot serve a relay, whose next message is not known yet. So the
// driver pulls: run() delivers the job it was given and takes the next ones from the source for
// as long as the connection lasts. With libcurl that is a loop around one call, with libesmtp a
// callback; the worker sees no difference.
//
// The wire (wire.h) is shared: a driver reports its sockets to it, asks it at the final dot, and
// is ended through it.
#ifndef RELAY_DELIVERER_SMTP_DRIVER_H
#define RELAY_DELIVERER_SMTP_DRIVER_H

#include <stdbool.h>

#include "relay/base/error.h"
#include "relay/deliverer/job.h"
#include "relay/deliverer/outcome.h"
#include "relay/deliverer/settings.h"
#include "relay/deliverer/wire.h"

struct job_source {
    // Waits for the next job while the connection is kept. NULL: there is none, hang up. The job
    // has begun on the wire.
    struct job *(*next)(struct job_source *source);
    // Reports and destroys a job. Its address field is filled in here.
    void (*done)(struct job_source *source, struct job *job, struct outcome *outcome);
};

struct smtp_driver {
    // Once, by the main thread, before any other.
    bool (*setup)(const struct settings *settings, struct error *err);
    // A client belongs to one thread. settings and wire are borrowed for its life.
    void *(*create)(const struct settings *settings, struct wire *wire, struct error *err);
    // Hangs up and frees. NULL is a no-op.
    void (*destroy)(void *client);
    // Delivers job and what source gives. Returns when the connection is gone, or when the
    // source had nothing more. Each job taken was reported exactly once by then.
    //
    // A kept connection that turns out to be closed before MAIL was answered is no one's fault:
    // the job is tried once more over a fresh one before anything is reported.
    void (*run)(void *client, struct job *job, struct job_source *source);
};

extern const struct smtp_driver smtp_esmtp; // plain smarthosts without AUTH
extern const struct smtp_driver smtp_curl;  // all others
extern const struct smtp_driver mail_file;  // a folder, for development

#endif
