// metrics.h - what the relay counts about itself, for Prometheus. docs/metrics.md names it all.
//
// Called where things happen, by any thread: a call is a few relaxed additions to static memory,
// without a lock or an allocation, and cannot fail. It is in one place for the whole process, as
// the log is, so that whoever counts needs no pointer to it.
//
// What a label may say is bounded: each has a table of so many names, and what finds no more room
// is counted as `other`. Only names that a configuration, a template folder or this program gives
// come here; never an address, an id or a text of a message.
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/base/buffer.h"
#include "relay/children/compose_request.h"
#include "relay/children/deliverer_process.h"
#include "relay/smarthosts/circuit.h"

// ---- counting ------------------------------------------------------------------------------

// Once, before threads are started. The version is borrowed for good.
void metrics_start(const char *version);
// A configuration was read anew, and is in force, or was refused.
void metrics_reloaded(bool is_in_force);

enum metrics_payload {
    METRICS_ACCEPTED,
    METRICS_DUPLICATE,
    METRICS_EMPTY,
    METRICS_NOT_JSON,
    METRICS_UNAVAILABLE,
};
#define METRICS_PAYLOAD_COUNT 5

// There is a route of that name: what it has not had yet is told as 0.
void metrics_route(const char *name);
// A payload with a valid key was answered, took_us after its head was read.
void metrics_payload(const char *route, enum metrics_payload outcome, int64_t took_us);
// A request was refused by its head or its size. listener: "mail", "admin", "control".
void metrics_refused(const char *listener, const char *reason);
// A payload was committed, so long after it was handed to the queue.
void metrics_committed(int64_t took_us);

// A composer has answered, or was killed, so long after it was asked.
void metrics_composer_answered(enum compose_task task, int64_t took_us);
// A mail that was made of a payload is to go, in that language, which was chosen by that wish.
void metrics_composed(const char *locale, const char *locale_source);
// A payload could not be composed as it was tried; others may follow.
void metrics_compose_failed(const char *reason);

// A message has ended, and that is committed. lane and template: NULL where it was not composed.
void metrics_ended(enum message_state state, const enum lane *lane, const char *template);
void metrics_parked(const char *reason);
void metrics_rate_limited(enum lane lane);         // it waits for a token
void metrics_expired_rate_limited(enum lane lane); // as it has ended, too

// A transaction has ended.
void metrics_delivery(const char *smarthost, enum delivery_outcome outcome, int64_t took_ms);
// A smarthost has refused a message for good; code: the reply's enhanced code, or NULL.
void metrics_rejected(const char *enhanced_code);
// A message was taken: so long after it was received its transaction began, and so much later what
// it carries would have been dead.
void metrics_delivered(enum lane lane, int64_t waited_ms, int64_t left_ms);

// How a smarthost stands now.
struct metrics_smarthost {
    const char *name;
    const struct circuit *circuit;
    size_t under_way;       // transactions
    size_t connections_max; // how many there may be
};
void metrics_smarthost(const struct metrics_smarthost *smarthost);
void metrics_smarthost_gone(const char *name); // it is not configured any more
// A connection was made whose certificate is good until then, in seconds since the epoch.
void metrics_certificate(const char *smarthost, int64_t not_after_s);

// An operator has acted, on however many messages. act: as the audit log has it.
void metrics_acted(const char *act);

enum metrics_child { METRICS_COMPOSER, METRICS_DELIVERER };
#define METRICS_CHILD_COUNT 2
void metrics_child_started(enum metrics_child child);
void metrics_child_ended(enum metrics_child child); // in whatever way
void metrics_child_died(enum metrics_child child);  // in a way that nobody wished for

// ---- the page ------------------------------------------------------------------------------

// What is looked up when the page is asked for. Of one thread, that of the reader.
struct metrics_sources {
    const struct queue *queue;
    struct queue_reader *reader;
    const char *queue_dir;
    struct queue_stats stats; // as read last: a look at a million rows takes half a second
    int64_t stats_at_ms;      // CLOCK_BOOTTIME; 0: never
};

// queue and queue_dir are borrowed, and so is reader.
void metrics_sources_init(struct metrics_sources *sources, const struct queue *queue,
                          struct queue_reader *reader, const char *queue_dir);
// Writes the whole page (text format 0.0.4). What the queue does not tell now is left out. The
// caller looks at page->failed.
void metrics_write(struct metrics_sources *sources, struct buffer *page);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
