// message_filter.h - which messages are meant: the one language in which the command line and the
// admin API name them.
#ifndef RELAY_MESSAGE_FILTER_H
#define RELAY_MESSAGE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/base/error.h"

#define MESSAGE_FILTER_LIMIT_MAX 1000000

// Begins as zeros: every message. Texts are copied, and empty where any will do.
struct message_filter {
    unsigned states; // as in struct queue_filter
    bool has_lane;
    enum lane lane;
    char recipient[QUEUE_RECIPIENT_SIZE];
    char template[QUEUE_TEXT_SIZE], reason[QUEUE_TEXT_SIZE], smarthost[QUEUE_TEXT_SIZE];
    int64_t since_ms, before_ms; // of the wall clock; 0: no bound
    size_t limit;                // 0: not told
};

// Is name one that message_filter_set() knows?
bool message_filter_knows(const char *name);

// Narrows the filter. Of what it takes:
//   state                    one or several, "queued,held"
//   recipient                an address, in whatever case
//   template, lane, reason   exactly as a list shows them
//   smarthost                of the last attempt
//   since, before            created from then on, or before: RFC 3339, or a day (which `since` has
//                            in and `before` has not)
//   older_than, newer_than   created longer ago than that, or less long: "90s", "15m", "2h", "3d"
//   limit                    1 to MESSAGE_FILTER_LIMIT_MAX
// Of several bounds of time the narrowest counts; of all others the last. now_ms: the wall clock.
// ERR_INPUT says what is wrong, in words that read behind the name.
bool message_filter_set(struct message_filter *filter, const char *name, const char *value,
                        int64_t now_ms, struct error *err);

// Does it narrow anything? A limit alone does not.
bool message_filter_is_narrow(const struct message_filter *filter);

// The same for the queue, whose clock is another: ahead_ms is what the wall clock is ahead of it.
// Borrows the texts. limit as told.
struct queue_filter message_filter_for_queue(const struct message_filter *filter, int64_t ahead_ms);

#endif
