#include "relay/smarthosts/circuit.h"

#include <stddef.h>

void circuit_init(struct circuit *circuit, int64_t now_ms)
{
    *circuit = (struct circuit){.state = CIRCUIT_CLOSED, .since_ms = now_ms};
}

bool circuit_allows(const struct circuit *circuit, int64_t now_ms)
{
    if (circuit->paused)
        return false;
    return circuit->state == CIRCUIT_CLOSED ||
           (circuit->state == CIRCUIT_OPEN && now_ms >= circuit->probe_at_ms);
}

void circuit_started(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->state != CIRCUIT_OPEN)
        return;
    circuit->state = CIRCUIT_PROBING;
    circuit->opened_at_ms = now_ms; // what began before the probe no longer counts
}

static bool is_stale(const struct circuit *circuit, int64_t started_ms)
{
    return circuit->state != CIRCUIT_CLOSED && started_ms < circuit->opened_at_ms;
}

void circuit_succeeded(struct circuit *circuit, int64_t started_ms, int64_t now_ms)
{
    if (circuit->state == CIRCUIT_CLOSED || is_stale(circuit, started_ms))
        return;
    bool paused = circuit->paused;
    int64_t since_ms = paused ? circuit->since_ms : now_ms;
    circuit_init(circuit, since_ms);
    circuit->paused = paused;
}

void circuit_failed(struct circuit *circuit, enum circuit_reason reason, int64_t started_ms,
                    int64_t now_ms)
{
    if (is_stale(circuit, started_ms))
        return;
    bool was_closed = circuit->state == CIRCUIT_CLOSED;
    bool is_first = was_closed || circuit->pause_ms == 0;
    circuit->pause_ms = is_first ? CIRCUIT_PAUSE_FIRST_MS : circuit->pause_ms * 2;
    if (circuit->pause_ms > CIRCUIT_PAUSE_MAX_MS)
        circuit->pause_ms = CIRCUIT_PAUSE_MAX_MS;
    circuit->state = CIRCUIT_OPEN;
    circuit->reason = reason;
    circuit->opened_at_ms = now_ms;
    circuit->probe_at_ms = now_ms + circuit->pause_ms;
    if (was_closed && !circuit->paused)
        circuit->since_ms = now_ms;
}

void circuit_refused(struct circuit *circuit, bool is_new, int64_t started_ms, int64_t now_ms)
{
    if (is_new && !is_stale(circuit, started_ms))
        circuit->pause_ms = 0;
    circuit_failed(circuit, CIRCUIT_SUSPICIOUS, started_ms, now_ms);
}

void circuit_undecided(struct circuit *circuit, int64_t started_ms, int64_t now_ms)
{
    if (circuit->state != CIRCUIT_PROBING || is_stale(circuit, started_ms))
        return;
    circuit->state = CIRCUIT_OPEN;
    circuit->probe_at_ms = now_ms;
}

void circuit_pause(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->paused)
        return;
    circuit->paused = true;
    circuit->since_ms = now_ms;
}

void circuit_resume(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->paused)
        circuit->since_ms = now_ms;
    circuit->paused = false;
    if (circuit->state != CIRCUIT_OPEN)
        return;
    circuit->probe_at_ms = now_ms;
    circuit->pause_ms = 0; // the next failure begins with the first pause again
}

int64_t circuit_next_ms(const struct circuit *circuit)
{
    return circuit->state == CIRCUIT_OPEN && !circuit->paused ? circuit->probe_at_ms : INT64_MAX;
}

enum circuit_reason circuit_reason(const struct circuit *circuit)
{
    if (circuit->paused)
        return CIRCUIT_PAUSED;
    return circuit->state == CIRCUIT_CLOSED ? CIRCUIT_NO_REASON : circuit->reason;
}

const char *circuit_reason_name(enum circuit_reason reason)
{
    static const char *const names[] = {[CIRCUIT_NO_REASON] = NULL,
                                        [CIRCUIT_SESSION] = "session",
                                        [CIRCUIT_SUSPICIOUS] = "suspicious",
                                        [CIRCUIT_PAUSED] = "paused"};
    return names[reason];
}

const char *circuit_state_name(const struct circuit *circuit)
{
    static const char *const names[] = {
        [CIRCUIT_CLOSED] = "closed", [CIRCUIT_OPEN] = "open", [CIRCUIT_PROBING] = "probing"};
    return circuit->paused ? "paused" : names[circuit->state];
}
