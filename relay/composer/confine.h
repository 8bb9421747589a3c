// confine.h - what a composer takes from itself once everything is loaded.
//
// It then works on strangers' text with nothing but its memory and its socket. What a kernel or
// a container does not let it have is no failure, but is told.
#ifndef RELAY_COMPOSER_CONFINE_H
#define RELAY_COMPOSER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define CONFINEMENT_ITEMS_MAX 8

// For an operator's eyes: short words of what is in force ("landlock-7"), and what is not with why
// ("landlock: not in this kernel").
struct confinement {
    size_t in_force_count, missing_count;
    char in_force[CONFINEMENT_ITEMS_MAX][24];
    char missing[CONFINEMENT_ITEMS_MAX][96];
};

// Once, by the only thread, before a stranger's text or an operator's function is looked at. False
// where a resource limit cannot be set, which no kernel refuses; the error names it.
bool confine(struct confinement *ret_confinement, struct error *err);

#endif
