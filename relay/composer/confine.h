// confine.h - what a composer takes from itself once everything is loaded.
//
// It then works on strangers' text with nothing but its memory and its socket. Errors name the
// limit that could not be set.
#ifndef RELAY_COMPOSER_CONFINE_H
#define RELAY_COMPOSER_CONFINE_H

#include <stdbool.h>

#include "relay/base/error.h"

bool confine(struct error *err);

#endif
