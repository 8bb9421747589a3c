// explanation.h - the sentences of `courier-relay queue explain`. Pure but for the clock.
#ifndef RELAY_CLI_EXPLANATION_H
#define RELAY_CLI_EXPLANATION_H

#include <jansson.h>

#include "queue/queue.h"

// An array of texts: what came when, its language and why, each attempt, where it is now, what will
// happen next. history: message_view_attempt()s; smarthosts: as GET /admin/smarthosts gives them,
// or NULL where no relay runs. The caller json_decref()s it.
json_t *explanation(struct queue_reader *reader, const struct queue_message *message,
                    const json_t *history, const json_t *smarthosts);

#endif
