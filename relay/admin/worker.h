// worker.h - a thread that does one task after the other, for what would hold up who asks for it.
#ifndef RELAY_ADMIN_WORKER_H
#define RELAY_ADMIN_WORKER_H

#include <stdbool.h>

#include "relay/base/error.h"

struct admin_worker;

// To be embedded in what the task is about, as its first member.
struct admin_task {
    void (*run)(struct admin_task *task); // the task is the function's to free
    struct admin_task *next;              // the worker's
};

struct admin_worker *admin_worker_create(struct error *err); // NULL on failure
// Does what is left, and ends the thread. Nobody may give it anything more. NULL is a no-op.
void admin_worker_destroy(struct admin_worker *worker);

enum { ADMIN_TASKS_MAX = 32 }; // how many may wait

// Any thread. False: too many wait already, and the task is still the caller's.
bool admin_worker_give(struct admin_worker *worker, struct admin_task *task);
bool admin_worker_give_first(struct admin_worker *worker, struct admin_task *task); // the next one

#endif
