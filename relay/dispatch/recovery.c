#include "relay/dispatch/recovery.h"

#include <stdlib.h>

#include "relay/base/log.h"

static void ignore_result(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id; // queue_flush() tells; a row that is gone is settled
}

static void settle_verdict(struct queue *queue, const struct dot *dot,
                           const struct queue_message *row)
{
    const struct queue_attempt attempt = {
        .started_ms = row->updated_ms,
        .smarthost = row->smarthost,
        .outcome = dot->reply_code / 100 == 2 ? "sent" : "permanent",
        .reply_code = dot->reply_code,
        .reply_text = "verdict found after a restart",
    };
    const struct queue_settlement settlement = {
        .state = dot->reply_code / 100 == 2 ? MESSAGE_SENT : MESSAGE_FAILED,
        .reason = dot->reply_code / 100 == 2 ? NULL : "rejected",
        .attempt = &attempt,
        .charge = true,
    };
    LOG(LOG_INFO, message_state_name(settlement.state), LOG_STRING("id", dot->id),
        LOG_STRING("reason", "verdict found after a restart"));
    queue_settle(queue, dot->id, &settlement, ignore_result, NULL);
}

// The smarthost may have it. The count is committed before it is sent again.
static void settle_unknown(struct queue *queue, const struct dot *dot,
                           const struct queue_message *row, int max_unknown)
{
    const struct queue_attempt attempt = {
        .started_ms = row->updated_ms,
        .smarthost = row->smarthost,
        .outcome = "unknown",
        .reply_text = "the relay died with the final dot under way",
    };
    struct queue_settlement settlement = {
        .state = row->composed ? MESSAGE_QUEUED : MESSAGE_RECEIVED,
        .attempt = &attempt,
        .charge = true,
        .charge_unknown = true,
    };
    if (row->unknown_outcomes >= max_unknown) {
        settlement.state = MESSAGE_UNKNOWN;
        settlement.reason = "unknown_outcomes";
        LOG(LOG_WARNING, "unknown", LOG_STRING("id", dot->id),
            LOG_STRING("reason", settlement.reason));
    }
    queue_settle(queue, dot->id, &settlement, ignore_result, NULL);
}

// A temporary refusal (4xx) needs no settling: the row is still there to be tried again. Nor does
// a dot under way where marks may be lost: queue_recover() counts every row that may be unknown.
static bool settle_mark(struct queue *queue, struct queue_reader *reader, const struct dot *dot,
                        int max_unknown, bool *ret_stays, struct error *err)
{
    struct queue_message row;
    bool found = false;
    struct error why = {0};
    *ret_stays = false;
    if (!queue_load(reader, dot->id, &row, &found, NULL, NULL, &why)) {
        if (why.code != ERR_CORRUPT)
            return error_set(err, why.code, "%s", why.message);
        // A row that nobody can read must not keep the others from being served.
        LOG(LOG_ERROR, "queue_error", LOG_STRING("id", dot->id), LOG_STRING("error", why.message));
        return true;
    }
    bool is_final = dot->state == DOT_VERDICT && dot->reply_code / 100 != 4;
    bool is_received = found && row.state == MESSAGE_RECEIVED;
    bool is_unknown = dot->state == DOT_BEGUN && !queue_rebooted(queue);
    *ret_stays = is_received && (is_final || (is_unknown && row.unknown_outcomes < max_unknown));
    if (found && is_final && !is_received)
        settle_verdict(queue, dot, &row);
    else if (found && is_unknown)
        settle_unknown(queue, dot, &row, max_unknown);
    return true;
}

bool recovery_run(struct queue *queue, struct dots *dots, const char *owner, int max_unknown,
                  struct error *err)
{
    struct queue_reader *reader = queue_reader_create(queue, err);
    if (!reader)
        return false;
    bool ok = true, stays[DOTS_COUNT] = {false};
    size_t marks = 0;
    for (size_t i = 0; ok && i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dots, i, &dot);
        if (dot.state == DOT_FREE)
            continue;
        marks++;
        ok = settle_mark(queue, reader, &dot, max_unknown, &stays[i], err);
    }
    queue_reader_destroy(reader);
    if (!ok || !queue_flush(queue, err))
        return false;
    size_t released = 0;
    if (!queue_recover(queue, owner, max_unknown, &released, err))
        return false;
    // Only now: what was not committed must be found again if this start fails.
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dots, i, &dot);
        if (!stays[i])
            dots_clear(dots, i);
        else if (dot.state == DOT_BEGUN)
            dots_take_back(dots, i);
    }
    if (marks > 0 || released > 0)
        LOG(LOG_INFO, "recovered", LOG_INTEGER("marks", (int64_t)marks),
            LOG_INTEGER("leases", (int64_t)released),
            LOG_BOOLEAN("rebooted", queue_rebooted(queue)));
    return true;
}
