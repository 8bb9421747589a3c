// deliverers.h - the smarthosts: which one may be used, and the deliverer process of each.
//
// Owns a circuit per smarthost and starts its deliverer when the first message is for it. Watches
// that every transaction ends: a deliverer that fails to end one in time gets nothing more, and is
// killed once its other transactions have ended. Belongs to the thread of its
// event loop; never logs (handlers tell).
#ifndef RELAY_DELIVERERS_H
#define RELAY_DELIVERERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/event_loop.h"

struct config;
struct deliverers;

enum delivery_outcome {
    DELIVERY_SENT,
    DELIVERY_TEMPORARY,
    DELIVERY_PERMANENT,
    DELIVERY_SESSION, // the smarthost's fault: nothing is charged to the message
    DELIVERY_UNKNOWN, // the dot was begun and its verdict is not known
    DELIVERY_EXPIRED, // the deadline passed before the dot
    DELIVERY_CUT,     // shut down by us before the dot
};

const char *delivery_outcome_name(enum delivery_outcome outcome);

// One transaction. Owned by the caller and untouched until done() is called with it.
struct delivery {
    const char *id, *sender, *recipient;
    const void *message;
    size_t message_size;
    bool smtputf8;
    int64_t deadline_boot_ms;
    int mark; // its dot mark; the caller assigns it before and clears it after

    int64_t started_boot_ms; // set by deliverers_start()
    int64_t limit_ms;        // when its deliverer counts as hung; deliverers' own, as is
    bool excused;            // ... whether that was put off once
    struct delivery *next;   // deliverer::under_way
};

// What is known of how a transaction ended. Texts are good during the call; NULL: unknown.
struct delivery_result {
    enum delivery_outcome outcome;
    const char *smarthost; // its name
    const char *stage;
    int reply_code; // 0: none
    const char *enhanced_code, *reply_text, *address, *tls, *alarm;
};

struct deliverers_handlers {
    void (*done)(void *context, struct delivery *delivery, const struct delivery_result *result);
    // A circuit has closed (up) or opened; detail says why in words.
    void (*circuit)(void *context, const char *smarthost, bool up, const char *detail);
    void *context;
};

// dots is borrowed and must outlive this.
struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err);
void deliverers_destroy(struct deliverers *deliverers); // kills; NULL is a no-op

// How many messages could be started now, over the smarthosts whose circuit allows it. 0 also
// while every circuit is open: then deliverers_down() says so.
size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms);
// True while no circuit would take a message, now or when a running probe has ended.
bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms);
size_t deliverers_under_way(const struct deliverers *deliverers);

// Hands the message to the first smarthost in order that takes one. False where none does.
bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms);

// Shuts all transactions down; done() comes for each, `cut` where its dot was not begun.
void deliverers_cut(struct deliverers *deliverers);

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms);
// When to call it next: a limit, or a circuit that may be probed. INT64_MAX: never by time alone.
int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms);

#endif
