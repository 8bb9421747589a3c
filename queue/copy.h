// copy.h - a copy of queue.db made page by page while the queue is used.
//
// SQLite's online backup, which carries what its own connection writes meanwhile over into the
// copy: so the copy is made in many small steps between commits, is consistent as of its last one,
// and holds no read transaction between two of them.
//
// copy_begin(), copy_step() and copy_end() belong to the connection's thread. The rest of the work
// touches nothing but the copy, and may be done by another one.
#ifndef QUEUE_COPY_H
#define QUEUE_COPY_H

#include "queue/database.h"

struct copy;

// Takes the empty file at path over. NULL on failure.
struct copy *copy_begin(struct database *from, const char *path, struct error *err);
// Copies that many pages more; *ret_done: that was all.
bool copy_step(struct copy *copy, int pages, bool *ret_done, struct error *err);
// The copy is closed, and good where copy_step() said done. NULL is a no-op.
void copy_end(struct copy *copy);

// All of it at once, for whoever has the queue to himself.
bool copy_all(struct database *from, const char *path, struct error *err);

// Opens a copy that has been ended, to be looked at or changed by its only user: it is no longer
// one with a write-ahead log, so no other file comes to stand beside it.
bool copy_open(struct database *copy, const char *path, struct error *err);

#endif
