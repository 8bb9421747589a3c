// wal_file.h - how the write-ahead log of one connection reaches its file: in few, large writes,
// and in blocks that the file has already.
//
// SQLite writes two pieces a page, each with a call of its own, and makes the file longer with each
// commit. To sync a file that has grown costs more than twice as much, since what the file system
// notes about it has to be written as well. What reaches the disk before a sync ends is the same.
#ifndef QUEUE_WAL_FILE_H
#define QUEUE_WAL_FILE_H

#include "queue/database.h"

// For the one connection that writes, whose log is open (it has read or written in WAL mode) and
// whose commits are synced. Until it is closed; nothing is to be released.
void wal_file_improve(const struct database *database);

#endif
