#include "relay/message_filter.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/number.h"
#include "relay/base/span.h"
#include "relay/base/timestamp.h"

typedef bool set_fn(struct message_filter *filter, const char *value, int64_t now_ms,
                    struct error *err);

static bool set_states(struct message_filter *filter, const char *value, int64_t now_ms,
                       struct error *err)
{
    (void)now_ms;
    unsigned states = 0;
    struct span rest = {value, strlen(value)};
    do {
        struct span word = span_cut(&rest, ',');
        char name[16];
        enum message_state state;
        snprintf(name, sizeof(name), "%.*s", (int)word.size, word.at);
        if (word.size >= sizeof(name) || !message_state_parse(name, &state))
            return error_set(err, ERR_INPUT,
                             "is none of received, queued, sending, sent, failed, expired, "
                             "superseded, cancelled, unknown, held and parked, nor several of them "
                             "with commas between");
        states |= QUEUE_STATE_BIT(state);
    } while (rest.size > 0);
    filter->states = states;
    return true;
}

static bool set_lane(struct message_filter *filter, const char *value, int64_t now_ms,
                     struct error *err)
{
    (void)now_ms;
    if (!lane_parse(value, &filter->lane))
        return error_set(err, ERR_INPUT, "is none of code, notice and bulk");
    filter->has_lane = true;
    return true;
}

static bool copy(char *to, size_t size, const char *value, struct error *err)
{
    if (*value == '\0')
        return error_set(err, ERR_INPUT, "is empty");
    if (strlen(value) >= size)
        return error_set(err, ERR_INPUT, "is longer than any could be");
    memcpy(to, value, strlen(value) + 1);
    return true;
}

static bool set_recipient(struct message_filter *filter, const char *value, int64_t now_ms,
                          struct error *err)
{
    (void)now_ms;
    // In a URL a '+' is a blank, and no address that mail can be sent to has one.
    if (strchr(value, ' '))
        return error_set(err, ERR_INPUT, "has a blank in it: a '+' is written %%2B in a URL");
    return copy(filter->recipient, sizeof(filter->recipient), value, err);
}

static bool set_template(struct message_filter *filter, const char *value, int64_t now_ms,
                         struct error *err)
{
    (void)now_ms;
    return copy(filter->template, sizeof(filter->template), value, err);
}

static bool set_reason(struct message_filter *filter, const char *value, int64_t now_ms,
                       struct error *err)
{
    (void)now_ms;
    return copy(filter->reason, sizeof(filter->reason), value, err);
}

static bool set_smarthost(struct message_filter *filter, const char *value, int64_t now_ms,
                          struct error *err)
{
    (void)now_ms;
    return copy(filter->smarthost, sizeof(filter->smarthost), value, err);
}

// ---- time ---------------------------------------------------------------------------------------

// Bounds of 0 are none, so nobody's moment may be that.
static void not_before(struct message_filter *filter, int64_t wall_ms)
{
    if (wall_ms < 1)
        wall_ms = 1;
    if (wall_ms > filter->since_ms)
        filter->since_ms = wall_ms;
}

static void only_before(struct message_filter *filter, int64_t wall_ms)
{
    if (wall_ms < 1)
        wall_ms = 1;
    if (filter->before_ms == 0 || wall_ms < filter->before_ms)
        filter->before_ms = wall_ms;
}

// A day's first millisecond, where it is a day that is named.
static bool read_moment(const char *value, int64_t *ret_wall_ms, struct error *err)
{
    enum { DAY_MS = 24 * 60 * 60 * 1000 };
    if (!timestamp_parse(value, strlen(value), ret_wall_ms))
        return error_set(err, ERR_INPUT,
                         "is neither a day like 2027-01-31 nor a moment like 2027-01-31T18:00:00Z");
    if (!strpbrk(value, "Tt"))
        *ret_wall_ms -= DAY_MS - 1;
    return true;
}

