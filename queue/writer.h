// writer.h - the one thread that writes and checkpoints: changes go in, commits come out.
//
// A group is whatever has queued up while the last commit ran; nobody waits for company but
// changes that ride. Checkpoints are made here too (wal.h): SQLite before 3.51.3 can corrupt the
// file when one connection checkpoints while another commits, and beside a busy writer a
// checkpoint never completes.
//
//   fine ---no space---> full <--> blocked      full: what ends messages or frees space is
//    |  <--space again--' |           |               committed, by the reserve; the rest is
//    refused
//    '---any failure that must not be repeated--> broken
//   blocked: nothing can be committed; what ends messages is kept, and tried again each second.
#ifndef QUEUE_WRITER_H
#define QUEUE_WRITER_H

#include "queue/change.h"
#include "queue/queue.h"
#include "queue/queue_clock.h"
#include "queue/reserve.h"

struct writer;

// Takes the connection and the reserve over, also on failure. clock is borrowed; so is options, for
// this call. A reserve that is not whole is a full disk.
struct writer *writer_start(struct database *database, struct reserve *reserve,
                            const struct queue_clock *clock, const struct queue_options *options,
                            struct error *err);
// Commits what was submitted, refuses what cannot be, checkpoints, closes the connection.
void writer_stop(struct writer *writer);    // the second time a no-op
void writer_destroy(struct writer *writer); // a stopped one; NULL is a no-op

// Any thread. The writer owns the change from now on. A stopped one refuses it before this
// returns.
void writer_submit(struct writer *writer, struct change *change);

// Submits a change that stands on the caller's stack and waits for its end. Never from a done
// function.
enum queue_result writer_submit_and_wait(struct writer *writer, struct change *change);

bool writer_writable(const struct writer *writer);          // any thread; see queue_writable()
bool writer_can_settle(const struct writer *writer);        // any thread; see queue_can_settle()
uint64_t writer_refused_count(const struct writer *writer); // any thread; not of those waited for

#endif
