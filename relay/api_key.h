// api_key.h - who may call: named keys, kept as digests only.
//
// A list is separated by commas. An entry is KEY, NAME:KEY or NAME:sha256:HEX, where HEX is the
// SHA-256 of the key; admin keys carry a role as well: NAME:read:KEY, NAME:operate:sha256:HEX.
// Names and keys are free of commas and white space, names of colons too.
#ifndef RELAY_API_KEY_H
#define RELAY_API_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define API_KEY_NAME_SIZE 65
#define API_KEY_SHORT 16 // keys of fewer characters are worth a warning at every start

enum api_role { API_ROLE_SEND, API_ROLE_READ, API_ROLE_OPERATE };

struct api_keys; // immutable once made, so any number of threads may share it

// roles: the entries carry one each (admin keys); else all have API_ROLE_SEND. A key without a
// name is called "default", further ones "default-2" and so on. ERR_INPUT names an entry by its
// place or name, never by its key. NULL on failure.
struct api_keys *api_keys_parse(const char *text, bool roles, struct error *err);
// The list comes with one reference; each is given back by api_keys_destroy().
struct api_keys *api_keys_ref(struct api_keys *keys); // NULL gives NULL
void api_keys_destroy(struct api_keys *keys);         // NULL is a no-op

// The name of the key that was offered, good as long as keys, or NULL: unknown. Compares the
// digest with every entry in constant time, so the time taken tells nothing about any key.
const char *api_keys_find(const struct api_keys *keys, const char *offered, size_t offered_size,
                          enum api_role *ret_role);

// The names of keys shorter than API_KEY_SHORT, one per call: start with *place 0; NULL: no more.
// The length of a key given as a digest is not known, so it is never among them.
const char *api_keys_next_short(const struct api_keys *keys, size_t *place);

// The first key of such a list that stands there in the clear, for a command that has to offer
// one itself. The caller wipes and frees it; NULL: there is none.
char *api_keys_first_clear(const char *text);

#endif
