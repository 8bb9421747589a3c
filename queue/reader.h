// reader.h - struct queue_reader, for the files of this folder that read.
//
// Every look is one short statement, reset before the function returns: an open one would keep
// the writer's checkpoints from starting the WAL over. In a command, which the terminal may stop, a
// stop waits for the end of the look.
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include "queue/database.h"
#include "queue/keys.h"
#include "queue/queue.h"
#include "queue/queue_clock.h"

struct queue_reader {
    struct database database;
    const struct keys *keys; // NULL: bodies cannot be read
    struct writer *writer;   // the daemon's; NULL: a command's, which only looks
    struct queue_clock clock;
    int64_t wall_ahead_ms; // of CLOCK_BOOTTIME, when a command began: its times agree
};

// The columns of struct queue_message, in the order in which reader_get_message() takes them.
#define MESSAGE_COLUMNS                                                                            \
    "id, array_index, state, reason, route, key_name, channel, lane, template, locale, recipient," \
    " identity_id, coded, content_digest, supersede_digest, supersede_by_browser, smarthost, "     \
    "attempts,"                                                                                    \
    " unknown_outcomes, created, updated, not_before, deadline, last_reply, trace_id,"             \
    " locale_source, body_form"

// False where the row holds what no version of this program writes.
bool reader_get_message(struct query *query, struct queue_message *ret_message);

// True where the query has not failed, else fills *err.
bool reader_ended_well(const struct queue_reader *reader, const struct query *query,
                       struct error *err);

#endif
