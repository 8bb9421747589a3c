// api_key.h - who may call: named keys, kept as digests only.
//
// A list is separated by commas. An entry is KEY, NAME:KEY or NAME:sha256:HEX, where HEX is the
// SHA-256 of the key; admin keys carry a role as well: NAME:read:KEY, NAME:operate:sha256:HEX.
// Behind that may stand when the key ends: ";not_after=2027-01-31" (good through that day, UTC)
// or ";not_after=2027-01-31T18:00:00Z". Names and keys are free of commas, semicolons and white
// space, names of colons too.
#ifndef RELAY_API_KEY_H
#define RELAY_API_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"

#define API_KEY_NAME_SIZE 65
#define API_KEY_SHORT 16 // keys of fewer characters are worth a warning at every start

enum api_role { API_ROLE_SEND, API_ROLE_READ, API_ROLE_OPERATE };

// What a list says about a key.
struct api_key_entry {
    const char *name; // good as long as the list
    enum api_role role;
    bool is_short;        // fewer than API_KEY_SHORT characters; not known of a digest
    int64_t not_after_ms; // the last millisecond since the epoch it is good at; or API_KEY_NO_END
};
#define API_KEY_NO_END INT64_MAX

struct api_keys; // immutable once made, so any number of threads may share it

// roles: the entries carry one each (admin keys); else all have API_ROLE_SEND. A key without a
// name is called "default", further ones "default-2" and so on. No two entries share a name or a
// key. ERR_INPUT names an entry by its place or name, never by its key. NULL on failure.
struct api_keys *api_keys_parse(const char *text, bool roles, struct error *err);
// The list comes with one reference; each is given back by api_keys_destroy().
struct api_keys *api_keys_ref(struct api_keys *keys); // NULL gives NULL
void api_keys_destroy(struct api_keys *keys);         // NULL is a no-op

// Which entry the offered key is, whether past its end or not; false: it is none. Compares the
// digest with every entry in constant time, so the time taken tells nothing about any key.
bool api_keys_find(const struct api_keys *keys, const char *offered, size_t offered_size,
                   struct api_key_entry *ret_entry);

// The entry at that place, from 0; false: there are no more.
bool api_keys_at(const struct api_keys *keys, size_t place, struct api_key_entry *ret_entry);

// The first key of such a list without roles that stands there in the clear and is good at
// wall_ms, for a command that has to offer one itself. The caller wipes and frees it; NULL: there
// is none.
char *api_keys_first_clear(const char *text, int64_t wall_ms);

#endif
