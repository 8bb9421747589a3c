// look.h - whether the files and folders that a configuration names can be used on this machine.
//
// Not part of reading it: a key that was withdrawn must not live on for want of a file.
#ifndef RELAY_CONFIG_LOOK_H
#define RELAY_CONFIG_LOOK_H

#include "relay/config/config.h"

// Adds to the report what is absent, is something else than it should be, or may not be used;
// makes nothing. What config was not read for is not looked at. is_running: only the settings that
// a running relay takes over.
void config_look(const struct config *config, bool is_running, struct config_report *report);

#endif
