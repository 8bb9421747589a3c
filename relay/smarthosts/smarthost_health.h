// smarthost_health.h - pure: what the end of a transaction says of the smarthost, and of the
// message.
//
// A smarthost's circuit and what is remembered of its refusals, in one. Turns what the deliverer
// said into what it means: a permanent refusal may become DELIVERY_SUSPECT, and a message that
// went down with a deliverer is charged, spared, or the smarthost's circuit opens.
#ifndef RELAY_SMARTHOSTS_SMARTHOST_HEALTH_H
#define RELAY_SMARTHOSTS_SMARTHOST_HEALTH_H

#include "relay/children/deliverer_process.h"
#include "relay/smarthosts/circuit.h"
#include "relay/smarthosts/suspicion.h"
#include "relay/smarthosts/taken_domains.h"

// Transactions in a row that got past MAIL and then no answer.
struct silence {
    int count;
    char id[SUSPICION_ID_SIZE]; // of the first one's message
    bool of_several;            // messages
    bool opened;                // the circuit
    bool at_dot; // ... or in the message: an answer before that is not the one missing
};

struct smarthost_health {
    struct circuit circuit;
    struct suspicion suspicion;
    struct taken_domains taken;
    struct silence silence;
    unsigned probes;    // that have ended, for the order of the next ones
    bool opened_by_dot; // the circuit, by suspicion: only a verdict after the dot can close it
};

void smarthost_health_init(struct smarthost_health *health, int64_t now_ms);

// delivery has ended so: changes the circuit, and *result where it means something else.
void smarthost_health_judge(struct smarthost_health *health, const struct delivery *delivery,
                            struct delivery_result *result, int64_t now_ms);
// No deliverer could be started.
void smarthost_health_fail(struct smarthost_health *health, int64_t now_ms);

// One that waits, and may be the next to go.
struct probe_candidate {
    const char *id, *recipient;
    int64_t received_ms;
};

// Is the next message a probe, chosen by its turn?
bool smarthost_health_probes(const struct smarthost_health *health);
// The message with the lowest one is the probe; of equals any. Behind a session fault: who has had
// no trouble here, then who had it the longest ago. Behind suspicion: who is most likely to be
// taken, by the domain; the newest of them, next time the oldest; and the third time whoever had
// trouble the longest ago, so that each has a chance whatever keeps coming.
uint64_t smarthost_health_turn(const struct smarthost_health *health,
                               const struct probe_candidate *candidate);
// Has it refused the message, or broken off over it, of late?
bool smarthost_health_suspects(const struct smarthost_health *health, const char *id);

#endif
