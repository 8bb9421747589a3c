// composer_trial.h - a composer with new settings is tried on samples, beside those at work.
//
// It loads, then composes one sample after the other. Only one that does all of them without a
// fault is of use. Belongs to the thread of its event loop; never waits.
#ifndef RELAY_CHILDREN_COMPOSER_TRIAL_H
#define RELAY_CHILDREN_COMPOSER_TRIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/children/composer_child.h"
#include "relay/children/samples.h"
#include "relay/event_loop.h"

struct composer_trial;

// The composer has done all it was asked (faults NULL; it is idle, and composer_trial_take() is
// allowed), or else faults say what is wrong, at least one. Called once, never from
// composer_trial_create(); the callee destroys the trial there.
typedef void composer_trial_end_fn(void *context, const json_t *faults);

// Copies init and what the sets name. NULL: no memory. Starts nothing yet.
struct composer_trial *composer_trial_create(struct event_loop *loop, const char *program,
                                             const json_t *init, const struct sample_set *sets,
                                             size_t set_count, composer_trial_end_fn *ended,
                                             void *context);
void composer_trial_destroy(struct composer_trial *trial); // kills its composer; NULL is a no-op

// Its composer is the caller's from now on.
struct composer_child *composer_trial_take(struct composer_trial *trial);
const json_t *composer_trial_init(const struct composer_trial *trial);
bool composer_trial_is_running(const struct composer_trial *trial); // it has a process

// To be called with is_room whenever there may be one process more; and when
// composer_trial_next_ms() has come. May end the trial.
void composer_trial_tick(struct composer_trial *trial, int64_t now_ms, bool is_room);
int64_t composer_trial_next_ms(const struct composer_trial *trial);

#endif
