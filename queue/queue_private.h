// queue_private.h - struct queue, for the files of this folder that serve queue.h.
#ifndef QUEUE_QUEUE_PRIVATE_H
#define QUEUE_QUEUE_PRIVATE_H

#include "queue/backup.h"
#include "queue/keys.h"
#include "queue/queue.h"
#include "queue/queue_clock.h"
#include "queue/rekey.h"
#include "queue/schema.h"
#include "queue/uuid.h"
#include "queue/writer.h"

// How far queue_reconsider() has looked: so many of the lanes, and within the next one to that row.
struct reconsidered {
    size_t lanes;
    bool is_within;
    int64_t created_ms, not_before_ms, seq;
};

struct queue {
    char *dir;
    int lock_fd;  // holds the lock for life
    int index_fd; // of queue.db-shm; see queue.c
    const struct schema *schema;
    struct keys *keys;
    struct queue_clock clock;
    struct uuid_source uuids;
    struct writer *writer;
    struct rekey *rekey;
    struct backup *backup;
    bool made, made_beside_key;        // see queue_was_made()
    bool keys_lost;                    // see queue_keys_lost()
    int64_t last_seq_found;            // the newest row at queue_open(): later ones are this run's
    int64_t swept_seq;                 // the writer's: how far queue_sweep() has looked
    struct reconsidered reconsidered;  // of the thread that calls queue_reconsider()
    _Atomic uint64_t flushed_refusals; // refusals that a queue_flush() has told of
};

// queue_open() on other clocks than the machine's, and with other tables than this version's.
struct queue *queue_open_at(const struct queue_options *options, const struct clock_source *source,
                            const struct schema *schema, struct error *err);

#endif
