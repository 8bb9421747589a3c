// recipient_name.h - what the log calls a recipient: nobody's address stands there.
#ifndef RELAY_RECIPIENT_NAME_H
#define RELAY_RECIPIENT_NAME_H

#include "queue/queue.h"

#define RECIPIENT_NAME_SIZE (QUEUE_RECIPIENT_SIZE + 8)

// "1f2e3d4c@example.com": a keyed hash, the same for the same address, and its domain. NULL: that
// is no address.
const char *recipient_name(const struct queue *queue, const char *recipient,
                           char ret_name[RECIPIENT_NAME_SIZE]);

#endif
