// rekey.h - how the installation's key changes while the queue is in use.
//
// A new key is put first in queue.key, on disk, before anything is sealed with it. From then on it
// seals; a thread of its own has the writer seal the older bodies anew, a batch at a time, and
// takes the older keys out of queue.key when no body needs them. A kill at any moment leaves a file
// whose keys open every body; the next start goes on with whatever more than one key is in it.
#ifndef QUEUE_REKEY_H
#define QUEUE_REKEY_H

#include "queue/keys.h"
#include "queue/queue.h"
#include "queue/writer.h"

struct rekey;

// keys and writer are borrowed; options for this call. Seals nothing before it is told to. NULL on
// failure.
struct rekey *rekey_start(struct keys *keys, struct writer *writer,
                          const struct queue_options *options, struct error *err);
// The writer has stopped. NULL is a no-op.
void rekey_stop(struct rekey *rekey);

// Begins where the ring has more than one key: when all else that a start writes is committed,
// since on a disk that is nearly full a batch could take the room for it, and be refused with it.
void rekey_go_on(struct rekey *rekey);

// See queue_rekey().
bool rekey_begin(struct rekey *rekey, bool *ret_made, char ret_key_id[KEYS_ID_HEX_SIZE],
                 struct error *err);

#endif
