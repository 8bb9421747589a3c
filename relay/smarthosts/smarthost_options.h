// smarthost_options.h - the parameters of a smarthost's URI: what stands behind its '?'.
#ifndef RELAY_SMARTHOSTS_SMARTHOST_OPTIONS_H
#define RELAY_SMARTHOSTS_SMARTHOST_OPTIONS_H

#include <stdbool.h>

#include "relay/base/error.h"
#include "relay/base/span.h"
#include "relay/smarthosts/smarthost.h"

// Reads "NAME=VALUE&NAME=VALUE" into smarthost, whose scheme, host and user are known already; what
// is not said stays as it is. ERR_INPUT names the parameter, unless it is an unknown one: a piece
// of a password that was not percent-encoded would look like that.
bool smarthost_options_parse(struct span query, struct smarthost *smarthost, struct error *err);

#endif
