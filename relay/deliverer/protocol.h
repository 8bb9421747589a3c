// protocol.h - the deliverer's frames (docs/protocol.md) as structs. The only file with jansson.h.
#ifndef RELAY_DELIVERER_PROTOCOL_H
#define RELAY_DELIVERER_PROTOCOL_H

#include <stdbool.h>

#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/deliverer/job.h"
#include "relay/deliverer/outcome.h"
#include "relay/deliverer/probe.h"
#include "relay/deliverer/settings.h"

enum request_kind { REQUEST_INIT, REQUEST_DELIVER, REQUEST_CUT, REQUEST_PING, REQUEST_PROBE };

struct request {
    enum request_kind kind;
    struct settings settings;             // REQUEST_INIT; the receiver calls settings_finish()
    struct job *job;                      // REQUEST_DELIVER; the receiver calls job_destroy()
    char cut_id[DOTS_ID_SIZE];            // REQUEST_CUT; empty: all
    char probe_sender[PROBE_SENDER_SIZE]; // REQUEST_PROBE; empty: none
};

// Copies all it needs out of frame. A false return means that the core and we do not speak the
// same protocol; nothing is left in *ret_request.
bool protocol_parse(const struct frame *frame, struct request *ret_request, struct error *err);

// Each writes one whole frame to fd. Not for two threads at once.
bool protocol_write_ready(int fd, struct error *err);
bool protocol_write_fault(int fd, const char *where, const char *what, struct error *err);
bool protocol_write_result(int fd, const struct settings *settings, const struct job *job,
                           const struct outcome *outcome, struct error *err);
bool protocol_write_probed(int fd, const struct settings *settings, const struct probe *probe,
                           struct error *err);

#endif
