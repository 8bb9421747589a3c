// deliverer_process.h - one deliverer and what it has under way.
//
// Watches that every transaction ends: a deliverer that fails to end one in time is condemned, and
// killed once its other transactions have ended, or if it does not even answer that it is not
// frozen. What was under way in one that dies is judged by its dot mark. Belongs to the thread of
// its event loop; never logs.
#ifndef RELAY_CHILDREN_DELIVERER_PROCESS_H
#define RELAY_CHILDREN_DELIVERER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/dots.h"
#include "relay/base/error.h"
#include "relay/event_loop.h"

#define DELIVERER_CONNECTIONS 32 // what one carries at once

struct child;
struct config;
struct smarthost;

enum delivery_outcome {
    DELIVERY_SENT,
    DELIVERY_TEMPORARY,
    DELIVERY_PERMANENT,
    DELIVERY_SESSION, // the smarthost's fault: nothing is charged to the message
    DELIVERY_UNKNOWN, // the dot was begun and its verdict is not known
    DELIVERY_EXPIRED, // the deadline passed before the dot
    DELIVERY_CUT,     // shut down by us before the dot, or with a deliverer that died
    DELIVERY_UNABLE,  // this smarthost lacks what the message needs: another may have it
    DELIVERY_SUSPECT, // refused for good, but perhaps the smarthost is wrong: it stays
};

const char *delivery_outcome_name(enum delivery_outcome outcome);

// One transaction. Owned by the caller and untouched until done() is called with it.
struct delivery {
    const char *id, *sender, *recipient;
    const void *message, *mask; // mask: its secrets, one a line, which no reply is to show
    size_t message_size, mask_size;
    bool smtputf8;
    int64_t deadline_boot_ms;
    int mark;                 // its dot mark; the caller assigns it before and clears it after
    uint64_t unable, refused; // smarthost_pool::bit of who was unable, or has refused it

    int64_t started_boot_ms; // set when it is handed over
    int64_t limit_ms;        // when its deliverer counts as hung; the process's own, as is
    bool excused;            // ... which is not put off any more
    struct delivery *next;   // deliverer_process::under_way
};

// What is known of how a transaction ended. Texts are good during the call; NULL: unknown.
struct delivery_result {
    enum delivery_outcome outcome;
    const char *smarthost; // its name
    const char *stage;
    int reply_code; // 0: none
    const char *enhanced_code, *reply_text, *address, *tls, *alarm;
    bool has_died;   // the deliverer has: only the mark told this
    bool was_alone;  // ... and had nothing else under way before its dot
    bool has_hung;   // ... since it was killed, as it hung
    bool is_charged; // SUSPECT: it has had an attempt, where no other smarthost has it now
    // Uncharged, but it does not go again at once: as after so many attempts more. 0: it does.
    int set_back;
};

struct deliverer_process;

struct deliverer_process_handlers {
    // The callee may change *result, which is its own.
    void (*done)(void *context, struct delivery *delivery, struct delivery_result *result);
    // It has ended, and nothing is under way any more; the callee destroys it there.
    void (*ended)(void *context, struct deliverer_process *process);
    void *context;
};

struct deliverer_process {
    struct child *child;
    const struct smarthost *smarthost;
    const struct config *config;
    struct dots *dots;
    struct deliverer_process_handlers handlers;
    struct delivery *under_way;
    size_t count;
    int64_t used_boot_ms;           // when a transaction of it ended last
    int64_t pinged_boot_ms;         // 0: it was not asked whether it is frozen
    bool has_ponged;                // it is not
    bool condemned;                 // hung or broken: is given nothing more
    bool is_ready;                  // it has said so
    bool is_hung;                   // it was killed for it
    bool has_answered;              // a smarthost did, to something that it had under way
    bool is_dismissed;              // it cannot do what it was started for, as it has said
    bool died_at_work;              // by itself, with something under way
    struct deliverer_process *next; // the list of its owner
};

// What begins one, as composer_init_header() does a composer.
struct json_t *deliverer_init_header(const struct config *, const struct smarthost *);
// Starts one for that smarthost; the first message may follow at once. All but handlers is
// borrowed and must outlive it, but for config, which it holds. NULL on failure.
struct deliverer_process *
deliverer_process_create(struct event_loop *loop, const struct config *config,
                         const struct smarthost *smarthost, struct dots *dots,
                         const struct deliverer_process_handlers *handlers, struct error *err);
void deliverer_process_destroy(struct deliverer_process *process); // kills; NULL is a no-op

// Hands the message over; done() comes once. False: it was not taken. No more than
// DELIVERER_CONNECTIONS at a time.
bool deliverer_process_deliver(struct deliverer_process *process, struct delivery *delivery,
                               struct error *err);
// Shuts its transactions down; done() comes for each, `cut` where its dot was not begun.
void deliverer_process_cut(struct deliverer_process *process);

void deliverer_process_watch(struct deliverer_process *process, int64_t now_ms);
// When to watch next: the first limit after now_ms. INT64_MAX: nothing is under way.
int64_t deliverer_process_next_ms(const struct deliverer_process *process, int64_t now_ms);

#endif
