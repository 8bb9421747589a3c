// compose_request.h - one piece of work for a composer, and the line in which it waits.
#ifndef RELAY_CHILDREN_COMPOSE_REQUEST_H
#define RELAY_CHILDREN_COMPOSE_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum compose_task {
    COMPOSE_PAYLOAD,  // blob: the raw payload; through the normaliser
    COMPOSE_FALLBACK, // blob: the raw payload; without the normaliser
    COMPOSE_RENDER,   // blob: a canonical mail
};

// Who goes first. No stranger's and no operator's text makes the first ones slow; the last ones
// ask a normaliser that has been slow lately.
enum compose_turn { COMPOSE_FIRST, COMPOSE_NEXT, COMPOSE_LAST, COMPOSE_TURNS };

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
    // A COMPOSE_PAYLOAD whose normaliser is down, and which nothing else makes a mail of: it waits
    // until nobody else does, and has less time.
    bool is_last_resort;
    struct compose_request *next; // compose_line::turns
    int64_t waiting_since_ms;     // CLOCK_BOOTTIME
};

// The header of `compose` or `render` (docs/protocol.md), with the times of now. The caller
// json_decref()s it. NULL: no memory.
json_t *compose_request_header(const struct compose_request *request);

// Those of one turn, oldest first.
struct compose_turn_line {
    struct compose_request *first, **end;
};

struct compose_line {
    struct compose_turn_line turns[COMPOSE_TURNS];
};

void compose_line_init(struct compose_line *line);
void compose_line_push(struct compose_line *line, struct compose_request *request);
// The oldest of those who go first; NULL: nobody waits.
struct compose_request *compose_line_take(struct compose_line *line);
// Since when has any of them waited? INT64_MAX: nobody waits.
int64_t compose_line_since_ms(const struct compose_line *line);
void compose_line_remove(struct compose_line *line, const struct compose_request *request);

#endif
