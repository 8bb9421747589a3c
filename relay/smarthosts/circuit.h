// circuit.h - pure: is a smarthost to be used? One circuit per smarthost (design §6).
//
// Closed: use it. Open: it failed in a way that is no message's fault; after a pause that grows
// one message may probe it. The probe closes the circuit, or opens it for longer. Whatever it is,
// an operator may pause it: then nothing goes there until he says so.
#ifndef RELAY_SMARTHOSTS_CIRCUIT_H
#define RELAY_SMARTHOSTS_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_PAUSE_FIRST_MS 500
#define CIRCUIT_PAUSE_MAX_MS 15000 // codes die in minutes: a longer pause would cost them

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };
// Why it is not closed, or not used.
enum circuit_reason { CIRCUIT_NO_REASON, CIRCUIT_SESSION, CIRCUIT_SUSPICIOUS, CIRCUIT_PAUSED };

struct circuit {
    enum circuit_state state;
    enum circuit_reason reason; // of the present opening: SESSION or SUSPICIOUS
    bool paused;                // by an operator
    int64_t pause_ms;           // of the present opening
    int64_t probe_at_ms;        // OPEN: when a probe may go
    int64_t opened_at_ms;
    int64_t since_ms; // when it was last opened, closed, paused or resumed
};

void circuit_init(struct circuit *circuit, int64_t now_ms);

// May a message go to this smarthost now?
bool circuit_allows(const struct circuit *circuit, int64_t now_ms);
// A message that circuit_allows() let through has been handed over.
void circuit_started(struct circuit *circuit, int64_t now_ms);
// A transaction that was started at started_ms has ended. What was under way when the circuit
// opened says nothing new: its failure does not lengthen the pause, its success is no sign of
// health.
void circuit_succeeded(struct circuit *circuit, int64_t started_ms, int64_t now_ms);
void circuit_failed(struct circuit *circuit, enum circuit_reason reason, int64_t started_ms,
                    int64_t now_ms);
// A suspicious refusal. is_new: of a message that it had not refused before. The pause does not
// grow by that: it may be that message alone, and others that would be taken wait behind it.
void circuit_refused(struct circuit *circuit, bool is_new, int64_t started_ms, int64_t now_ms);
// The probe ended without a word about the smarthost (cut, expired): another may go at once.
void circuit_undecided(struct circuit *circuit, int64_t started_ms, int64_t now_ms);

// An operator's. To resume one that is open lets a probe go at once, paused or not.
void circuit_pause(struct circuit *circuit, int64_t now_ms);
void circuit_resume(struct circuit *circuit, int64_t now_ms);

// When circuit_allows() may turn true by time alone; INT64_MAX: it is true, or waits for a probe,
// or for an operator.
int64_t circuit_next_ms(const struct circuit *circuit);

// Why it is not to be used; CIRCUIT_NO_REASON: it is.
enum circuit_reason circuit_reason(const struct circuit *circuit);
const char *circuit_reason_name(enum circuit_reason reason);   // NULL for CIRCUIT_NO_REASON
const char *circuit_state_name(const struct circuit *circuit); // closed, open, probing, paused

#endif
