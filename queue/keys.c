#include "queue/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "queue/seal.h"
#include "relay/base/cleanup.h"

#define KEY_SIZE crypto_kdf_KEYBYTES
#define HEX_SIZE (2 * KEY_SIZE)
#define KDF_CONTEXT "CRqueue1"

enum subkey { SUBKEY_SEALING = 1, SUBKEY_ID = 2 };

static bool parse_key(const char *hex, size_t size, uint8_t ret_key[KEY_SIZE])
{
    size_t used = 0;
    return size == HEX_SIZE &&
           sodium_hex2bin(ret_key, KEY_SIZE, hex, size, NULL, &used, NULL) == 0 && used == KEY_SIZE;
}

static bool read_key_file(int fd, const char *path, uint8_t ret_key[KEY_SIZE], struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return error_errno(err, ERR_IO, "read %s", path);
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0)
        return error_set(err, ERR_INPUT, "%s may be read by others: chmod 600 it", path);
    char text[HEX_SIZE + 2];
    ssize_t size = read(fd, text, sizeof(text));
    if (size < 0)
        return error_errno(err, ERR_IO, "read %s", path);
    if (size > 0 && text[size - 1] == '\n')
        size--;
    bool ok = parse_key(text, (size_t)size, ret_key);
    sodium_memzero(text, sizeof(text));
    return ok || error_set(err, ERR_INPUT, "%s does not hold %zu hexadecimal digits", path,
                           (size_t)HEX_SIZE);
}

// Written under another name and renamed, so that a crash leaves no half of a key; and synced
// with its folder before anything can be sealed with it. The queue's lock keeps others away.
static bool make_key_file(const char *dir, const char *path, uint8_t ret_key[KEY_SIZE],
                          struct error *err)
{
    AUTO_FREE char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", path) < 0)
        abort();
    AUTO_CLOSE int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return error_errno(err, ERR_IO, "open %s", dir);
    if (unlink(temporary) < 0 && errno != ENOENT)
        return error_errno(err, ERR_IO, "remove %s", temporary);
    AUTO_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, ERR_IO, "create %s", temporary);

    uint8_t key[KEY_SIZE];
    randombytes_buf(key, sizeof(key));
    char text[HEX_SIZE + 1];
    sodium_bin2hex(text, sizeof(text), key, sizeof(key));
    text[HEX_SIZE] = '\n';
    bool ok = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0 &&
              rename(temporary, path) == 0 && fsync(dir_fd) == 0;
    if (ok)
        memcpy(ret_key, key, sizeof(key));
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text, sizeof(text));
    return ok || error_errno(err, ERR_IO, "write %s", path);
}

static bool find_key(const char *dir, const char *key_hex, bool may_make, uint8_t ret_key[KEY_SIZE],
                     struct error *err)
{
    if (key_hex)
        return parse_key(key_hex, strlen(key_hex), ret_key) ||
               error_set(err, ERR_INPUT, "the queue's key is not %zu hexadecimal digits",
                         (size_t)HEX_SIZE);
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, KEYS_FILE) < 0)
        abort();
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0)
        return read_key_file(fd, path, ret_key, err);
    if (errno != ENOENT)
        return error_errno(err, ERR_IO, "open %s", path);
    if (!may_make)
        return error_set(err, ERR_INPUT, "%s is missing: the queue beside it cannot be read", path);
    return make_key_file(dir, path, ret_key, err);
}

struct keys *keys_load(const char *dir, const char *key_hex, bool may_make, struct error *err)
{
    if (sodium_init() < 0) {
        error_set(err, ERR_PERMANENT, "libsodium does not start");
        return NULL;
    }
    uint8_t master[KEY_SIZE];
    if (!find_key(dir, key_hex, may_make, master, err))
        return NULL;
    struct keys *keys = sodium_malloc(sizeof(*keys));
    if (!keys) {
        error_set(err, ERR_TEMPORARY, "no memory for the queue's keys");
    } else {
        uint8_t id[crypto_kdf_BYTES_MIN];
        memset(keys, 0, sizeof(*keys));
        crypto_kdf_derive_from_key(keys->sealing, sizeof(keys->sealing), SUBKEY_SEALING,
                                   KDF_CONTEXT, master);
        crypto_kdf_derive_from_key(id, sizeof(id), SUBKEY_ID, KDF_CONTEXT, master);
        memcpy(keys->id, id, sizeof(keys->id));
    }
    sodium_memzero(master, sizeof(master));
    return keys;
}

void keys_destroy(struct keys *keys)
{
    sodium_free(keys);
}

// ---- the digest key -------------------------------------------------------------------------

static const struct seal_binding DIGEST_KEY_BINDING = {.id = "digest_key"};

static bool unseal_digest_key(struct keys *keys, const void *sealed, size_t sealed_size,
                              const char *path, struct error *err)
{
    size_t size = 0;
    char *key = seal_open(keys, &DIGEST_KEY_BINDING, sealed, sealed_size, &size, NULL);
    bool ok = key && size == sizeof(keys->digest);
    if (ok)
        memcpy(keys->digest, key, sizeof(keys->digest));
    if (key)
        sodium_memzero(key, size);
    free(key);
    return ok ||
           error_set(err, ERR_INPUT, "%s was sealed with another key than the one given", path);
}

static bool make_digest_key(struct keys *keys, struct database *database, struct error *err)
{
    randombytes_buf(keys->digest, sizeof(keys->digest));
    size_t size = 0;
    AUTO_FREE void *sealed =
        seal_make(keys, &DIGEST_KEY_BINDING, keys->digest, sizeof(keys->digest), &size);
    if (!sealed)
        return error_set(err, ERR_TEMPORARY, "no memory");
    AUTO_QUERY struct query query =
        query_start(database, "INSERT INTO meta (name, value) VALUES ('digest_key', ?)");
    query_blob(&query, sealed, size);
    return query_run(&query) == SQLITE_OK || database_error(database, query.rc, "write", err);
}

bool keys_load_digest(struct keys *keys, struct database *database, struct error *err)
{
    AUTO_QUERY struct query query =
        query_start(database, "SELECT value FROM meta WHERE name = 'digest_key'");
    bool ok;
    if (query_step(&query)) {
        size_t size = 0;
        const void *sealed = query_get_blob(&query, &size);
        ok = unseal_digest_key(keys, sealed, size, database->path, err);
    } else {
        ok = query.rc == SQLITE_OK ? make_digest_key(keys, database, err)
                                   : database_error(database, query.rc, "read", err);
    }
    return ok && (sodium_mprotect_readonly(keys) == 0 ||
                  error_errno(err, ERR_IO, "protect the queue's keys"));
}

void keys_digest(const struct keys *keys, const char *purpose, const char *scope, const void *data,
                 size_t size, uint8_t ret_digest[KEYS_DIGEST_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, keys->digest, sizeof(keys->digest), KEYS_DIGEST_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
    if (scope)
        crypto_generichash_update(&state, (const uint8_t *)scope, strlen(scope) + 1);
    crypto_generichash_update(&state, data, size);
    crypto_generichash_final(&state, ret_digest, KEYS_DIGEST_SIZE);
    sodium_memzero(&state, sizeof(state));
}
