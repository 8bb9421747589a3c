// evaluator.h - asks what tables the normalisers are, of a process that ends with the answer.
//
// An evaluation takes 7 MB, and of what it frees the heap gives hardly anything back. Of a table
// nothing else is needed, so a composer that has tables only never evaluates any Jsonnet itself.
// The process is confined like a composer.
#ifndef RELAY_COMPOSER_EVALUATOR_H
#define RELAY_COMPOSER_EVALUATOR_H

#include <jansson.h>
#include <sys/types.h>

#include "relay/composer/route_table.h"

struct evaluator {
    pid_t pid; // 0: it was not started
    int fd;
    size_t count; // of tables
};

// Starts the process, while there is no other thread. routes have no faults. Where it cannot be
// started, evaluator_finish() has no answer.
struct evaluator evaluator_start(const struct route_table *routes);

// Waits for its answer and its end: what normaliser_tables() gives. NULL also where it died, or
// was not started: whoever uses normaliser_run() then meets whatever it has met.
json_t *evaluator_finish(struct evaluator *evaluator);

#endif
