// write_shim.h - libesmtp's writes, gathered until it waits for an answer.
//
// It gives the kernel each 2048 bytes of a message by themselves, and asks before each write and
// each read whether it may (siobuf.c). write() and poll() are ours here, for one socket of the
// thread that says so: what is written goes out at once as the wait for its answer begins, and the
// waiting is done by read() itself. What is written behind the gate (wire_pass_dot()) is not
// kept, nor is what was kept until then.
#ifndef RELAY_DELIVERER_WRITE_SHIM_H
#define RELAY_DELIVERER_WRITE_SHIM_H

#include <stddef.h>

#include "relay/deliverer/wire.h"

// Most mails whole. What is longer fills the kernel's buffers as it always did.
#define WRITE_SHIM_BYTES (16 * 1024)

struct write_shim {
    struct wire *wire;
    int fd; // the library's
    size_t size;
    char bytes[WRITE_SHIM_BYTES];
};

// From now on for this thread and the socket that is open on wire; shim and wire are borrowed until
// write_shim_end(). The socket blocks from here on: whoever ends it by its wire ends what waits.
void write_shim_begin(struct write_shim *shim, struct wire *wire);
// Forgets what was not written. Also where there was no beginning.
void write_shim_end(void);

#endif
