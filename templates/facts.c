#include "templates/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#include "relay/base/cleanup.h"
#include "relay/base/utf8.h"
#include "templates/mail_type.h"
#include "templates/zone.h"

#define ISOLATE "\u2068" // U+2068, first strong isolate
#define END_ISOLATE "\u2069"

static void read_link(struct facts *facts, const json_t *data, const struct brand *brand)
{
    const char *url;
    if (!value_read_url(json_object_get(data, "url"), &url, facts->host))
        return;
    facts->link_is_forbidden = !brand_allows_host(brand, facts->host);
    if (!facts->link_is_forbidden)
        facts->url = url;
}

// ---- times ----------------------------------------------------------------------------------

#define TIME_SIZE_MAX 200

typedef bool time_fn(struct time_text *text, const char *zone, int64_t wall_ms, struct buffer *out);

// NULL where the time cannot be written.
static const char *write_time(const struct facts_writing *writing, time_fn *write, const char *zone,
                              int64_t wall_ms, struct buffer *out)
{
    buffer_init(out, TIME_SIZE_MAX);
    return write(writing->times, zone, wall_ms, out) && !out->failed ? out->data : NULL;
}

// A time of day is for readers whose clock we know. The time of what a notice tells of is not
// known to them otherwise, so it is written in any case: times name their zone.
static void read_times(struct facts *facts, const struct render_request *request,
                       const struct facts_writing *writing)
{
    const char **values = facts->values.values;
    char own_zone[ZONE_NAME_SIZE];
    const char *zone = zone_resolve(request->timezone, own_zone) ? own_zone : writing->zone;
    const char *at = json_string_value(json_object_get(request->data, "at"));
    int64_t at_wall_ms;
    if (mail_type_need(request->template) == NEED_NOTHING) {
        if (at && time_text_parse(at, &at_wall_ms))
            values[PLACEHOLDER_TIME] = write_time(writing, time_text_moment, zone ? zone : "UTC",
                                                  at_wall_ms, &facts->time);
        return;
    }
    if (zone && request->received_wall_ms > 0)
        values[PLACEHOLDER_TIME] =
            write_time(writing, time_text_clock, zone, request->received_wall_ms, &facts->time);
    if (zone && request->expires_wall_ms > 0)
        values[PLACEHOLDER_UNTIL] =
            write_time(writing, time_text_clock, zone, request->expires_wall_ms, &facts->until);
}

// ---- direction ------------------------------------------------------------------------------

enum direction { DIRECTION_NONE, DIRECTION_LEFT_TO_RIGHT, DIRECTION_RIGHT_TO_LEFT };

// That of the first letter that has one, as Unicode's algorithm has it (UAX #9, P2).
static enum direction direction_of(const char *text)
{
    const char *end = text + strlen(text);
    while (text < end) {
        uint32_t point;
        text += utf8_decode(text, (size_t)(end - text), &point);
        UCharDirection direction = u_charDirection((UChar32)point);
        if (direction == U_LEFT_TO_RIGHT)
            return DIRECTION_LEFT_TO_RIGHT;
        if (direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC)
            return DIRECTION_RIGHT_TO_LEFT;
    }
    return DIRECTION_NONE;
}

static bool isolate(struct facts *facts, bool is_right_to_left)
{
    enum direction against = is_right_to_left ? DIRECTION_LEFT_TO_RIGHT : DIRECTION_RIGHT_TO_LEFT;
    for (size_t i = 0; i < PLACEHOLDER_COUNT; i++) {
        const char *value = facts->values.values[i];
        // The code is to be copied, and found by programs; minutes have no direction.
        if (!value || i == PLACEHOLDER_CODE || direction_of(value) != against)
            continue;
        if (asprintf(&facts->isolated[i], ISOLATE "%s" END_ISOLATE, value) < 0) {
            facts->isolated[i] = NULL;
            return false;
        }
        facts->values.values[i] = facts->isolated[i];
    }
    return true;
}

// ---- all of them ----------------------------------------------------------------------------

bool facts_read(struct facts *facts, const struct render_request *request,
                const struct brand *brand, const struct facts_writing *writing)
{
    *facts = (struct facts){0};
    const char **values = facts->values.values;
    const json_t *data = request->data;
    read_link(facts, data, brand);
    values[PLACEHOLDER_BRAND] = brand->name;
    values[PLACEHOLDER_HOST] = facts->url ? facts->host : NULL;
    values[PLACEHOLDER_BROWSER] = request->browser;
    values[PLACEHOLDER_SYSTEM] = request->system;
    if (value_read_code(json_object_get(data, "code"), facts->code))
        values[PLACEHOLDER_CODE] = facts->code;
    if (value_read_name(json_object_get(data, "name"), facts->name))
        values[PLACEHOLDER_NAME] = facts->name;
    if (request->minutes_left > 0) {
        snprintf(facts->minutes, sizeof(facts->minutes), "%d", request->minutes_left);
        values[PLACEHOLDER_MINUTES] = facts->minutes;
    }
    read_times(facts, request, writing);
    if (isolate(facts, writing->is_right_to_left))
        return true;
    facts_finish(facts);
    return false;
}

void facts_finish(struct facts *facts)
{
    for (size_t i = 0; i < PLACEHOLDER_COUNT; i++)
        wipe_free(facts->isolated[i]);
    buffer_finish(&facts->until);
    buffer_finish(&facts->time);
    explicit_bzero(facts, sizeof(*facts));
}
