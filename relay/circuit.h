// circuit.h - pure: is a smarthost to be used? One circuit per smarthost (design §6).
//
// Closed: use it. Open: it failed in a way that is no message's fault; after a pause that grows
// one message may probe it. The probe closes the circuit, or opens it for longer.
#ifndef RELAY_CIRCUIT_H
#define RELAY_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_PAUSE_FIRST_MS 500
#define CIRCUIT_PAUSE_MAX_MS 15000 // codes die in minutes: a longer pause would cost them

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

struct circuit {
    enum circuit_state state;
    int64_t pause_ms;    // of the present opening
    int64_t probe_at_ms; // OPEN: when a probe may go
    int64_t opened_at_ms;
};

void circuit_init(struct circuit *circuit);

// May a message go to this smarthost now?
bool circuit_allows(const struct circuit *circuit, int64_t now_ms);
// A message that circuit_allows() let through has been handed over.
void circuit_started(struct circuit *circuit, int64_t now_ms);
// A transaction that was started at started_ms has ended. True where the state changed between
// closed and not closed: an operator wants to know. Failures of transactions that were under
// way when the circuit opened say nothing new and do not lengthen the pause.
bool circuit_succeeded(struct circuit *circuit, int64_t started_ms);
bool circuit_failed(struct circuit *circuit, int64_t started_ms, int64_t now_ms);
// The probe ended without a word about the smarthost (cut, expired): another may go at once.
void circuit_undecided(struct circuit *circuit, int64_t started_ms, int64_t now_ms);

// When circuit_allows() may turn true by time alone; INT64_MAX: it is true, or waits for a probe.
int64_t circuit_next_ms(const struct circuit *circuit);

#endif
