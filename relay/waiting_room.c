#include "relay/waiting_room.h"

#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/event_loop.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 30 * 1000 };

static bool wait_for(struct event_loop *loop, const bool *stopping, int64_t for_ms)
{
    int64_t until_ms = clock_boot_ms() + for_ms, left_ms;
    while (!*stopping && (left_ms = until_ms - clock_boot_ms()) > 0) {
        struct error err;
        if (!event_loop_wait(loop, (int)left_ms, &err)) {
            LOG(LOG_ERROR, "event_loop_failed", LOG_STRING("error", err.message));
            return false;
        }
    }
    return !*stopping;
}

bool waiting_room_stay(struct event_loop *loop, const bool *stopping, int64_t pause_ms,
                       bool (*open)(void *context, struct error *err), void *context)
{
    struct error last = {0};
    while (wait_for(loop, stopping, pause_ms)) {
        struct error err = {0};
        if (open(context, &err))
            return true;
        pause_ms = pause_ms < PAUSE_FIRST_MS     ? PAUSE_FIRST_MS
                   : pause_ms < PAUSE_MAX_MS / 2 ? pause_ms * 2
                                                 : PAUSE_MAX_MS;
        if (strcmp(err.message, last.message) != 0)
            LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message),
                LOG_STRING("note", "the queue is opened as soon as that is possible"));
        last = err;
    }
    return false;
}
