#include "queue/keys.h"

#include <stdio.h>
#include <string.h>

#include "queue/seal.h"
#include "relay/base/cleanup.h"

#define KDF_CONTEXT "CRqueue1"

enum subkey { SUBKEY_SEALING = 1, SUBKEY_ID = 2 };

// ---- the ring -----------------------------------------------------------------------------------

void keys_id_of(const uint8_t key[crypto_kdf_KEYBYTES], uint8_t ret_id[KEYS_ID_SIZE])
{
    uint8_t id[crypto_kdf_BYTES_MIN];
    crypto_kdf_derive_from_key(id, sizeof(id), SUBKEY_ID, KDF_CONTEXT, key);
    memcpy(ret_id, id, KEYS_ID_SIZE);
}

void keys_id_text(const uint8_t id[KEYS_ID_SIZE], char ret_text[KEYS_ID_HEX_SIZE])
{
    sodium_bin2hex(ret_text, KEYS_ID_HEX_SIZE, id, KEYS_ID_SIZE);
}

bool keys_differ(const struct key_list *list, struct error *err)
{
    uint8_t ids[KEY_LIST_MAX][KEYS_ID_SIZE];
    for (size_t i = 0; i < list->count; i++) {
        keys_id_of(list->keys[i], ids[i]);
        for (size_t j = 0; j < i; j++)
            if (memcmp(ids[i], ids[j], KEYS_ID_SIZE) == 0)
                return error_set(err, ERR_INPUT, "two of the queue's keys have the same id");
    }
    return true;
}

// The kernel may have no memory for it: the process ends here rather than at the first write. A
// ring that stays writable (no memory to split the mapping again) is protected less, and good.
static void make_writable(struct keys *keys)
{
    if (sodium_mprotect_readwrite(keys->ring) != 0)
        abort();
}

void keys_replace(struct keys *keys, const struct key_list *list)
{
    pthread_rwlock_wrlock(&keys->lock);
    make_writable(keys);
    struct key_ring *ring = keys->ring;
    sodium_memzero(ring->keys, sizeof(ring->keys));
    for (size_t i = 0; i < list->count; i++) {
        keys_id_of(list->keys[i], ring->keys[i].id);
        crypto_kdf_derive_from_key(ring->keys[i].secret, sizeof(ring->keys[i].secret),
                                   SUBKEY_SEALING, KDF_CONTEXT, list->keys[i]);
    }
    ring->count = list->count;
    sodium_mprotect_readonly(keys->ring);
    pthread_rwlock_unlock(&keys->lock);
}

typedef bool find_keys_fn(const char *dir, const char *text, struct key_list *list, bool *ret_found,
                          struct error *err);

static bool find_or_make(const char *dir, const char *text, struct key_list *list, bool *ret_found,
                         struct error *err)
{
    *ret_found = true;
    if (text)
        return key_list_parse(list, text, strlen(text), "the queue's key", err);
    key_file_tidy(dir);
    bool found = false;
    if (!key_file_read(dir, list, &found, err))
        return false;
    return found || (key_list_make(list, err) && key_file_write(dir, list, err));
}

static bool find_in_file(const char *dir, const char *text, struct key_list *list, bool *ret_found,
                         struct error *err)
{
    (void)text;
    return key_file_read(dir, list, ret_found, err);
}

static struct keys *create(const char *dir, const char *text, find_keys_fn *find, bool *ret_found,
                           struct error *err)
{
    if (sodium_init() < 0) {
        error_set(err, ERR_PERMANENT, "libsodium does not start");
        return NULL;
    }
    struct keys *keys = calloc(1, sizeof(*keys));
    if (!keys || !(keys->dir = strdup(dir)))
        abort();
    keys->are_given = text != NULL;
    pthread_rwlock_init(&keys->lock, NULL);
    keys->ring = sodium_malloc(sizeof(*keys->ring));
    struct key_list *list = key_list_create(err);
    bool ok = keys->ring && list && find(dir, text, list, ret_found, err) &&
              (!*ret_found || keys_differ(list, err));
    bool is_made = ok && *ret_found;
    if (is_made)
        keys_replace(keys, list);
    else if (!keys->ring)
        error_set(err, ERR_TEMPORARY, "no memory for the queue's keys");
    key_list_destroy(list);
    if (is_made)
        return keys;
    keys_destroy(keys);
    return NULL;
}

struct keys *keys_create(const char *dir, const char *text, struct error *err)
{
    bool found = false;
    return create(dir, text, find_or_make, &found, err);
}

struct keys *keys_look(const char *dir, bool *ret_found, struct error *err)
{
    *ret_found = true; // unless it is known that it is not
    return create(dir, NULL, find_in_file, ret_found, err);
}

void keys_destroy(struct keys *keys)
{
    if (!keys)
        return;
    sodium_free(keys->ring);
    pthread_rwlock_destroy(&keys->lock);
    free(keys->dir);
    free(keys);
}

// The lock is no part of what a const struct keys promises not to change.
static pthread_rwlock_t *lock_of(const struct keys *keys)
{
    return &((struct keys *)(uintptr_t)keys)->lock;
}

void keys_hold(const struct keys *keys)
{
    pthread_rwlock_rdlock(lock_of(keys));
}

void keys_release(const struct keys *keys)
{
    pthread_rwlock_unlock(lock_of(keys));
}

const struct ring_key *keys_first(const struct keys *keys)
{
    return &keys->ring->keys[0];
}

