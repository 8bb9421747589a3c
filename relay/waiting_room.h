// waiting_room.h - where a core stays until its queue can be opened: one that was executed anew, or
// that has found its disk full.
//
// The disk may be gone for hours. Meanwhile every POST is answered 503 (the
// listener is there, intake is closed), and nothing of the folder is held open, so that it can be
// unmounted, repaired and mounted again. Logs what is in the way, once for each thing.
#ifndef RELAY_WAITING_ROOM_H
#define RELAY_WAITING_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

struct event_loop;

// Runs the loop for pause_ms, calls open, and after each failure does it again with a longer pause
// (at most 30 s). True: open was successful. False: *stopping turned true, or the loop failed.
bool waiting_room_stay(struct event_loop *loop, const bool *stopping, int64_t pause_ms,
                       bool (*open)(void *context, struct error *err), void *context);

#endif
