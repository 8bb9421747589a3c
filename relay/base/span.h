// span.h - a piece of a text that is being parsed: borrowed, and without a NUL at its end.
#ifndef RELAY_BASE_SPAN_H
#define RELAY_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

struct span {
    const char *at;
    size_t size;
};

bool span_is(struct span span, const char *text);

// Cuts span at the first stop, which is dropped; gives what stood before it.
struct span span_cut(struct span *span, char stop);

// Drops prefix, in whatever case, from the front. False, and nothing changed, where it is not
// there.
bool span_skip(struct span *span, const char *prefix);

// Percent-decodes into a text that the caller frees. What comes out goes into SMTP commands, so
// control characters are refused. The error calls the text `what` and never repeats it.
char *span_decode(struct span span, const char *what, struct error *err);

#endif
