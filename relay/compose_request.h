// compose_request.h - one piece of work for a composer, and the line in which it waits.
#ifndef RELAY_COMPOSE_REQUEST_H
#define RELAY_COMPOSE_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum compose_task {
    COMPOSE_PAYLOAD,  // blob: the raw payload; through the normaliser
    COMPOSE_FALLBACK, // blob: the raw payload; without the normaliser
    COMPOSE_RENDER,   // blob: a canonical mail
};

// Owned by whoever asks.
struct compose_request {
    enum compose_task task;
    const char *id;
    const char *route; // whose normaliser; not for COMPOSE_RENDER
    const void *blob;
    size_t blob_size;
    int64_t received_boot_ms; // CLOCK_BOOTTIME
    // How long the normaliser has been at it. A request that is submitted again keeps it: a
    // payload may cost a second, in however many tries.
    int64_t spent_ms;
    struct compose_request *next; // compose_line::first
    int64_t waiting_since_ms;     // CLOCK_BOOTTIME
};

// The header of `compose` or `render` (docs/protocol.md), with the times of now. The caller
// json_decref()s it. NULL: no memory.
json_t *compose_request_header(const struct compose_request *request);

struct compose_line {
    struct compose_request *first, **end;
};

void compose_line_init(struct compose_line *line);
void compose_line_push(struct compose_line *line, struct compose_request *request);
struct compose_request *compose_line_take(struct compose_line *line); // the oldest; not where empty
void compose_line_remove(struct compose_line *line, const struct compose_request *request);

#endif
