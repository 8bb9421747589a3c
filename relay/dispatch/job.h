// job.h - a message while the dispatcher has it in memory, and the table of all such.
//
// A job owns what it points to. Its row on disk is what a crash would leave: `received` with the
// raw payload, or composed and `sending` under our lease.
#ifndef RELAY_DISPATCH_JOB_H
#define RELAY_DISPATCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/children/composers.h"
#include "relay/smarthosts/deliverers.h"

#define JOB_CONTENT_SIZE 65 // SHA-256 in hexadecimal digits

enum job_state {
    JOB_COMPOSING, // with the composers, or waiting for one
    JOB_WAITING,   // composed; the commit of its payload or lease is under way
    JOB_READY,     // may go out, waits for a delivery slot
    JOB_DELIVERING,
    JOB_SETTLING, // its outcome is being committed
};

// What another thread has to tell the dispatcher.
struct notice {
    enum {
        NOTICE_OFFERED,
        NOTICE_COMMITTED,
        NOTICE_WRITTEN,
        NOTICE_RELEASED,
        NOTICE_ORDERED,
    } kind;
    struct job *job; // COMMITTED: NULL, id tells; RELEASED, ORDERED: NULL
    char id[QUEUE_ID_SIZE];
    enum queue_result result;
    struct notice *next; // dispatcher::inbox
};

struct job {
    // What each message is compared with stands together: few cache lines a walk.
    struct job *list_next; // job_table::all
    struct job **list_link;
    int64_t received_ms;            // queue time
    char content[JOB_CONTENT_SIZE]; // the composer's digest of the payload, "": not known
    unsigned going; // a bit for each mail of the payload that goes by this job; 0: undecided, none

    char id[QUEUE_ID_SIZE];
    enum job_state state; // once it is in the table, job_table_move() changes it
    bool stored;          // the commit that lets it go out has ended
    bool row_composed;    // its row holds envelope and canonical mail; else it is `received`, raw
    bool has_token;       // of the rate limits
    bool was_limited;     // by the rate limits: it had its place with an earlier token
    bool was_released;    // it comes from an operator's release and has not been compared since
    bool is_part;         // of the mails of its payload only that at array_index is meant
    size_t array_index;
    char route[QUEUE_TEXT_SIZE];
    char trace_id[QUEUE_TEXT_SIZE]; // empty: of no trace
    int attempts, unknown_outcomes;

    char *body; // to compose: the raw payload, or (row_composed) the canonical mail
    size_t body_size;
    int compose_failures;
    char compose_cause[QUEUE_TEXT_SIZE]; // why the normaliser did not do; "": no reason yet
    bool is_turned_away;                 // it was not asked, as it is down
    bool is_last_resort;                 // it is asked after all, once
    struct compose_request request;

    // Once composed.
    struct queue_envelope envelope; // points into the fields below
    char channel[QUEUE_TEXT_SIZE], template[QUEUE_TEXT_SIZE], locale[QUEUE_TEXT_SIZE];
    char locale_source[QUEUE_TEXT_SIZE];
    char identity_id[QUEUE_TEXT_SIZE], park_reason[QUEUE_TEXT_SIZE];
    char recipient[QUEUE_RECIPIENT_SIZE], sender[QUEUE_RECIPIENT_SIZE];
    uint8_t content_digest[QUEUE_DIGEST_SIZE], supersede_digest[QUEUE_DIGEST_SIZE];
    char *canonical, *mime, *mask; // mask: secrets of mime, one a line; never on disk
    size_t canonical_size;

    struct delivery delivery; // mark -1: it has no dot mark
    int64_t ready_since_ms;   // CLOCK_BOOTTIME
    int64_t composed_boot_ms; // CLOCK_BOOTTIME: what the minutes in mime are counted from

    int64_t waits_until_ms;        // SETTLING back to `queued`: its not_before; else 0
    enum message_state settles_as; // SETTLING: the state that is being committed
    const char *settles_reason;    // static, or the job's own; NULL: none
    bool is_duplicate;             // it ends as one, so it is nobody's newer
    bool is_claiming;              // the write under way is the claim, not the settlement
    struct dispatcher *dispatcher;
    struct notice notice;
    struct job *bucket_next; // job_table::buckets
    struct job *ready_next;  // job_table::ready
    struct job **ready_link;
};

// NULL: no memory. route may be NULL. Copies body, NUL-terminating it.
struct job *job_create(const char *id, const char *route, const void *body, size_t body_size);
// Wipes what may hold a code. NULL is a no-op.
void job_destroy(struct job *job);

void job_set_trace(struct job *job, const char *trace_id); // NULL: none
const char *job_trace(const struct job *job);              // NULL: none; for the log

#define JOB_BUCKETS 512

struct job_table {
    struct job *buckets[JOB_BUCKETS];
    struct job *all;   // newest entry first
    struct job *ready; // those in JOB_READY alone, who came last first: looked through at each beat
    size_t count;
};

void job_table_add(struct job_table *table, struct job *job);
void job_table_remove(struct job_table *table, struct job *job);
void job_table_move(struct job_table *table, struct job *job, enum job_state state);
struct job *job_table_find(const struct job_table *table, const char *id); // or NULL

#endif
