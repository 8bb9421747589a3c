// presence.h - are the database's files still the ones at their paths?
//
// A file that was removed, moved away, or whose disk was unmounted by `umount -l` takes writes and
// syncs as ever from whoever has it open, and nobody finds them again. SQLite does not look. One
// thread at a time.
#ifndef QUEUE_PRESENCE_H
#define QUEUE_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay/base/error.h"

struct presence {
    struct presence_file {
        char *path;
        dev_t device;
        ino_t inode;
    } files[2]; // queue.db, queue.db-wal
    int64_t look_at_ms;
};

// Notes which files are at the path of the database, and of its log, now.
void presence_init(struct presence *presence, const char *database_path);
void presence_finish(struct presence *presence);

// False: they are not there any more, or others are. Looks at most once a second: now_ms is of
// CLOCK_MONOTONIC.
bool presence_look(struct presence *presence, int64_t now_ms, struct error *err);

#endif
