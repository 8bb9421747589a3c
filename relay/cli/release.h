// release.h - `courier-relay queue release`: asks the daemon to let messages go.
#ifndef RELAY_CLI_RELEASE_H
#define RELAY_CLI_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/queue.h"

struct release_order {
    const char *queue_dir;
    char **ids; // those, or, with id_count 0, what the filter names
    size_t id_count;
    const struct queue_filter *filter; // without a state: parked; limit 0: all
    bool yes;                          // do not ask
    bool json;
};

// Prints a line a message and returns the exit status: CLI_DONE all were released, CLI_FAILED
// some were not, CLI_TRY_AGAIN no daemon runs.
int cli_release(struct queue_reader *reader, const struct release_order *order);

#endif
