// deliverers_private.h - what the files of deliverers.h share; nobody else's business.
//
// deliverers.c: which smarthost takes the next message; deliverers_pool.c: one smarthost and its
// processes; deliverers_reload.c: others take their place; deliverers_view.c: how they are.
#ifndef RELAY_SMARTHOSTS_DELIVERERS_PRIVATE_H
#define RELAY_SMARTHOSTS_DELIVERERS_PRIVATE_H

#include "relay/config/config.h"
#include "relay/smarthosts/connection_window.h"
#include "relay/smarthosts/deliverers.h"
#include "relay/smarthosts/pace.h"
#include "relay/smarthosts/smarthost_health.h"

struct smarthost_pool {
    struct deliverers *owner;
    const struct config *config;       // it is held, for smarthost is of it
    const struct smarthost *smarthost; // as it is configured now
    bool is_retired;                   // it is not, any more
    uint64_t bit;                      // in delivery::unable, ::refused
    struct smarthost_health health;
    enum circuit_reason told; // to the operator
    char error[256];          // what was told beside it: why it is down
    struct connection_window window;
    struct pace pace;
    struct deliverer_process *processes; // the oldest first; the first with room is given a message
    size_t under_way;
    int64_t answered_boot_ms; // when it last answered a message
};

struct deliverers {
    struct event_loop *loop;
    const struct config *config; // held by the pools, and by whoever gave it
    struct dots *dots;
    struct deliverers_handlers handlers;
    struct smarthost_pool *in_use; // the first closed one, as told
    size_t pool_count;             // of those that are configured, in their order
    unsigned made_count;           // pools so far
    size_t all_count;              // with the retired ones behind them, that end what is under way
    struct smarthost_pool *pools;
};

// Of the smarthost at that place of config. False without memory: there is nothing to finish.
bool deliverers_pool_init(struct smarthost_pool *pool, struct deliverers *owner,
                          const struct config *config, size_t place);
// Kills its processes.
void deliverers_pool_finish(struct smarthost_pool *pool);
void deliverers_pool_remove(struct smarthost_pool *pool, struct deliverer_process *process);
// Tells the operator what has changed since it was told last. detail: in words; may be NULL.
void deliverers_pool_tell(struct smarthost_pool *pool, const char *detail);
// To the metrics: how it stands now.
void deliverers_pool_publish(const struct smarthost_pool *pool);

// May it be given messages, now or when one that is under way has ended, or its rate allows it? A
// probe that the rate does not allow is not waited for: nobody knows whether it would help.
bool deliverers_pool_in_use(const struct smarthost_pool *pool, int64_t now_ms);
// How many could be started now.
size_t deliverers_pool_free(const struct smarthost_pool *pool, int64_t now_ms);
// False: no deliverer of its could be given the message.
bool deliverers_pool_start(struct smarthost_pool *pool, struct delivery *delivery,
                           struct error *err);
void deliverers_pool_tick(struct smarthost_pool *pool, int64_t now_ms);
int64_t deliverers_pool_next_ms(const struct smarthost_pool *pool, int64_t now_ms); // after now

// For smarthost_pool::bit. None that a pool of now has, or a message that one was unable to take
// would be kept from another.
uint64_t deliverers_take_bit(struct deliverers *owner);

#endif
