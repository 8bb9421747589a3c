// scrub.h - bytes that claim to be JSON, rewritten so that jansson and Jsonnet can carry them.
//
// One pass over the bytes, without recursion and without building anything. It does not check
// the grammar: what was no JSON before is none afterwards (or, where the fault lay in a number
// or below PAYLOAD_DEPTH_MAX, may have become some), and the parser has the last word.
#ifndef JSONNET_SCRUB_H
#define JSONNET_SCRUB_H

#include <stddef.h>

#include "relay/base/buffer.h"

// Returns the harmless text: data itself where nothing had to change (the usual case), else what
// was written to scratch, which must be fresh. NULL: scratch failed.
const char *scrub_json(const char *data, size_t size, struct buffer *scratch, size_t *ret_size);

// How large scratch can become.
size_t scrub_limit(size_t size);

#endif
