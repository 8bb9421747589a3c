// dots.h - the dot marks: which messages have an SMTP final dot under way, and its verdict.
//
// A small file in the queue's folder, mapped by the core and every deliverer. It answers, after
// the core or a deliverer has died, the only question that the queue cannot: may the smarthost
// have taken this message? The file is never synced: it is for the death of a process. A
// reboot makes it worthless, so it carries the boot id, and marks of another boot are ignored.
//
//   core:      dots_assign(i, id) -> hands message and i to a deliverer -> dots_clear(i), only
//              once the message's outcome is committed
//   deliverer: dots_begin(i) immediately before the final dot -> dots_verdict(i, ...) at once
//              when the reply was read
//
// Locks: each deliverer holds a shared flock on the file for its life; dots_open() takes it
// exclusively for a moment, so it returns only when no deliverer from before is still at work.
// The format is private to one boot of one version: a file of another layout counts as empty.
#ifndef RELAY_BASE_DOTS_H
#define RELAY_BASE_DOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define DOTS_COUNT 512
#define DOTS_ID_SIZE 37 // a UUID's text with its NUL

enum dot_state {
    DOT_FREE = 0,
    DOT_ASSIGNED, // handed to a deliverer; the dot was not begun
    DOT_BEGUN,    // the dot may have been sent
    DOT_VERDICT,  // the smarthost's reply to the dot was read: reply_code
};

struct dot {
    enum dot_state state;
    char id[DOTS_ID_SIZE];
    int reply_code; // DOT_VERDICT: 250, 451, 554 ...
};

struct dots; // opaque

// Core: opens or makes dir/dots, waiting at most wait_ms for deliverers from before to end.
// Marks of an earlier run in this boot are there for dots_get(). ERR_TEMPORARY: one still lives.
// ERR_FULL: the file's blocks cannot be had.
struct dots *dots_open(const char *dir, int wait_ms, struct error *err);
// For a deliverer that is only asked something: marks that are in no folder, and end with it.
struct dots *dots_create_unnamed(struct error *err);
// Core: a descriptor for one deliverer, already carrying its shared lock. The caller passes it
// to the child and closes its own.
int dots_share(const struct dots *dots, struct error *err);
// Deliverer: maps what dots_share() gave. The descriptor stays open: it is the lock.
struct dots *dots_map(int fd, struct error *err);
void dots_close(struct dots *dots); // NULL is a no-op
// Core: are the marks on disk, for the next incarnation to find? False: its disk did not take them,
// or their file was removed.
bool dots_sync(struct dots *dots);

void dots_get(const struct dots *dots, size_t index, struct dot *ret_dot);
// The mark of the message id, or -1.
int dots_find(const struct dots *dots, const char *id);
// Takes a free mark for the message id, or returns -1 when all are in use.
int dots_assign(struct dots *dots, const char *id);
void dots_clear(struct dots *dots, size_t index);
// DOT_ASSIGNED again: what became of its dot is accounted for.
void dots_take_back(struct dots *dots, size_t index);

// Callable from any thread of the deliverer; two stores to memory, no system call.
void dots_begin(struct dots *dots, size_t index);
void dots_verdict(struct dots *dots, size_t index, int reply_code);

#endif
