// payload_mail.h - the canonical mail that a payload in a file comes to, as if it had been posted.
#ifndef RELAY_CLI_PAYLOAD_MAIL_H
#define RELAY_CLI_PAYLOAD_MAIL_H

#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/cli/viewer.h"

struct payload_choice {
    const char *file;  // "-": standard input
    const char *route; // whose normaliser
    const char *type;  // what the mail must be; or NULL
    size_t index;      // which of several, from 1; 0: there is only one
};

// Appends it as JSON. Returns the exit status: CLI_DONE, or another, having complained of why.
int payload_mail(struct viewer *viewer, const struct payload_choice *choice,
                 struct buffer *canonical);

#endif
