// restart.h - the core executes itself anew, with the same process id.
//
// After a failed write or sync nothing that SQLite holds in memory is to be trusted: the next
// incarnation reads what is really on disk. The same holds when a page of a mapped file (the dot
// marks, the index of the write-ahead log) cannot be had, since its disk is gone: the kernel says
// that by SIGBUS, in whichever thread it was. What the next one has to know travels in a variable
// of its environment; the pauses before it opens the queue grow while this keeps happening.
#ifndef RELAY_RESTART_H
#define RELAY_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"

struct config;

// Stands in the environment of one that was executed anew until restart_prepare(): its queue's
// folder may be gone for now, and that is no fault of the configuration.
#define RESTART_VARIABLE "COURIER_RESTART"

// What this incarnation has of the one before.
struct restart {
    bool is_anew;       // there was one, and its queue had failed
    bool marks_lost;    // its dot marks may not be those on disk
    bool by_page_fault; // a page could not be had; else it has logged its reason itself
    int64_t pause_ms;   // before the queue is opened
};

// Reads it, and arms SIGBUS. Once, before there are threads; argv and config must stay. Without
// memory the restart is lost, not the start.
void restart_prepare(struct restart *ret_restart, const struct config *config, char **argv);

// Executes the program anew. Returns only where that failed.
void restart_now(bool marks_lost, struct error *err);

#endif
