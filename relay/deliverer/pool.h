// pool.h - the worker threads: who delivers which job, and for how long.
//
// A job goes to the idle worker whose connection was used last, so that few connections are kept
// and the rest go cold and end; to a worker of its own while there are fewer than `connections`;
// else it waits for the first that becomes free.
//
// Locks: pool -> wire. Results are written under a lock of their own, holding no other.
#ifndef RELAY_DELIVERER_POOL_H
#define RELAY_DELIVERER_POOL_H

#include <stdint.h>

#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/deliverer/job.h"
#include "relay/deliverer/settings.h"
#include "relay/deliverer/smtp_driver.h"

struct pool; // opaque; lives until the process ends

// Borrows all. Results are written to result_fd; where that fails the process ends, since the
// core has.
struct pool *pool_create(const struct settings *settings, const struct smtp_driver *driver,
                         struct dots *dots, int result_fd, struct error *err);

// Takes the job over. Its result is written in any case, sooner or later.
void pool_deliver(struct pool *pool, struct job *job);

// Cuts the job of that id, or all where id is empty. An unknown id has ended already.
void pool_cut(struct pool *pool, const char *id);

// Tells the core that this process is not frozen.
bool pool_answer_ping(struct pool *pool, struct error *err);

// Ends the transactions that have taken longer than the settings allow. Returns in how many
// milliseconds to look again, or -1 while nothing is under way.
int pool_watch(struct pool *pool);

#endif
