// deliverers.h - the smarthosts: which one may be used, and the deliverer process of each.
//
// Owns a circuit per smarthost and starts its deliverer (deliverer_process.h) when the first
// message is for it, and another beside one that is condemned. Belongs to the thread of its event
// loop; never logs (handlers tell).
#ifndef RELAY_SMARTHOSTS_DELIVERERS_H
#define RELAY_SMARTHOSTS_DELIVERERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/children/deliverer_process.h"
#include "relay/event_loop.h"
#include "relay/smarthosts/circuit.h"
#include "relay/smarthosts/smarthost_health.h"

struct deliverers;

struct deliverers_handlers {
    void (*done)(void *context, struct delivery *delivery, const struct delivery_result *result);
    // A circuit has closed (up) or opened, or been paused; detail says why in words, or is NULL.
    // reason: what it is that began, or (up) has ended.
    void (*circuit)(void *context, const char *smarthost, bool up, enum circuit_reason reason,
                    const char *detail);
    // Messages go to this smarthost from now on; is_first: to the one that is preferred.
    void (*in_use)(void *context, const char *smarthost, bool is_first);
    // The smarthost has refused a connection beyond so many, which work on.
    void (*limit)(void *context, const char *smarthost, size_t connections);
    // A deliverer has died, or was killed as hung.
    void (*died)(void *context, const char *smarthost);
    void *context;
};

// dots is borrowed and must outlive this.
struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err);
void deliverers_destroy(struct deliverers *deliverers); // kills; NULL is a no-op

// From now on the smarthosts of config, which is held for as long as they are. One that is there
// still keeps its circuit, and its deliverers where nothing of its settings has changed. Not to be
// called from within a handler. False without memory: nothing has changed.
bool deliverers_reload(struct deliverers *deliverers, const struct config *config,
                       struct error *err);

// How many messages could be started now, over the smarthosts whose circuit allows it. 0 also
// while every circuit is open: then deliverers_down() says so.
size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms);
// True while no circuit would take a message, now or when a running probe has ended.
bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms);
// True while there are no slots since the smarthost has been given as many as its rate allows.
bool deliverers_are_paced(const struct deliverers *deliverers, int64_t now_ms);
// To be told while something waits and no slot is free: more connections open by that.
void deliverers_wanted(struct deliverers *deliverers, int64_t now_ms);
size_t deliverers_under_way(const struct deliverers *deliverers);

// Is there a smarthost that takes a message now, if not any? And does one take this one?
bool deliverers_have_slot(const struct deliverers *deliverers, int64_t now_ms);
bool deliverers_take(const struct deliverers *deliverers, const struct delivery *delivery,
                     int64_t now_ms);
// Hands the message to the first smarthost in order that takes one; one that has refused it only
// where no other is in use, one that was unable never. False where none does.
bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms);
// Is the next message that is started a probe? Then it is to be the one of the lowest turn
// (smarthost_health.h); 0: no other goes before it.
bool deliverers_probe(const struct deliverers *deliverers, int64_t now_ms);
uint64_t deliverers_turn(const struct deliverers *deliverers,
                         const struct probe_candidate *candidate, int64_t now_ms);
// Is there a smarthost in use that has not refused the message, nor was unable?
bool deliverers_has_other(const struct deliverers *deliverers, const struct delivery *delivery,
                          int64_t now_ms);
// Is there one in use that was not unable? unable: the delivery's.
bool deliverers_has_able(const struct deliverers *deliverers, uint64_t unable, int64_t now_ms);

// An operator's: nothing new goes to the smarthosts of that name until they are resumed; what is
// under way there ends. To resume one that is open lets a probe go at once. False: there is none.
bool deliverers_pause(struct deliverers *deliverers, const char *name, bool paused);
// An array of {name, state, reason, error, since, ...}, of those of that name, or (NULL) of all.
// NULL without memory; the caller json_decref()s it.
json_t *deliverers_describe(const struct deliverers *deliverers, const char *name);

// Shuts all transactions down; done() comes for each, `cut` where its dot was not begun.
void deliverers_cut(struct deliverers *deliverers);

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms);
// When to call it next: a limit, a circuit that may be probed, a slot that comes free by time.
// INT64_MAX: never by time alone.
int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms);

#endif
