// route_table.h - the routes that a composer was told of: whose normaliser, which defaults.
//
// Routes that name the same file share one text.
#ifndef RELAY_COMPOSER_ROUTE_TABLE_H
#define RELAY_COMPOSER_ROUTE_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "jsonnet/normaliser.h"
#include "relay/base/error.h"

struct composer_route {
    char *name;
    json_t *defaults; // an object, or NULL
    size_t source;    // the number of its normaliser
};

struct route_table {
    struct composer_route *routes; // the first is Kratos' own
    size_t count;
    struct normaliser_source *sources; // their texts, and the names of their files
    size_t source_count;
};

// Reads the routes of `init` (docs/protocol.md) and the files that they name, and appends a
// fault {where, what} for each file that cannot be used to faults. False with ERR_INPUT: routes
// is not what the protocol says. Finish it in any case.
bool route_table_init(struct route_table *table, const json_t *routes, json_t *faults,
                      struct error *err);
void route_table_finish(struct route_table *table);

// A payload that was stored before there were further routes has no name of one: NULL is the
// first. Returns NULL where there is no such route.
const struct composer_route *route_table_find(const struct route_table *table, const char *name);

// What normaliser_check() or normaliser_run() said, "FILE:LINE:COLUMN: what", as a fault.
json_t *route_table_fault(const struct route_table *table, const char *message);

#endif
