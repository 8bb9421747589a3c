// composition.h - private to the dispatcher: how a payload becomes a mail. Who is asked for it,
// what a failure means and who is asked next; whether what was made may go is not decided here.
#ifndef RELAY_DISPATCH_COMPOSITION_H
#define RELAY_DISPATCH_COMPOSITION_H

#include "relay/children/composers.h"

struct dispatcher;
struct job;

// A mail or a failure comes to composition_done(), which goes on with either.
void composition_begin(struct dispatcher *dispatcher, struct job *job, enum compose_task task);
// May what was not found be in Kratos' own places all the same?
bool composition_is_mendable(const char *park_reason);

// See composers_handlers; context is the dispatcher.
void composition_choose(void *context, struct compose_request *request);
void composition_done(void *context, struct compose_request *request, enum compose_end end,
                      const json_t *header, const struct frame *frame);

#endif
