// dispatcher_smarthosts.h - the stand-in for what an operator does to the deliverers, and for
// which message is their probe.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_SMARTHOSTS_H
#define TESTS_UNIT_RELAY_DISPATCHER_SMARTHOSTS_H

#include "dispatcher_composers.h"

bool deliverers_probe(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.suspect_count > 0;
}

// What is probed with comes from the fixture: a message whose turn has passed is last.
uint64_t deliverers_turn(const struct deliverers *deliverers,
                         const struct probe_candidate *candidate, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    for (size_t i = 0; i < seen.suspect_count; i++)
        if (strcmp(seen.suspects[i], candidate->id) == 0 ||
            strcmp(seen.suspects[i], candidate->recipient) == 0)
            return i + 1;
    return 0;
}

bool deliverers_pause(struct deliverers *deliverers, const char *name, bool paused)
{
    (void)deliverers;
    seen.down = paused;
    return strcmp(name, "smarthost") == 0;
}

json_t *deliverers_describe(const struct deliverers *deliverers, const char *name)
{
    (void)deliverers;
    if (name && strcmp(name, "smarthost") != 0)
        return json_array();
    return json_pack("[{s:s, s:s}]", "name", "smarthost", "state", seen.down ? "paused" : "closed");
}

bool deliverers_reload(struct deliverers *deliverers, const struct config *config,
                       struct error *err)
{
    (void)deliverers, (void)config, (void)err;
    return true;
}

#endif
