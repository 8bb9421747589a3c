// expiry.h - private to the dispatcher: what time ends. Bodies and rows that are kept no longer.
#ifndef RELAY_EXPIRY_H
#define RELAY_EXPIRY_H

#include <stdint.h>

struct dispatcher;

// Sweeps a batch, when it is time for one.
void expiry_sweep(struct dispatcher *dispatcher, int64_t now_ms);

#endif
