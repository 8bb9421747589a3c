#include "relay/dispatch/recovery.h"

#include <stdlib.h>

#include "relay/base/log.h"
#include "relay/metrics.h"

static void ignore_result(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id; // queue_flush() tells; a row that is gone is settled
}

static const char *trace_of(const struct queue_message *row)
{
    return row->trace_id[0] ? row->trace_id : NULL;
}

static const enum lane *lane_of(const struct queue_message *row)
{
    return row->has_lane ? &row->lane : NULL;
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
        LOG_STRING("trace_id", trace_of(row)),
        LOG_STRING("reason", "verdict found after a restart"));
    metrics_ended(settlement.state, lane_of(row), row->template);
    queue_settle(queue, dot->id, &settlement, ignore_result, NULL);
}

static void tell_unknown(const struct queue_message *row)
{
    LOG(LOG_WARNING, "unknown", LOG_STRING("id", row->id), LOG_STRING("trace_id", trace_of(row)),
        LOG_STRING("reason", "unknown_outcomes"));
    metrics_ended(MESSAGE_UNKNOWN, lane_of(row), row->template);
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
        tell_unknown(row);
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

// What has ended because the machine was started anew once too often.
static void tell_ended(struct queue_reader *reader, const struct queue_recovery *recovery)
{
    for (size_t i = 0; i < recovery->ended_count; i++) {
        struct queue_message row;
        bool found = false;
        struct error err = {0};
        if (!queue_load(reader, recovery->ended[i], &row, &found, NULL, NULL, &err))
            LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
        else if (found)
            tell_unknown(&row);
    }
}

// Gives how many marks there were. ret_stays has room for DOTS_COUNT.
static bool settle_marks(struct queue *queue, struct queue_reader *reader, struct dots *dots,
                         int max_unknown, bool *ret_stays, size_t *ret_marks, struct error *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dots, i, &dot);
        if (dot.state == DOT_FREE)
            continue;
        ++*ret_marks;
        ok = settle_mark(queue, reader, &dot, max_unknown, &ret_stays[i], err);
    }
    return ok && queue_flush(queue, err);
}

static void clear_marks(struct dots *dots, const bool *stays)
{
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        struct dot dot;
        dots_get(dots, i, &dot);
        if (!stays[i])
            dots_clear(dots, i);
        else if (dot.state == DOT_BEGUN)
            dots_take_back(dots, i);
    }
}

bool recovery_run(struct queue *queue, struct dots *dots, const char *owner, int max_unknown,
                  struct error *err)
{
    struct queue_reader *reader = queue_reader_create(queue, err);
    if (!reader)
        return false;
    bool stays[DOTS_COUNT] = {false};
    size_t marks = 0;
    struct queue_recovery recovery = {0};
    bool ok = settle_marks(queue, reader, dots, max_unknown, stays, &marks, err) &&
              queue_recover(queue, owner, max_unknown, &recovery, err);
    tell_ended(reader, &recovery);
    free(recovery.ended);
    queue_reader_destroy(reader);
    if (!ok)
        return false;
    // Only now: what was not committed must be found again if this start fails.
    clear_marks(dots, stays);
    if (marks > 0 || recovery.released > 0 || recovery.ended_count > 0)
        LOG(LOG_INFO, "recovered", LOG_INTEGER("marks", (int64_t)marks),
            LOG_INTEGER("leases", (int64_t)recovery.released),
            LOG_BOOLEAN("rebooted", queue_rebooted(queue)));
    return true;
}
