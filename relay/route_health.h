// route_health.h - pure: is a route's normaliser to be asked at all? Not while it fails on one
// payload after the other (design §6, Composing).
//
// It goes down after ROUTE_FAILURES_MAX payloads in a row on which it failed; from then on one
// payload each ROUTE_PROBE_MS may ask it again, and its first success brings it up.
#ifndef RELAY_ROUTE_HEALTH_H
#define RELAY_ROUTE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_FAILURES_MAX 5
#define ROUTE_PROBE_MS 30000

struct route_state;

struct route_health {
    struct route_state *failing; // the routes whose last payload failed; others are not kept
};

void route_health_finish(struct route_health *health); // {0} is a new one

// The normalisers are others now: each is asked again, and nothing is held against it.
void route_health_forgive(struct route_health *health);

// May a payload ask the normaliser? While it is down, true is for one probe.
bool route_health_ask(struct route_health *health, const char *route, int64_t now_ms);
// How it went with a payload, once for each. True where the route has gone down, or come up: an
// operator wants to know. One that was forgiven comes up with its first success.
bool route_health_failed(struct route_health *health, const char *route, int64_t now_ms);
bool route_health_succeeded(struct route_health *health, const char *route);

#endif
