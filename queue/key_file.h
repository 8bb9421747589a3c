// key_file.h - the keys as an operator has them: queue.key, or the text of a setting.
//
// Keys of 64 hexadecimal digits, a line each (or apart by commas or blanks). The first seals, all
// of them open. They are read, made and taken out here; what is done with them is keys.h's.
#ifndef QUEUE_KEY_FILE_H
#define QUEUE_KEY_FILE_H

#include <sodium.h>

#include "relay/base/error.h"

#define KEY_FILE "queue.key"
#define KEY_FILE_NEW KEY_FILE ".new" // beside it, while it is written
#define KEY_LIST_MAX 16

// Lives in sodium_malloc() memory.
struct key_list {
    size_t count;
    uint8_t keys[KEY_LIST_MAX][crypto_kdf_KEYBYTES];
};

// Empty. NULL: no memory.
struct key_list *key_list_create(struct error *err);
void key_list_destroy(struct key_list *list); // NULL is a no-op

// Replaces what list holds. The same key twice is one. ERR_INPUT where there is none, or where
// something else stands among them; the message says `where` and shows nothing of them.
bool key_list_parse(struct key_list *list, const char *text, size_t size, const char *where,
                    struct error *err);
// A new random key in front. ERR_INPUT: the list is full.
bool key_list_make(struct key_list *list, struct error *err);
void key_list_remove(struct key_list *list, size_t index);

// Reads dir/queue.key. *ret_found false: there is no such file. ERR_INPUT: no keys, or a file that
// group or others may read.
bool key_file_read(const char *dir, struct key_list *list, bool *ret_found, struct error *err);

// Puts list in the place of dir/queue.key (0600): a crash leaves the old file or the new one, never
// half of one, and when this returns true the new one is on disk. False: it may be either. The
// caller has the queue's lock.
bool key_file_write(const char *dir, const struct key_list *list, struct error *err);
// Removes what a crash in the midst of that has left: a key that nothing is sealed with. Where it
// cannot be removed (a disk that is read-only for now) it stays; nobody reads it.
void key_file_tidy(const char *dir);

#endif
