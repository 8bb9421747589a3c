// digest.h - SHA-256, for telling whether two things are the same.
//
// Not keyed: the core keys what it stores (queue_digest()). The only user of GLib's checksums.
#ifndef RELAY_COMPOSER_DIGEST_H
#define RELAY_COMPOSER_DIGEST_H

#include <jansson.h>
#include <stddef.h>

#define DIGEST_HEX_SIZE 65

struct digest_part {
    const char *text;
    size_t size;
};

// Of the parts in order, each closed off by a NUL so that "ab","c" and "a","bc" differ.
void digest_parts(const struct digest_part *parts, size_t count, char ret_hex[DIGEST_HEX_SIZE]);

// Of a document from payload_parse(), without those of its outermost keys (ends with NULL; or
// NULL). Keys count in the order they stand: Kratos repeats its payloads' order exactly.
void digest_json(json_t *document, const char *const *without, char ret_hex[DIGEST_HEX_SIZE]);

#endif
