// expiry.h - private to the dispatcher: what time ends. Messages that died waiting, bodies and rows
// that are kept no longer; a batch a beat, with pauses between, so that nobody else waits for it.
#ifndef RELAY_DISPATCH_EXPIRY_H
#define RELAY_DISPATCH_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

struct dispatcher;
struct job;

// Ends a batch of waiting messages that are past their deadline (dispatcher::overdue_at_ms: when
// there may be one). Their bodies are opened first: one that is damaged may have another deadline.
void expiry_end_overdue(struct dispatcher *dispatcher, int64_t now_ms);
// Ends a job of a waiting row where it is past its deadline: it is not to be claimed and composed.
bool expiry_end_dead(struct dispatcher *dispatcher, struct job *job);
// Sweeps a batch of old rows (dispatcher::sweep_at_ms: when it is time for one).
void expiry_sweep(struct dispatcher *dispatcher, int64_t now_ms);

#endif
