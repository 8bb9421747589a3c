// keys.h - the installation's keys: what bodies are sealed with, and what digests are keyed with.
//
// The sealing key comes from 64 hexadecimal digits: a setting, or queue.key in the folder. The
// digest key is 32 random bytes made once and kept in `meta`, sealed like a body: so a new
// sealing key (rekey) seals it anew and known payloads stay known, and a stolen queue.db
// alone cannot be searched for a guessed address. Both live in sodium_malloc() memory.
#ifndef QUEUE_KEYS_H
#define QUEUE_KEYS_H

#include <sodium.h>

#include "queue/database.h"

#define KEYS_FILE "queue.key"
#define KEYS_ID_SIZE 4
#define KEYS_DIGEST_SIZE 32

struct keys {
    uint8_t sealing[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    uint8_t digest[crypto_generichash_KEYBYTES];
    uint8_t id[KEYS_ID_SIZE]; // names the sealing key in each record; says nothing about it
};

// key_hex, or where that is NULL dir/queue.key; that file is made if may_make, and is on disk
// with its folder when this returns. ERR_INPUT: not a key, no key file beside an old queue, or
// one that group or others may read. The digest key is still missing.
struct keys *keys_load(const char *dir, const char *key_hex, bool may_make, struct error *err);
void keys_destroy(struct keys *keys); // NULL is a no-op

// Reads the digest key from meta, or makes it, in the caller's transaction. ERR_INPUT: the queue
// was sealed with another key than this one. Afterwards keys is read-only.
bool keys_load_digest(struct keys *keys, struct database *database, struct error *err);

// BLAKE2b of purpose, scope and data, each told apart from the next. scope may be NULL.
void keys_digest(const struct keys *keys, const char *purpose, const char *scope, const void *data,
                 size_t size, uint8_t ret_digest[KEYS_DIGEST_SIZE]);

#endif
