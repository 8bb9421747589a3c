// evaluator.h - asks what tables the normalisers are, of a process that ends with the answer.
//
// An evaluation takes 7 MB, and of what it frees the heap gives hardly anything back. Of a table
// nothing else is needed, so a composer that has tables only never evaluates any Jsonnet itself.
// And whatever the normalisers are, one that never ends is found out here: the composer lives to
// tell which file it was.
// The process is confined like a composer.
#ifndef RELAY_COMPOSER_EVALUATOR_H
#define RELAY_COMPOSER_EVALUATOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay/composer/route_table.h"

struct evaluator {
    pid_t pid; // 0: it was not started
    int fd;
    size_t count;            // of tables
    int64_t until_ms;        // CLOCK_BOOTTIME: how long it may take
    _Atomic size_t *at_work; // shared with it: the source it is at
};

// Starts the process, while there is no other thread. routes have no faults; the first one's
// normaliser is tried on the sample, a payload that is JSON. limit_ms: how long all that may take.
// Where it cannot be started, evaluator_finish() has no answer.
struct evaluator evaluator_start(const struct route_table *routes, const char *sample,
                                 int limit_ms);

// Waits for its answer and its end: what normaliser_tables() gives. NULL also where it died, or
// was not started: whoever uses normaliser_run() then meets whatever it has met. But not where
// *ret_is_endless: its time was over, and it was at the source *ret_source then.
json_t *evaluator_finish(struct evaluator *evaluator, bool *ret_is_endless, size_t *ret_source);

#endif
