#include "relay/circuit.h"

void circuit_init(struct circuit *circuit)
{
    *circuit = (struct circuit){.state = CIRCUIT_CLOSED};
}

bool circuit_allows(const struct circuit *circuit, int64_t now_ms)
{
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

bool circuit_succeeded(struct circuit *circuit, int64_t started_ms)
{
    // A success of before the opening is no sign of health now.
    if (circuit->state == CIRCUIT_CLOSED || is_stale(circuit, started_ms))
        return false;
    circuit_init(circuit);
    return true;
}

bool circuit_failed(struct circuit *circuit, int64_t started_ms, int64_t now_ms)
{
    if (is_stale(circuit, started_ms))
        return false;
    bool was_closed = circuit->state == CIRCUIT_CLOSED;
    circuit->pause_ms = was_closed ? CIRCUIT_PAUSE_FIRST_MS : circuit->pause_ms * 2;
    if (circuit->pause_ms > CIRCUIT_PAUSE_MAX_MS)
        circuit->pause_ms = CIRCUIT_PAUSE_MAX_MS;
    circuit->state = CIRCUIT_OPEN;
    circuit->opened_at_ms = now_ms;
    circuit->probe_at_ms = now_ms + circuit->pause_ms;
    return was_closed;
}

void circuit_undecided(struct circuit *circuit, int64_t started_ms, int64_t now_ms)
{
    if (circuit->state != CIRCUIT_PROBING || is_stale(circuit, started_ms))
        return;
    circuit->state = CIRCUIT_OPEN;
    circuit->probe_at_ms = now_ms;
}

int64_t circuit_next_ms(const struct circuit *circuit)
{
    return circuit->state == CIRCUIT_OPEN ? circuit->probe_at_ms : INT64_MAX;
}
