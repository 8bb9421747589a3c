// dispatcher_smarthosts.h - the stand-in for what an operator does to the deliverers.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_SMARTHOSTS_H
#define TESTS_UNIT_RELAY_DISPATCHER_SMARTHOSTS_H

#include "dispatcher_composers.h"

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
