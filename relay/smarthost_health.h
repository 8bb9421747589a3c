// smarthost_health.h - pure: what the end of a transaction says of the smarthost, and of the
// message.
//
// A smarthost's circuit and what is remembered of its refusals, in one. Turns what the deliverer
// said into what it means: a permanent refusal may become DELIVERY_SUSPECT, and a message that
// went down with a deliverer is charged, spared, or the smarthost's circuit opens.
#ifndef RELAY_SMARTHOST_HEALTH_H
#define RELAY_SMARTHOST_HEALTH_H

#include "relay/circuit.h"
#include "relay/deliverer_process.h"
#include "relay/suspicion.h"

struct smarthost_health {
    struct circuit circuit;
    struct suspicion suspicion;
    bool opened_by_dot; // the circuit, by suspicion: only a verdict after the dot can close it
};

void smarthost_health_init(struct smarthost_health *health, int64_t now_ms);

// delivery has ended so: changes the circuit, and *result where it means something else.
void smarthost_health_judge(struct smarthost_health *health, const struct delivery *delivery,
                            struct delivery_result *result, int64_t now_ms);
// No deliverer could be started.
void smarthost_health_fail(struct smarthost_health *health, int64_t now_ms);

// Is another message to go before this one? 0: no; the others by the number, the lowest first. Only
// a probe is chosen so.
uint64_t smarthost_health_turn(const struct smarthost_health *health, const char *id);
// Has it refused the message, or broken off over it, of late?
bool smarthost_health_suspects(const struct smarthost_health *health, const char *id);

#endif
