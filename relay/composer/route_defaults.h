// route_defaults.h - whether what a route's mails have by default is anything that was loaded.
//
// At run time an unknown brand, language or time zone is passed over, since strangers name them;
// an operator has to be told.
#ifndef RELAY_COMPOSER_ROUTE_DEFAULTS_H
#define RELAY_COMPOSER_ROUTE_DEFAULTS_H

#include <jansson.h>

struct renderer;
struct route_table;

// Appends a fault {where, what} for each default that names what is not there to faults; where is
// the setting, "routes".
void route_defaults_check(const struct route_table *table, const struct renderer *renderer,
                          json_t *faults);

#endif
