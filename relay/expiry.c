#include "relay/expiry.h"

#include "relay/base/log.h"
#include "relay/dispatch.h"

enum {
    SWEEP_EVERY_MS = 60 * 60 * 1000,
    SWEEP_AGAIN_MS = 100, // while there is more: in batches, so that accepting does not wait
    SWEEP_BATCH = 500,
};

void expiry_sweep(struct dispatcher *dispatcher, int64_t now_ms)
{
    if (now_ms < dispatcher->sweep_at_ms || !queue_can_settle(dispatcher->queue))
        return;
    int64_t before_ms = queue_now_ms(dispatcher->queue) - dispatcher->config->retention_ms;
    size_t swept = 0;
    bool more = false;
    struct error err = {0};
    if (!queue_sweep(dispatcher->queue, before_ms, SWEEP_BATCH, &swept, &more, &err))
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
    dispatcher->sweep_at_ms = now_ms + (more ? SWEEP_AGAIN_MS : SWEEP_EVERY_MS);
}
