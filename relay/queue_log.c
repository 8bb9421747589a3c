#include "relay/queue_log.h"

#include <stdint.h>
#include <stdlib.h>

#include "relay/base/cleanup.h"
#include "relay/base/log.h"

enum {
    CLOCK_WENT_BACK_MS = 60 * 1000,         // less is what a battery's clock may be wrong by
    LONG_AWAY_MS = 3 * 24 * 60 * 60 * 1000, // nothing that waits lives for so long
};

void queue_log_made(struct queue *queue, const char *dir)
{
    bool beside_key;
    if (!queue_was_made(queue, &beside_key))
        return;
    AUTO_FREE char *full = realpath(dir, NULL);
    if (beside_key)
        LOG(LOG_WARNING, "queue_created", LOG_STRING("queue_dir", full ? full : dir),
            LOG_STRING("note", "queue.key was there, but no queue.db: what waited in it is gone"));
    else
        LOG(LOG_INFO, "queue_created", LOG_STRING("queue_dir", full ? full : dir));
}

static void log_lost_keys(bool are_given)
{
    LOG(LOG_ERROR, "queue_error",
        LOG_STRING("error",
                   are_given
                       ? "RELAY_QUEUE_KEY holds none of the keys that the queue was sealed with: "
                         "what waits is parked as unknown_key; give the old key behind the new one"
                       : "queue.key holds none of the keys that the queue was sealed with: what "
                         "waits is parked as unknown_key; add the old key's line to it"));
}

// Either end of it is told by nothing else: that dead codes may go, or why so much has expired.
static void log_doubtful_clock(int64_t away_ms)
{
    if (away_ms < -CLOCK_WENT_BACK_MS)
        LOG(LOG_WARNING, "clock_doubtful", LOG_INTEGER("away_s", away_ms / 1000),
            LOG_STRING("note", "the clock went back across a reboot: no time away is counted"));
    else if (away_ms > LONG_AWAY_MS)
        LOG(LOG_WARNING, "clock_doubtful", LOG_INTEGER("away_s", away_ms / 1000),
            LOG_STRING("note", "away for long, or the clock is wrong: what waited has expired"));
}

void queue_log_opened(struct queue *queue, bool keys_are_given)
{
    if (queue_keys_lost(queue))
        log_lost_keys(keys_are_given);
    log_doubtful_clock(queue_away_ms(queue));
}

void queue_log_blocked(void *context, const struct error *err)
{
    (void)context;
    if (err)
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err->message));
    else
        LOG(LOG_INFO, "queue_writable");
}

void queue_log_resealed(void *context, const struct queue_resealed *resealed)
{
    (void)context;
    if (resealed->err)
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", resealed->err->message));
    LOG(LOG_INFO, "resealed", LOG_INTEGER("bodies", (int64_t)resealed->bodies),
        LOG_INTEGER("older_keys_needed", (int64_t)resealed->keys_needed),
        LOG_STRING("note", resealed->are_given
                               ? "RELAY_QUEUE_KEY can do without the keys behind its first"
                               : NULL));
}
