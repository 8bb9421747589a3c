#include "relay/route_health.h"

#include <stdlib.h>
#include <string.h>

struct route_state {
    char *route;
    int failures;   // in a row
    bool went_down; // and has not come up since
    int64_t probe_at_ms;
    struct route_state *next; // route_health::failing
};

static struct route_state **find(struct route_health *health, const char *route)
{
    struct route_state **link = &health->failing;
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

void route_health_finish(struct route_health *health)
{
    while (health->failing)
        drop(&health->failing);
}

void route_health_forgive(struct route_health *health)
{
    for (struct route_state *state = health->failing; state; state = state->next)
        state->failures = 0;
}

bool route_health_ask(struct route_health *health, const char *route, int64_t now_ms)
{
    struct route_state *state = *find(health, route);
    if (!state || state->failures < ROUTE_FAILURES_MAX)
        return true;
    if (now_ms < state->probe_at_ms)
        return false;
    state->probe_at_ms = now_ms + ROUTE_PROBE_MS;
    return true;
}

bool route_health_failed(struct route_health *health, const char *route, int64_t now_ms)
{
    struct route_state **link = find(health, route);
    if (!*link) {
        struct route_state *state = calloc(1, sizeof(*state));
        char *name = strdup(route);
        if (!state || !name) { // it is not counted, and the next one may be
            free(state);
            free(name);
            return false;
        }
        state->route = name;
        *link = state;
    }
    struct route_state *state = *link;
    if (state->failures == ROUTE_FAILURES_MAX || ++state->failures < ROUTE_FAILURES_MAX)
        return false;
    state->went_down = true;
    state->probe_at_ms = now_ms + ROUTE_PROBE_MS;
    return true;
}

bool route_health_succeeded(struct route_health *health, const char *route)
{
    struct route_state **link = find(health, route);
    if (!*link)
        return false;
    bool was_down = (*link)->went_down;
    drop(link);
    return was_down;
}
