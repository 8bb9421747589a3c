// backup.h - a backup of the queue while it is used.
//
// The pages are copied by the writer thread, on its own connection and between its commits
// (copy.h): each step takes some 0.3 ms, holds nothing open behind it, and is followed by a pause
// of several times its length. A thread of its own gives the pace, and does what waits for the
// target's disk.
#ifndef QUEUE_BACKUP_H
#define QUEUE_BACKUP_H

#include "queue/queue.h"
#include "queue/writer.h"

struct backup; // a place for one at a time

// dir and writer are borrowed. Aborts without memory.
struct backup *backup_create(const char *dir, struct writer *writer);
void backup_destroy(struct backup *backup); // a stopped one; NULL is a no-op

// See queue_backup(), queue_backup_stop().
bool backup_start(struct backup *backup, const char *path, queue_backup_done_fn *done,
                  void *context, struct error *err);
void backup_stop(struct backup *backup);

#endif
