// frame.h - messages over the socketpairs between the core and its children.
//
// A frame is a small JSON header and up to FRAME_BLOBS_MAX raw blobs (a payload, a mail).
// On the wire, all integers little endian, 32 bits:
//
//   magic "CRf1" | header size | blob count | size of each blob ... | header | blob | blob ...
//
// Every length is checked against the limits below before a byte is stored: a child that went
// mad can make its connection end, not the core. This module neither parses nor makes JSON.
// Not for use by two threads at once on one object.
#ifndef RELAY_BASE_FRAME_H
#define RELAY_BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

#define FRAME_BLOBS_MAX 64
#define FRAME_HEADER_MAX (256 * 1024)
#define FRAME_TOTAL_MAX (16 * 1024 * 1024)

struct frame_blob {
    const void *data;
    size_t size;
};

struct frame {
    const char *header; // JSON text, not NUL-terminated
    size_t header_size;
    struct frame_blob blobs[FRAME_BLOBS_MAX];
    size_t blob_count;
};

// Takes bytes as they come and gives whole frames.
struct frame_reader {
    struct buffer bytes;
    size_t used; // bytes of the frame given last
};

void frame_reader_init(struct frame_reader *reader);
void frame_reader_finish(struct frame_reader *reader);
// Wipes the frame given last, as frame_read() does: for whoever does not call that soon.
void frame_reader_drop(struct frame_reader *reader);

enum frame_status {
    FRAME_READY, // *ret_frame points into the reader: good until the next call on it
    FRAME_AGAIN, // nothing whole yet (non-blocking descriptors only)
    FRAME_END,   // the peer has closed between two frames
    FRAME_ERROR, // *err says why; the connection is of no more use
};

// Gives the next frame, reading from fd as needed: blocks on a blocking descriptor, returns
// FRAME_AGAIN on a non-blocking one. After FRAME_READY call again until FRAME_AGAIN, since
// one read may bring several frames.
enum frame_status frame_read(struct frame_reader *reader, int fd, struct frame *ret_frame,
                             struct error *err);

// Appends the frame's bytes to out. ERR_INPUT where it is over a limit.
bool frame_encode(struct buffer *out, const struct frame *frame, struct error *err);

// Writes a whole frame to a blocking descriptor.
bool frame_write(int fd, const struct frame *frame, struct error *err);

// Writes what fd takes of pending, and drops it from there. True also where fd takes no more.
bool frame_flush(struct buffer *pending, int fd, struct error *err);

#endif
