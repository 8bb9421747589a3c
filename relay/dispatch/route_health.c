#include "relay/dispatch/route_health.h"

#include <stdlib.h>
#include <string.h>

struct route_state {
    char *route;
    int failures;    // in a row
    int64_t lost_ms; // what failures have cost, less what is forgiven; as of lost_at_ms
    int64_t lost_at_ms;
    bool is_down;
    bool is_said_down; // and has not been said to be up since
    int64_t probe_at_ms;
    struct route_state *next; // route_health::states
};

static struct route_state **find(struct route_health *health, const char *route)
{
    struct route_state **link = &health->states;
    while (*link && strcmp((*link)->route, route) != 0)
        link = &(*link)->next;
    return link;
}

static void drop(struct route_state **link)
{
    struct route_state *state = *link;
    *link = state->next;
    free(state->route);
    free(state);
}

// Forgives what the time has; what is less than a whole millisecond of it is kept for later.
static void pass_time(struct route_state *state, int64_t now_ms)
{
    int64_t forgiven_ms = (now_ms - state->lost_at_ms) / ROUTE_FORGIVEN_PART;
    if (forgiven_ms <= 0)
        return;
    state->lost_ms = state->lost_ms > forgiven_ms ? state->lost_ms - forgiven_ms : 0;
    state->lost_at_ms += forgiven_ms * ROUTE_FORGIVEN_PART;
}

void route_health_finish(struct route_health *health)
{
    while (health->states)
        drop(&health->states);
}

void route_health_forgive(struct route_health *health)
{
    for (struct route_state *state = health->states; state; state = state->next) {
        state->failures = 0;
        state->lost_ms = 0;
        state->is_down = false;
    }
}

bool route_health_ask(struct route_health *health, const char *route, int64_t now_ms)
{
    struct route_state *state = *find(health, route);
    if (!state || !state->is_down)
        return true;
    if (now_ms < state->probe_at_ms)
        return false;
    state->probe_at_ms = now_ms + ROUTE_PROBE_MS;
    return true;
}

static struct route_state *add(struct route_state **link, const char *route, int64_t now_ms)
{
    struct route_state *state = calloc(1, sizeof(*state));
    char *name = strdup(route);
    if (!state || !name) {
        free(state);
        free(name);
        return NULL;
    }
    *state = (struct route_state){.route = name, .lost_at_ms = now_ms};
    *link = state;
    return state;
}

bool route_health_failed(struct route_health *health, const char *route, int64_t cost_ms,
                         int64_t now_ms)
{
    struct route_state **link = find(health, route);
    struct route_state *state = *link ? *link : add(link, route, now_ms);
    if (!state) // it is not counted, and the next one may be
        return false;
    pass_time(state, now_ms);
    // More than the limit is not held against it, or a while of it could keep it down for long.
    state->lost_ms += cost_ms;
    if (state->lost_ms > ROUTE_LOST_MAX_MS)
        state->lost_ms = ROUTE_LOST_MAX_MS;
    if (state->failures < ROUTE_FAILURES_MAX)
        state->failures++;
    if (state->is_down ||
        (state->failures < ROUTE_FAILURES_MAX && state->lost_ms < ROUTE_LOST_MAX_MS))
        return false;
    state->is_down = state->is_said_down = true;
    state->probe_at_ms = now_ms + ROUTE_PROBE_MS;
    return true;
}

bool route_health_succeeded(struct route_health *health, const char *route, int64_t now_ms)
{
    struct route_state **link = find(health, route);
    struct route_state *state = *link;
    if (!state)
        return false;
    pass_time(state, now_ms);
    state->failures = 0;
    if (state->is_down && state->lost_ms > ROUTE_LOST_UP_MS)
        return false;
    bool was_said_down = state->is_said_down;
    state->is_down = state->is_said_down = false;
    if (state->lost_ms == 0)
        drop(link);
    return was_said_down;
}
