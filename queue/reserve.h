// reserve.h - blocks held back, so that a full disk still takes how messages end.
//
// The file `reserve` in the queue's folder owns 8 MB and says nothing. On a full disk its blocks
// are given back to the file system, for the write-ahead log to grow by: what was sent can be
// written down as sent. Nothing is accepted until the reserve is whole again; so while it is whole,
// the database is kept from growing into the room that this takes. Its descriptor stays open, so
// that neither direction needs a file to be made. One thread at a time.
#ifndef QUEUE_RESERVE_H
#define QUEUE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define RESERVE_FILE "reserve"
#define RESERVE_BYTES (8 * 1024 * 1024)
// What has to be free beside it: a disk with less counts as full.
#define RESERVE_SPARE_BYTES (1024 * 1024)
// What outcomes may add to the database while the disk is full.
#define RESERVE_GROWTH_BYTES (2 * 1024 * 1024)

struct reserve {
    char *path;
    int fd; // < 0: not open; there was no inode for it
    bool whole;
};

// Opens or makes dir/reserve. A disk that has no room for it is no failure: it is not whole then.
// Nor is it where the disk has no room beside it; what it held is free for the opening then. Where
// a file system knows no such thing as taking blocks, the reserve counts as whole: a full disk
// means less there.
bool reserve_open(struct reserve *reserve, const char *dir, struct error *err);
void reserve_close(struct reserve *reserve); // good for one that was never opened, too

// Takes the blocks again, if that leaves RESERVE_SPARE_BYTES. True: it is whole.
bool reserve_fill(struct reserve *reserve);
// What is free on its disk, and a quarter of what it holds: so much the database may still grow by
// with the rest left for outcomes. SIZE_MAX where the file system does not say.
size_t reserve_room_bytes(const struct reserve *reserve);
// So large may the database become that the reserve can still be taken again once the disk was
// full, with the log's blocks given back: a database never gets shorter. files_bytes: what it and
// its log have now. SIZE_MAX where the file system does not say.
size_t reserve_limit_bytes(const struct reserve *reserve, size_t files_bytes);
// How much is missing on the disk for reserve_fill(); 0: nothing, or that cannot be known.
size_t reserve_missing_bytes(const struct reserve *reserve);
// Gives the blocks back. True: there are more free now than before.
bool reserve_give_up(struct reserve *reserve);

#endif
