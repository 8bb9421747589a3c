// confinement.h - what a composer's `ready` says of its confinement, as one line for people.
#ifndef RELAY_CHILDREN_CONFINEMENT_H
#define RELAY_CHILDREN_CONFINEMENT_H

#include <jansson.h>
#include <stddef.h>

// Enough for all that a composer has to say; what is beyond it is cut off.
#define CONFINEMENT_TEXT_SIZE 512

// texts: an array, or NULL. Gives "rlimits, seccomp"; or "" where there are none.
const char *confinement_text(const json_t *texts, char text[CONFINEMENT_TEXT_SIZE]);

#endif
