// dispatch.h - private to the dispatcher's own files: its state and how they call each other.
//
//   inbox.c --offered--> composition.c --composed--> admission.c --ready--> delivery.c
//                            ^                           |                     |
//                       backlog.c <---- due rows <-------+------ settled <-----+
#ifndef RELAY_DISPATCH_DISPATCH_H
#define RELAY_DISPATCH_DISPATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/config/config.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/dispatch/job.h"
#include "relay/dispatch/rate_gate.h"
#include "relay/dispatch/route_health.h"
#include "relay/dispatch/settlement.h"

enum {
    JOBS_MAX = 256,                   // messages in memory
    JOBS_REFILL = 192,                // the queue is asked for more below this
    JOBS_BYTES_MAX = 8 * 1024 * 1024, // their payloads, as offered
    UNKNOWN_OUTCOMES_MAX = 2,         // three copies at most (design §1.4)
    READY_LIMIT_MS = 2000,            // then it waits in the queue, not in memory
    MIME_LIMIT_MS = 20 * 1000,        // then the minutes in it are those left no more
    LANE_TURN = 8,                    // each so many picks a lower lane goes first
};

struct dispatcher {
    struct event_loop *loop;
    const struct config *config;
    struct queue *queue;
    struct queue_reader *reader;
    struct dots *dots;
    const char *owner;
    struct composers *composers;
    struct route_health route_health;
    struct rate_limit *rate_limit;
    void (*reload_done)(void *context, const json_t *faults); // see dispatcher_reload()
    void *reload_context;
    struct deliverers *deliverers;
    bool draining;
    int64_t ticked_ms, longest_transaction_ms; // CLOCK_BOOTTIME of the last beat; for leases

    struct job_table jobs;
    int64_t newest_released_ms; // queue time: no composed row newer than this is on disk alone
    unsigned pick_turn;         // counts picks, for LANE_TURN
    bool received_waiting;      // the queue may hold `received` rows that are not in memory
    bool marks_left;       // of an earlier run, on rows still `received`: nothing else is begun
    bool fetch_is_put_off; // the look at due_at_ms is one that was due before
    int64_t due_at_ms;     // CLOCK_BOOTTIME: when a queued row may be due
    int64_t overdue_at_ms, sweep_at_ms; // CLOCK_BOOTTIME, see expiry.h
    int64_t reconsider_at_ms;           // CLOCK_BOOTTIME, see rate_gate.h
    int64_t created_ms;                 // queue time: what was put off before was so by other runs
    size_t reconsidered;

    atomic_size_t load_count, load_bytes; // of jobs, for dispatcher_offer()
    struct event_source wake;             // an eventfd
    pthread_mutex_t inbox_lock;           // guards the inbox alone; held for a few stores
    struct notice *inbox, **inbox_end;
    bool orders_closed; // guarded as well
};

// dispatcher.c
void dispatcher_adopt(struct dispatcher *dispatcher, struct job *job);   // into memory
void dispatcher_release(struct dispatcher *dispatcher, struct job *job); // out of it, destroyed

// admission.c
void admission_decide(struct dispatcher *dispatcher, struct job *job); // stored and composed
bool admission_has_newer(struct dispatcher *dispatcher, const struct job *job);
// Ends a job whose like is the first. False: it is the first itself.
bool admission_end_duplicate(struct dispatcher *dispatcher, struct job *job);
// Is there a message with the content of that mail which whole is, or which is made of its payload:
// one that goes and whose commit has not ended yet, or one on disk? Whoever asks and then goes
// (job::going) before the next one asks is the first, and the only one.
bool admission_is_in_memory(const struct dispatcher *dispatcher, const struct job *content,
                            const struct job *whole);
bool admission_is_on_disk(struct dispatcher *dispatcher, const struct job *content,
                          const struct job *whole);

// split.c
enum split_end {
    SPLIT_DONE,      // it is being committed
    SPLIT_NONE_GOES, // every one of them would be parked; *err says why
    SPLIT_FAILED,    // *err says why
};
// Turns a stored job into the rows of its mails, from where they go out like any other that had
// to wait; none: it ends as `cancelled`, and a part is parked again as `no_such_part`.
enum split_end split_payload(struct dispatcher *dispatcher, struct job *job, const json_t *mails,
                             const struct frame *frame, struct error *err);

// delivery.c
void delivery_pump(struct dispatcher *dispatcher); // ready jobs -> free slots
void delivery_done(void *context, struct delivery *delivery, const struct delivery_result *result);
// Ends a job whose dot mark holds a verdict of an earlier run (recovery.h). False: it holds none.
bool delivery_settle_verdict(struct dispatcher *dispatcher, struct job *job);
// What an operator is told: see deliverers_handlers.
void delivery_circuit(void *context, const char *smarthost, bool up, enum circuit_reason reason,
                      const char *detail);
void delivery_in_use(void *context, const char *smarthost, bool is_first);
void delivery_limit(void *context, const char *smarthost, size_t connections);
void delivery_died(void *context, const char *smarthost);
void delivery_put_back(struct dispatcher *dispatcher, struct job *job); // waits on disk, uncharged

// backlog.c
void backlog_fetch(struct dispatcher *dispatcher, int64_t now_ms);
void backlog_claimed(struct dispatcher *dispatcher, struct job *job, enum queue_result result);
// A row into memory. NULL: gone, there already, or parked; or *failed, and to be looked for again.
struct job *backlog_load(struct dispatcher *dispatcher, const char *id, bool *failed);

#endif
