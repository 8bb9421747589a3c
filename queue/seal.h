// seal.h - bodies as they lie on disk: encrypted, and bound to the row they belong to.
//
// XChaCha20-Poly1305 with a random nonce. A record, whose first byte tells later layouts apart:
//
//   version 1 | key id (4 bytes) | nonce (24) | ciphertext and tag
//
// Everything in front of the nonce and the whole binding are associated data: a body moved to
// another row, or a row given another recipient or a longer deadline, does not open.
#ifndef QUEUE_SEAL_H
#define QUEUE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "queue/keys.h"

// What was known when the body was sealed.
struct seal_binding {
    const char *id;
    int form; // body_form of its row, see schema/0001_first.sql
    int64_t created_ms;
    const char *recipient; // NULL: not known then
    int64_t deadline_ms;   // 0: not known then
};

// With the first key of the ring. Allocated; NULL where there is no memory. Any thread; the keys
// are held, here and below.
void *seal_make(const struct keys *keys, const struct seal_binding *binding, const void *body,
                size_t size, size_t *ret_size);

// The key of the ring that a record names; NULL: none of them, or it is no record.
const struct ring_key *seal_key(const struct keys *keys, const void *sealed, size_t sealed_size);

enum seal_fault {
    SEAL_FINE,
    SEAL_NO_MEMORY,
    SEAL_DAMAGED,     // no record, or not of this row as it is
    SEAL_UNKNOWN_KEY, // of a key that is not in the ring
};

// The body, NUL-terminated, which the caller wipes and frees. NULL: *ret_fault says why, which may
// be NULL.
char *seal_open(const struct keys *keys, const struct seal_binding *binding, const void *sealed,
                size_t sealed_size, size_t *ret_size, enum seal_fault *ret_fault);

#endif
