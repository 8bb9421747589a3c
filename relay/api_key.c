#include "relay/api_key.h"

#include <ctype.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/timestamp.h"

#define NOT_AFTER "not_after="

enum { KEYS_MAX = 64, DIGEST_SIZE = crypto_hash_sha256_BYTES };

struct api_key {
    char name[API_KEY_NAME_SIZE];
    enum api_role role;
    bool is_short;
    int64_t not_after_ms;
    uint8_t digest[DIGEST_SIZE];
};

struct api_keys {
    atomic_size_t references;
    size_t count;
    struct api_key keys[KEYS_MAX];
};

// One entry taken apart; the pieces lie in the list's text.
struct entry {
    const char *name; // NULL: none
    size_t name_size;
    enum api_role role;
    bool is_digest;
    const char *key; // or the digest's digits
    size_t key_size;
    const char *not_after; // NULL: none
    size_t not_after_size;
    bool is_odd; // what stands behind ';' is not known
};

static bool piece_is(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

// Gives the piece before the next colon and moves *text behind it; false where there is none.
static bool take_piece(const char **text, const char *end, const char **ret_piece, size_t *ret_size)
{
    const char *colon = memchr(*text, ':', (size_t)(end - *text));
    if (!colon)
        return false;
    *ret_piece = *text;
    *ret_size = (size_t)(colon - *text);
    *text = colon + 1;
    return true;
}

static bool entry_split(const char *text, const char *end, bool roles, struct entry *ret_entry,
                        struct error *err)
{
    *ret_entry = (struct entry){.role = API_ROLE_SEND};
    const char *piece;
    size_t size;
    // A key holds no ';': else one with a misspelt end would be another key than was meant.
    const char *behind = memchr(text, ';', (size_t)(end - text));
    if (behind) {
        size = (size_t)(end - behind - 1);
        ret_entry->is_odd =
            size < strlen(NOT_AFTER) || memcmp(behind + 1, NOT_AFTER, strlen(NOT_AFTER)) != 0;
        if (!ret_entry->is_odd) {
            ret_entry->not_after = behind + 1 + strlen(NOT_AFTER);
            ret_entry->not_after_size = (size_t)(end - ret_entry->not_after);
        }
        end = behind;
    }
    take_piece(&text, end, &ret_entry->name, &ret_entry->name_size);
    if (roles) {
        if (!take_piece(&text, end, &piece, &size) ||
            (!piece_is(piece, size, "read") && !piece_is(piece, size, "operate")))
            return error_set(err, ERR_INPUT, "is not NAME:read:KEY or NAME:operate:KEY");
        ret_entry->role = piece_is(piece, size, "read") ? API_ROLE_READ : API_ROLE_OPERATE;
    }
    const char *rest = text;
    if (ret_entry->name && take_piece(&rest, end, &piece, &size) &&
        piece_is(piece, size, "sha256")) {
        ret_entry->is_digest = true;
        text = rest;
    }
    ret_entry->key = text;
    ret_entry->key_size = (size_t)(end - text);
    return true;
}

static bool read_end(const struct entry *entry, int64_t *ret_not_after_ms)
{
    *ret_not_after_ms = API_KEY_NO_END;
    return !entry->not_after ||
           timestamp_parse(entry->not_after, entry->not_after_size, ret_not_after_ms);
}

static bool name_is_valid(const char *name, size_t size)
{
    if (size == 0 || size >= API_KEY_NAME_SIZE)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return true;
}

static bool key_is_valid(const char *key, size_t size)
{
    if (size == 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (key[i] <= ' ' || key[i] == 0x7f)
            return false;
    return true;
}

static const struct api_key *find_name(const struct api_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].name, name) == 0)
            return &keys->keys[i];
    return NULL;
}

static void make_name(const struct api_keys *keys, char *name)
{
    snprintf(name, API_KEY_NAME_SIZE, "default");
    for (size_t number = 2; find_name(keys, name); number++)
        snprintf(name, API_KEY_NAME_SIZE, "default-%zu", number);
}

static bool take_name(struct api_keys *keys, const struct entry *entry, struct api_key *key,
                      struct error *err)
{
    if (!entry->name) {
        make_name(keys, key->name);
        return true;
    }
    if (!name_is_valid(entry->name, entry->name_size))
        return error_set(err, ERR_INPUT, "has a name that is not of letters, digits, '-_.'");
    memcpy(key->name, entry->name, entry->name_size);
    return !find_name(keys, key->name) ||
           error_set(err, ERR_INPUT, "has the name %s a second time", key->name);
}