static bool set_since(struct message_filter *filter, const char *value, int64_t now_ms,
                      struct error *err)
{
    (void)now_ms;
    int64_t wall_ms;
    if (!read_moment(value, &wall_ms, err))
        return false;
    not_before(filter, wall_ms);
    return true;
}

static bool set_before(struct message_filter *filter, const char *value, int64_t now_ms,
                       struct error *err)
{
    (void)now_ms;
    int64_t wall_ms;
    if (!read_moment(value, &wall_ms, err))
        return false;
    only_before(filter, wall_ms);
    return true;
}

static bool read_age(const char *value, int64_t *ret_age_ms, struct error *err)
{
    return duration_parse(value, strlen(value), ret_age_ms) ||
           error_set(err, ERR_INPUT, "is no duration like 90s, 15m, 2h or 3d, of a year at most");
}

static bool set_older_than(struct message_filter *filter, const char *value, int64_t now_ms,
                           struct error *err)
{
    int64_t age_ms;
    if (!read_age(value, &age_ms, err))
        return false;
    only_before(filter, now_ms - age_ms);
    return true;
}

static bool set_newer_than(struct message_filter *filter, const char *value, int64_t now_ms,
                           struct error *err)
{
    int64_t age_ms;
    if (!read_age(value, &age_ms, err))
        return false;
    not_before(filter, now_ms - age_ms);
    return true;
}

static bool set_limit(struct message_filter *filter, const char *value, int64_t now_ms,
                      struct error *err)
{
    (void)now_ms;
    int64_t limit;
    if (!number_parse(value, strlen(value), MESSAGE_FILTER_LIMIT_MAX, &limit) || limit == 0)
        return error_set(err, ERR_INPUT, "is not from 1 to %d", MESSAGE_FILTER_LIMIT_MAX);
    filter->limit = (size_t)limit;
    return true;
}

// ---- all of them --------------------------------------------------------------------------------

static const struct part {
    const char *name;
    set_fn *set;
} PARTS[] = {
    {"state", set_states},          {"recipient", set_recipient},
    {"template", set_template},     {"lane", set_lane},
    {"smarthost", set_smarthost},   {"reason", set_reason},
    {"since", set_since},           {"before", set_before},
    {"older_than", set_older_than}, {"newer_than", set_newer_than},
    {"limit", set_limit},
};

static const struct part *find_part(const char *name)
{
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        if (strcmp(PARTS[i].name, name) == 0)
            return &PARTS[i];
    return NULL;
}

bool message_filter_knows(const char *name)
{
    return find_part(name) != NULL;
}

bool message_filter_set(struct message_filter *filter, const char *name, const char *value,
                        int64_t now_ms, struct error *err)
{
    const struct part *part = find_part(name);
    return part ? part->set(filter, value, now_ms, err)
                : error_set(err, ERR_INPUT, "is not known to narrow messages");
}

bool message_filter_is_narrow(const struct message_filter *filter)
{
    return filter->states || filter->has_lane || *filter->recipient || *filter->template ||
           *filter->reason || *filter->smarthost || filter->since_ms || filter->before_ms;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

// 0 is no bound.
static int64_t bound_for_queue(int64_t wall_ms, int64_t ahead_ms)
{
    if (wall_ms == 0)
        return 0;
    return wall_ms == ahead_ms ? 1 : wall_ms - ahead_ms;
}

struct queue_filter message_filter_for_queue(const struct message_filter *filter, int64_t ahead_ms)
{
    return (struct queue_filter){
        .states = filter->states,
        .has_lane = filter->has_lane,
        .lane = filter->lane,
        .recipient = text_or_null(filter->recipient),
        .template = text_or_null(filter->template),
        .reason = text_or_null(filter->reason),
        .smarthost = text_or_null(filter->smarthost),
        .since_ms = bound_for_queue(filter->since_ms, ahead_ms),
        .before_ms = bound_for_queue(filter->before_ms, ahead_ms),
        .limit = filter->limit,
    };
}
