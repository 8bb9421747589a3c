// keys.h - the installation's keys: what bodies are sealed with, and what digests are keyed with.
//
// The ring is made of key_file.h's list: its first key seals, all of them open. The digest key is
// 32 random bytes made once and kept in `meta`, sealed like a body: so a new sealing key (rekey)
// seals it anew and known payloads stay known, and a stolen queue.db alone cannot be searched for a
// guessed address. All live in sodium_malloc() memory.
//
// The ring changes while others use it (rekey.h). Whoever seals holds it (keys_hold()) until what
// was sealed is the writer's, and whoever opens, from reading the row until it is open: so when
// the ring was changed, everything sealed with the key before is on its way to disk.
#ifndef QUEUE_KEYS_H
#define QUEUE_KEYS_H

#include <pthread.h>
#include <sodium.h>

#include "queue/database.h"
#include "queue/key_file.h"

#define KEYS_ID_SIZE 4
#define KEYS_ID_HEX_SIZE (2 * KEYS_ID_SIZE + 1)
#define KEYS_DIGEST_SIZE 32

struct ring_key {
    uint8_t id[KEYS_ID_SIZE]; // names the key in each record; says nothing about it
    uint8_t secret[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
};

// In memory that is read-only but while keys.c changes it.
struct key_ring {
    uint8_t digest[crypto_generichash_KEYBYTES]; // not changed after keys_load_digest()
    size_t count;
    struct ring_key keys[KEY_LIST_MAX];
};

struct keys {
    char *dir;
    bool are_given; // by the setting, so queue.key is not asked
    pthread_rwlock_t lock;
    struct key_ring *ring;
    char digest_name[32]; // the digest key's in meta
};

// The keys in text (NULL: dir/queue.key, which is made where it is missing and on disk with its
// folder when this returns). ERR_INPUT: not keys, or a file that group or others may read. The
// digest key is still missing.
struct keys *keys_create(const char *dir, const char *text, struct error *err);
// The keys in dir/queue.key, for opening only: nothing in the folder is made or mended, since a
// daemon may be at work there. NULL with *ret_found false: there is no such file. NULL with
// *ret_found: as above.
struct keys *keys_look(const char *dir, bool *ret_found, struct error *err);
void keys_destroy(struct keys *keys); // NULL is a no-op

// Reads the digest key from meta, or makes it, in the caller's transaction. *ret_lost: there was
// one, but none that a key of the ring opens; a new one was made beside it, and the old one is
// found again when its key is back.
bool keys_load_digest(struct keys *keys, struct database *database, bool *ret_lost,
                      struct error *err);
// Seals it anew where another key than the first has it. SQLite's code. Held.
int keys_reseal_digest(const struct keys *keys, struct database *database);

// Meanwhile the ring stays as it is. Waits for microseconds at most. May be nested.
void keys_hold(const struct keys *keys);
void keys_release(const struct keys *keys);

const struct ring_key *keys_first(const struct keys *keys); // held
const struct ring_key *keys_find(const struct keys *keys,
                                 const uint8_t id[KEYS_ID_SIZE]); // or NULL

// ERR_INPUT: two keys of list have the same id.
bool keys_differ(const struct key_list *list, struct error *err);
// Puts the keys of list, which differ, in the ring's place. Never where the caller holds it.
void keys_replace(struct keys *keys, const struct key_list *list);

void keys_id_of(const uint8_t key[crypto_kdf_KEYBYTES], uint8_t ret_id[KEYS_ID_SIZE]);
void keys_id_text(const uint8_t id[KEYS_ID_SIZE], char ret_text[KEYS_ID_HEX_SIZE]);

// BLAKE2b of purpose, scope and data, each told apart from the next. scope may be NULL.
void keys_digest(const struct keys *keys, const char *purpose, const char *scope, const void *data,
                 size_t size, uint8_t ret_digest[KEYS_DIGEST_SIZE]);

#endif
