// dispatcher.h - from stored payload to settled message: composes, waits, delivers, retries.
//
// All its state belongs to the thread of its event loop; other threads reach it only through
// dispatcher_offer(), dispatcher_committed(), dispatcher_released() and dispatcher_order(), which
// leave a note and wake it.
//
// Inside: dispatcher.c the beat, inbox.c what other threads leave, composition.c how a payload
// becomes a mail, admission.c whether that may go, delivery.c slots and outcomes, backlog.c what
// comes from the queue; dispatch.h is their shared, private header.
#ifndef RELAY_DISPATCH_DISPATCHER_H
#define RELAY_DISPATCH_DISPATCHER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/event_loop.h"

struct config;
struct dispatcher;
struct sample_set;

// All are borrowed and must outlive the dispatcher. owner names this run in leases. Waits until
// the first composer has loaded templates and normaliser; what is wrong with them is in *err
// and, all of it, in ret_faults (an array of {where, what}; the caller json_decref()s it).
// After an earlier run, the queue must have been recovered before this.
struct dispatcher *dispatcher_create(struct event_loop *loop, const struct config *config,
                                     struct queue *queue, struct dots *dots, const char *owner,
                                     json_t **ret_faults, struct error *err);
// Kills the children. What is in memory is on disk as well, so nothing is lost by it; but the
// queue must have been stopped, since its writer still tells of commits. NULL is a no-op.
void dispatcher_destroy(struct dispatcher *dispatcher);

// The smarthosts of config take the place of those before (deliverers_reload()).
bool dispatcher_reload_smarthosts(struct dispatcher *dispatcher, const struct config *config,
                                  struct error *err);

// Does what is due. To be called after each event_loop_wait(), which may wait until
// dispatcher_next_ms() (CLOCK_BOOTTIME; INT64_MAX: nothing is timed).
void dispatcher_tick(struct dispatcher *dispatcher);
int64_t dispatcher_next_ms(const struct dispatcher *dispatcher);

// Starts no more deliveries; payloads are still stored. dispatcher_cut() shuts down those under
// way before their dot; dispatcher_is_drained(): none is left.
void dispatcher_drain(struct dispatcher *dispatcher);
void dispatcher_cut(struct dispatcher *dispatcher);
bool dispatcher_is_drained(const struct dispatcher *dispatcher);

// Has new composers made with init take the place of those at work, once one has composed the
// samples of these sets without a fault (composers_reload()). done() is told once, not before
// this returns: faults NULL, it is so; or an array of {where, what}, and nothing has changed. A
// reload that is still under way is told that this one takes its place. All is copied.
void dispatcher_reload(struct dispatcher *dispatcher, const json_t *init,
                       const struct sample_set *sets, size_t set_count,
                       void (*done)(void *context, const json_t *faults), void *context);

// Any thread. Offers a payload whose queue_accept() is about to be submitted, so that it is
// composed while it is committed. Copies all of it. When the hand-over is full the offer is
// ignored, and the message comes from the queue later.
void dispatcher_offer(struct dispatcher *dispatcher, const struct queue_accept *accept);

// Any thread (the queue's writer). The commit of id has ended: QUEUE_DONE lets the message go
// out, anything else drops what was offered.
void dispatcher_committed(struct dispatcher *dispatcher, const char *id, enum queue_result result);

// Any thread (the queue's writer). A message was released: it is looked for at the next beat.
void dispatcher_released(struct dispatcher *dispatcher);

// What an operator may ask of smarthosts.
enum smarthost_act { SMARTHOSTS_LIST, SMARTHOST_PAUSE, SMARTHOST_RESUME };
// smarthosts: as deliverers_describe() has them, behind the act: all, or those of the name; empty:
// there is none of that name. NULL: it was not done, the relay ends or has no memory. Good during
// the call only.
typedef void dispatcher_ordered_fn(void *context, const json_t *smarthosts);
// Any thread. done is called once, in the dispatcher's thread, or at once where it is NULL that is
// told. name may be NULL with SMARTHOSTS_LIST.
void dispatcher_order(struct dispatcher *dispatcher, enum smarthost_act act, const char *name,
                      dispatcher_ordered_fn *done, void *context);
// The dispatcher's thread. Orders that wait are carried out, later ones are not.
void dispatcher_close_orders(struct dispatcher *dispatcher);

#endif
