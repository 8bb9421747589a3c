// job.h - a message to deliver, as the core handed it over, and whether it may be sent at all.
#ifndef RELAY_DELIVERER_JOB_H
#define RELAY_DELIVERER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/dots.h"

struct job {
    char id[DOTS_ID_SIZE];
    size_t mark; // index of its dot mark
    bool smtputf8;
    char *sender, *recipient;
    char *body; // the whole message; not NUL-terminated
    size_t body_size;
    char *mask; // its secrets, one a line (mask.h)
    int64_t deadline_boot_ms;
    struct job *next; // pool::waiting
};

// Frees the job and wipes its body and its secrets. NULL is a no-op.
void job_destroy(struct job *job);

// NULL, or why the job must not come near an SMTP connection: an address that could end its
// command or begin another, a body that a lenient server could read as more than one message
// (bare CR or LF: CVE-2023-51764 and its like) or that breaks RFC 5321's line limit of 998
// bytes. The composer makes no such mail; this is the last line of defence. The text is
// static and names no value. ret_body: whether it is the body.
const char *job_fault(const struct job *job, bool *ret_body);

#endif