static bool take_digest(const struct entry *entry, struct api_key *key, struct error *err)
{
    size_t size;
    if (entry->key_size != 2 * DIGEST_SIZE ||
        sodium_hex2bin(key->digest, DIGEST_SIZE, entry->key, entry->key_size, NULL, &size, NULL) !=
            0 ||
        size != DIGEST_SIZE)
        return error_set(err, ERR_INPUT,
                         "(%s) has no %d hexadecimal digits after sha256:", key->name,
                         2 * DIGEST_SIZE);
    // What `printf %s "$KEY" | sha256sum` gives where KEY is not set.
    uint8_t nothing[DIGEST_SIZE];
    crypto_hash_sha256(nothing, NULL, 0);
    if (sodium_memcmp(key->digest, nothing, DIGEST_SIZE) == 0)
        return error_set(err, ERR_INPUT, "(%s) is the digest of an empty key", key->name);
    return true;
}

static bool take_key(const struct entry *entry, struct api_key *key, struct error *err)
{
    if (entry->is_digest)
        return take_digest(entry, key, err);
    if (!key_is_valid(entry->key, entry->key_size))
        return error_set(err, ERR_INPUT, "(%s) is empty or holds white space", key->name);
    key->is_short = entry->key_size < API_KEY_SHORT;
    crypto_hash_sha256(key->digest, (const unsigned char *)entry->key, entry->key_size);
    return true;
}

static bool add(struct api_keys *keys, const struct entry *entry, struct error *err)
{
    if (keys->count == KEYS_MAX)
        return error_set(err, ERR_INPUT, "is one more than %d keys", KEYS_MAX);
    struct api_key *key = &keys->keys[keys->count];
    *key = (struct api_key){.role = entry->role};
    if (!take_name(keys, entry, key, err))
        return false;
    if (entry->is_odd)
        return error_set(err, ERR_INPUT, "(%s) after ';' only not_after=DAY is known", key->name);
    if (!take_key(entry, key, err))
        return false;
    if (!read_end(entry, &key->not_after_ms))
        return error_set(err, ERR_INPUT,
                         "(%s) has a not_after that is neither a day like 2027-01-31 nor a moment "
                         "like 2027-01-31T18:00:00Z",
                         key->name);
    // Which name it goes by, and until when it is good, would be anybody's guess.
    for (size_t i = 0; i < keys->count; i++)
        if (sodium_memcmp(key->digest, keys->keys[i].digest, DIGEST_SIZE) == 0)
            return error_set(err, ERR_INPUT, "(%s) is the same key as %s", key->name,
                             keys->keys[i].name);
    keys->count++;
    return true;
}

// The next entry of a list, without the white space around it.
static bool next_entry(const char **text, const char **ret_start, const char **ret_end)
{
    if (!*text)
        return false;
    const char *comma = strchrnul(*text, ',');
    const char *start = *text, *end = comma;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    *ret_start = start;
    *ret_end = end;
    *text = *comma ? comma + 1 : NULL;
    return true;
}

struct api_keys *api_keys_parse(const char *text, bool roles, struct error *err)
{
    struct api_keys *keys = sodium_init() < 0 ? NULL : calloc(1, sizeof(*keys));
    if (!keys) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    atomic_init(&keys->references, 1);
    const char *start, *end;
    for (size_t place = 1; next_entry(&text, &start, &end); place++) {
        struct entry entry;
        if (!entry_split(start, end, roles, &entry, err) || !add(keys, &entry, err)) {
            error_prefix(err, "key %zu", place);
            api_keys_destroy(keys);
            return NULL;
        }
    }
    return keys;
}

struct api_keys *api_keys_ref(struct api_keys *keys)
{
    if (keys)
        atomic_fetch_add(&keys->references, 1);
    return keys;
}

void api_keys_destroy(struct api_keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->references, 1) > 1)
        return;
    sodium_memzero(keys, sizeof(*keys));
    free(keys);
}

static struct api_key_entry entry_of(const struct api_key *key)
{
    return (struct api_key_entry){.name = key->name,
                                  .role = key->role,
                                  .is_short = key->is_short,
                                  .not_after_ms = key->not_after_ms};
}

bool api_keys_find(const struct api_keys *keys, const char *offered, size_t offered_size,
                   struct api_key_entry *ret_entry)
{
    uint8_t digest[DIGEST_SIZE];
    crypto_hash_sha256(digest, (const unsigned char *)offered, offered_size);
    const struct api_key *found = NULL;
    for (size_t i = 0; i < keys->count; i++)
        if (sodium_memcmp(digest, keys->keys[i].digest, DIGEST_SIZE) == 0)
            found = &keys->keys[i];
    if (!found)
        return false;
    *ret_entry = entry_of(found);
    return true;
}

bool api_keys_at(const struct api_keys *keys, size_t place, struct api_key_entry *ret_entry)
{
    if (place >= keys->count)
        return false;
    *ret_entry = entry_of(&keys->keys[place]);
    return true;
}

char *api_keys_first_clear(const char *text, int64_t wall_ms)
{
    const char *start, *end;
    while (next_entry(&text, &start, &end)) {
        struct entry entry;
        int64_t not_after_ms;
        if (entry_split(start, end, false, &entry, NULL) && !entry.is_digest && !entry.is_odd &&
            read_end(&entry, &not_after_ms) && wall_ms <= not_after_ms)
            return strndup(entry.key, entry.key_size);
    }
    return NULL;
}
