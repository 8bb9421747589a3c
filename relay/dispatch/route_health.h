// route_health.h - pure: is a route's normaliser to be asked at all? Not while it fails on one
// payload after the other, nor while its failures take the composers' time from everybody else
// (design §6, Composing).
//
// It goes down after ROUTE_FAILURES_MAX payloads in a row on which it failed, or when what failed
// payloads have cost reaches ROUTE_LOST_MAX_MS. Of that cost one twentieth of the time that passes
// is forgiven, and nothing for payloads that go well: how much good mail there is makes a
// composer's second no shorter. While it is down, one payload each ROUTE_PROBE_MS may ask it
// again. A success brings it up, but not before the cost is down to ROUTE_LOST_UP_MS, which it is
// in less than ROUTE_PROBE_MS unless payloads go on failing; from there one or two time-outs
// suffice.
#ifndef RELAY_DISPATCH_ROUTE_HEALTH_H
#define RELAY_DISPATCH_ROUTE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_FAILURES_MAX 5
#define ROUTE_LOST_MAX_MS 3000
#define ROUTE_LOST_UP_MS 2000
#define ROUTE_FORGIVEN_PART 20
#define ROUTE_PROBE_MS 30000

struct route_state;

struct route_health {
    struct route_state *states; // of the routes that have something held against them
};

void route_health_finish(struct route_health *health); // {0} is a new one

// The normalisers are others now: each is asked again, and nothing is held against it.
void route_health_forgive(struct route_health *health);

// May a payload ask the normaliser? While it is down, true is for one probe. now_ms is
// CLOCK_BOOTTIME, here and below.
bool route_health_ask(struct route_health *health, const char *route, int64_t now_ms);
// How it went with a payload, once for each; cost_ms is the composers' time that a failure took.
// True where the route has gone down, or come up: an operator wants to know. One that was forgiven
// comes up with its first success.
bool route_health_failed(struct route_health *health, const char *route, int64_t cost_ms,
                         int64_t now_ms);
bool route_health_succeeded(struct route_health *health, const char *route, int64_t now_ms);

#endif
