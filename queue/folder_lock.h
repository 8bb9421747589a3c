// folder_lock.h - the one process that may use a queue's folder: queue.lock, held for life.
#ifndef QUEUE_FOLDER_LOCK_H
#define QUEUE_FOLDER_LOCK_H

#include "relay/base/error.h"

// Closing the descriptor gives the lock back. -1: ERR_TEMPORARY where another process, or another
// part of this one, has it.
int folder_lock(const char *dir, struct error *err);

// For commands, where no daemon runs: a folder without queue.db is left without a lock file.
// ERR_INPUT.
int folder_lock_queue(const char *dir, struct error *err);

#endif
