// change_reseal.h - one batch of resealing, on the stack of the thread that waits for it.
#ifndef QUEUE_CHANGE_RESEAL_H
#define QUEUE_CHANGE_RESEAL_H

#include "queue/change.h"

#define RESEAL_BEGIN INT64_MIN

struct reseal {
    struct change change; // of CHANGE_RESEAL
    const struct keys *keys;
    int64_t begin_seq; // rows behind this one; RESEAL_BEGIN: all, and the digest key

    // What came of it.
    int64_t after_seq; // where the next batch begins
    bool at_end;
    size_t bodies, bytes; // sealed anew
    bool
        still_used[KEY_LIST_MAX]; // keys of the ring whose bodies were left, since they do not open
};

// Not kept while the disk is full: outcomes need its last room.
extern const struct change_type CHANGE_RESEAL;

#endif
