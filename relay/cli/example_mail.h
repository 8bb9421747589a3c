// example_mail.h - a mail made up, to look at: what Kratos might want sent today.
#ifndef RELAY_CLI_EXAMPLE_MAIL_H
#define RELAY_CLI_EXAMPLE_MAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buffer.h"

// Appends a canonical mail of a type (a member of `types` in `described`, docs/protocol.md) as
// JSON. It has a code or a link where the type needs one, by a host that brand (a member of
// `brands`) allows; and all else that a text may want to say, but for `…_invalid`, whose readers
// Kratos does not know. False: no memory.
bool example_mail(const json_t *type, const json_t *brand, int64_t wall_ms, struct buffer *out);

#endif
