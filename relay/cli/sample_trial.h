// sample_trial.h - has a composer make a mail of every sample payload, for `check` and `doctor`.
#ifndef RELAY_CLI_SAMPLE_TRIAL_H
#define RELAY_CLI_SAMPLE_TRIAL_H

#include <jansson.h>

#include "relay/children/child_session.h"
#include "relay/children/samples.h"
#include "relay/config/config.h"

struct sample_trial {
    const struct config *config;
    struct child_session *session; // a composer that is ready
    const json_t *init;            // what it was started with
    void *context;
    // Before the samples of a route; it has none where samples_dir is NULL. Or NULL.
    void (*on_route)(void *context, const struct config_route *route);
    // What was made of one, in which nothing is wrong. Or NULL.
    void (*on_composed)(void *context, const struct sample *sample, const json_t *answer);
    // What is wrong: an array of {where, what} as a composer's own, seldom empty.
    void (*on_faults)(void *context, const json_t *faults);
    unsigned composed; // samples of which something was made, or nothing to send
};

// False: the composer died or hung, and what came after that sample was not tried.
bool sample_trial_run(struct sample_trial *trial);

#endif
