// payload.h - a payload that differs each time: @ID@ becomes its number, @CODE@ six digits.
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

#define PAYLOAD_BYTES_MAX (256 * 1024)

// Reads a pattern; the caller frees it.
char *payload_read(const char *path, struct error *err);

// Appends the payload of that number. Equal numbers of equal runs give equal bytes, so a second
// run on the same queue needs another run.
void payload_put(struct buffer *out, const char *pattern, unsigned run, size_t number);

#endif
