// wal.h - the write-ahead log: how long it is, and when it goes into the database.
//
// The writer's connection alone checkpoints, between its commits. A checkpoint that has put
// everything into the database does not make the log shorter by itself: the next commit begins it
// anew only where no reader uses it at that moment, and readers that never pause would let it grow
// for ever. So when it is long, the writer waits a moment for those that read just then: new ones
// read the database and leave the log alone. No reader of ours stays for more than a second.
//
// All moments are CLOCK_MONOTONIC, in ms.
#ifndef QUEUE_WAL_H
#define QUEUE_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/database.h"

struct wal {
    struct database *database;
    int pages;              // in the log
    int checkpointed_pages; // of those, in the database as well
    int64_t committed_at_ms;
    int64_t from_ms;    // no checkpoint before this: a reader held the last one up
    bool grew;          // the last commit has put something into it
    int asked_at_pages; // see wal_asks_for_room()
};

// Watches the connection's commits from now on; both stay where they are. The log is empty now.
void wal_init(struct wal *wal, struct database *database);

// When the next checkpoint is to be made if nothing is committed meanwhile; INT64_MAX: none is.
int64_t wal_idle_moment(const struct wal *wal);
// Is the log so long that a checkpoint cannot wait for a pause? is_tight: on a full disk, where
// it lives on the reserve.
bool wal_is_long(const struct wal *wal, int64_t now_ms, bool is_tight);

// A log that finds no room in the database can never begin anew, and a full disk would stay so for
// ever. True once each megabyte: it is time to see whether wal_fresh_bytes() still fit there.
bool wal_asks_for_room(struct wal *wal);
size_t wal_fresh_bytes(const struct wal *wal); // not in the database yet: what that may grow by

// Each makes a checkpoint and returns SQLite's code. A reader in the way is no failure.
int wal_checkpoint(struct wal *wal, int64_t now_ms);      // waits for nobody
int wal_checkpoint_long(struct wal *wal, int64_t now_ms); // the next commit begins the log anew
int wal_give_back(struct wal *wal, int64_t now_ms);       // its blocks go to the file system
int64_t wal_size_bytes(const struct wal *wal);            // of its file, whatever is in it

#endif