const struct ring_key *keys_find(const struct keys *keys, const uint8_t id[KEYS_ID_SIZE])
{
    for (size_t i = 0; i < keys->ring->count; i++)
        if (memcmp(keys->ring->keys[i].id, id, KEYS_ID_SIZE) == 0)
            return &keys->ring->keys[i];
    return NULL;
}

// ---- the digest key -------------------------------------------------------------------------

#define DIGEST_KEY "digest_key"
static const struct seal_binding DIGEST_BINDING = {.id = DIGEST_KEY};

static int write_digest(const struct keys *keys, struct database *database)
{
    static const char SQL[] = "INSERT INTO meta (name, value) VALUES (?1, ?2)"
                              " ON CONFLICT (name) DO UPDATE SET value = ?2";
    size_t size = 0;
    AUTO_FREE void *sealed =
        seal_make(keys, &DIGEST_BINDING, keys->ring->digest, sizeof(keys->ring->digest), &size);
    if (!sealed)
        return SQLITE_NOMEM;
    AUTO_QUERY struct query query = query_start(database, SQL);
    query_text(&query, keys->digest_name);
    query_blob(&query, sealed, size);
    return query_run(&query);
}

// Takes the row's key where one of the ring opens it that stands before *best, the place of the one
// that opened another row: of several digest keys that of the key in front was in use last. False:
// no memory, which says nothing of the key; taken for a lost one, known payloads would be new.
static bool take_digest(struct keys *keys, struct query *query, size_t *best, struct error *err)
{
    char name[sizeof(keys->digest_name)];
    query_copy_text(query, name, sizeof(name));
    size_t sealed_size = 0, size = 0;
    bool is_null = query_next_is_null(query);
    const void *sealed = query_get_blob(query, &sealed_size);
    if (!sealed && !is_null)
        return error_set(err, ERR_TEMPORARY, "no memory for the queue's digest key");
    const struct ring_key *with = sealed ? seal_key(keys, sealed, sealed_size) : NULL;
    if (!with || (size_t)(with - keys->ring->keys) >= *best)
        return true;
    enum seal_fault fault = SEAL_FINE;
    char *digest = seal_open(keys, &DIGEST_BINDING, sealed, sealed_size, &size, &fault);
    if (!digest && fault == SEAL_NO_MEMORY)
        return error_set(err, ERR_TEMPORARY, "no memory for the queue's digest key");
    if (digest && size == sizeof(keys->ring->digest)) {
        memcpy(keys->ring->digest, digest, size);
        memcpy(keys->digest_name, name, sizeof(name));
        *best = (size_t)(with - keys->ring->keys);
    }
    if (digest)
        sodium_memzero(digest, size);
    free(digest);
    return true;
}

// Beside another that does not open, under a name of its own.
static bool make_digest(struct keys *keys, struct database *database, bool is_lost,
                        struct error *err)
{
    randombytes_buf(keys->ring->digest, sizeof(keys->ring->digest));
    if (is_lost)
        snprintf(keys->digest_name, sizeof(keys->digest_name), DIGEST_KEY ".%08x",
                 (unsigned)randombytes_random());
    else
        snprintf(keys->digest_name, sizeof(keys->digest_name), DIGEST_KEY);
    int rc = write_digest(keys, database);
    return rc == SQLITE_OK || database_error(database, rc, "write", err);
}

static bool find_digest(struct keys *keys, struct database *database, bool *ret_lost,
                        struct error *err)
{
    size_t best = KEY_LIST_MAX, count = 0;
    {
        AUTO_QUERY struct query query =
            query_start(database, "SELECT name, value FROM meta"
                                  " WHERE name = '" DIGEST_KEY "' OR name GLOB '" DIGEST_KEY ".*'"
                                  " ORDER BY name");
        for (; query_step(&query); count++)
            if (!take_digest(keys, &query, &best, err))
                return false;
        if (query.rc != SQLITE_OK)
            return database_error(database, query.rc, "read", err);
    }
    *ret_lost = count > 0 && best == KEY_LIST_MAX;
    return best < KEY_LIST_MAX || make_digest(keys, database, *ret_lost, err);
}

bool keys_load_digest(struct keys *keys, struct database *database, bool *ret_lost,
                      struct error *err)
{
    make_writable(keys);
    bool ok = find_digest(keys, database, ret_lost, err);
    sodium_mprotect_readonly(keys->ring);
    return ok;
}

int keys_reseal_digest(const struct keys *keys, struct database *database)
{
    bool is_old = false;
    {
        AUTO_QUERY struct query query =
            query_start(database, "SELECT value FROM meta WHERE name = ?");
        query_text(&query, keys->digest_name);
        size_t size = 0;
        const void *sealed = query_step(&query) ? query_get_blob(&query, &size) : NULL;
        is_old = !sealed || seal_key(keys, sealed, size) != keys_first(keys);
        if (query.rc != SQLITE_OK)
            return query.rc;
    }
    return is_old ? write_digest(keys, database) : SQLITE_OK;
}

void keys_digest(const struct keys *keys, const char *purpose, const char *scope, const void *data,
                 size_t size, uint8_t ret_digest[KEYS_DIGEST_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, keys->ring->digest, sizeof(keys->ring->digest),
                            KEYS_DIGEST_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
    if (scope)
        crypto_generichash_update(&state, (const uint8_t *)scope, strlen(scope) + 1);
    crypto_generichash_update(&state, data, size);
    crypto_generichash_final(&state, ret_digest, KEYS_DIGEST_SIZE);
    sodium_memzero(&state, sizeof(state));
}
