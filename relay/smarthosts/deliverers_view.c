// deliverers_view.c - each smarthost, as operators see it.
#include <jansson.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/smarthosts/deliverers_private.h"

static json_t *describe(const struct smarthost_pool *pool)
{
    const struct circuit *circuit = &pool->health.circuit;
    enum circuit_reason reason = circuit_reason(circuit);
    bool is_down = reason == CIRCUIT_SESSION || reason == CIRCUIT_SUSPICIOUS;
    char since[CLOCK_RFC3339_SIZE];
    clock_rfc3339(circuit->since_ms + clock_wall_ahead_ms(), since);
    int64_t probe_ms = circuit_next_ms(circuit);
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:o, s:i, s:I}", "name", pool->smarthost->name,
                     "state", circuit_state_name(circuit), "reason", circuit_reason_name(reason),
                     "error", is_down && *pool->error ? pool->error : NULL, "since", since,
                     "probe_in_ms",
                     probe_ms == INT64_MAX ? json_null() : json_integer(probe_ms - clock_boot_ms()),
                     "connections", (int)connection_window_most(&pool->window), "under_way",
                     (json_int_t)pool->under_way);
}

json_t *deliverers_describe(const struct deliverers *deliverers, const char *name)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < deliverers->pool_count; i++) {
        const struct smarthost_pool *pool = &deliverers->pools[i];
        if (name && strcmp(pool->smarthost->name, name) != 0)
            continue;
        if (json_array_append_new(all, describe(pool)) < 0) {
            json_decref(all);
            return NULL; // a list that lacks one would say that it is not there
        }
    }
    return all;
}
