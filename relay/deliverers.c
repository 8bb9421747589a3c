#include "relay/deliverers.h"

#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/circuit.h"
#include "relay/config/config.h"

struct smarthost_pool {
    struct deliverers *owner;
    const struct smarthost *smarthost;
    struct circuit circuit;
    struct deliverer_process *processes; // the first not condemned is in use
    size_t under_way;
};

struct deliverers {
    struct event_loop *loop;
    const struct config *config;
    struct dots *dots;
    struct deliverers_handlers handlers;
    size_t pool_count;
    struct smarthost_pool pools[];
};

// Tells the circuit how a transaction ended, and the operator where that changed something.
static void judge(struct smarthost_pool *pool, const struct delivery *delivery,
                  const struct delivery_result *result)
{
    const struct deliverers_handlers *handlers = &pool->owner->handlers;
    int64_t started_ms = delivery->started_boot_ms;
    bool changed = false, up = true;
    switch (result->outcome) {
    case DELIVERY_SENT:
    case DELIVERY_TEMPORARY:
    case DELIVERY_PERMANENT:
        changed = circuit_succeeded(&pool->circuit, started_ms);
        break;
    case DELIVERY_SESSION:
        up = false;
        changed = circuit_failed(&pool->circuit, started_ms, clock_boot_ms());
        break;
    case DELIVERY_UNKNOWN:
        // The connection broke after the dot. As a probe's end that is no health; otherwise it
        // is one message's bad luck, and the next one shows.
        if (pool->circuit.state != CIRCUIT_CLOSED)
            circuit_failed(&pool->circuit, started_ms, clock_boot_ms());
        break;
    case DELIVERY_EXPIRED:
    case DELIVERY_CUT:
        circuit_undecided(&pool->circuit, started_ms, clock_boot_ms());
        break;
    }
    if (changed)
        handlers->circuit(handlers->context, pool->smarthost->name, up,
                          result->reply_text ? result->reply_text : result->stage);
}

static void on_done(void *context, struct delivery *delivery, const struct delivery_result *result)
{
    struct smarthost_pool *pool = context;
    pool->under_way--;
    judge(pool, delivery, result);
    pool->owner->handlers.done(pool->owner->handlers.context, delivery, result);
}

static void on_ended(void *context, struct deliverer_process *process)
{
    struct smarthost_pool *pool = context;
    struct deliverer_process **link = &pool->processes;
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    deliverer_process_destroy(process);
}

static struct deliverer_process *start_process(struct smarthost_pool *pool, struct error *err)
{
    const struct deliverers *owner = pool->owner;
    const struct deliverer_process_handlers handlers = {
        .done = on_done, .ended = on_ended, .context = pool};
    struct deliverer_process *process = deliverer_process_create(
        owner->loop, owner->config, pool->smarthost, owner->dots, &handlers, err);
    if (process) {
        process->next = pool->processes;
        pool->processes = process;
    }
    return process;
}

struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err)
{
    size_t count = config->smarthost_count;
    struct deliverers *deliverers =
        calloc(1, sizeof(*deliverers) + count * sizeof(deliverers->pools[0]));
    if (!deliverers) {
        error_set(err, ERR_TEMPORARY, "deliverers: no memory");
        return NULL;
    }
    *deliverers = (struct deliverers){
        .loop = loop, .config = config, .dots = dots, .handlers = *handlers, .pool_count = count};
    for (size_t i = 0; i < count; i++) {
        struct smarthost_pool *pool = &deliverers->pools[i];
        pool->owner = deliverers;
        pool->smarthost = &config->smarthosts[i];
        circuit_init(&pool->circuit);
    }
    return deliverers;
}

void deliverers_destroy(struct deliverers *deliverers)
{
    if (!deliverers)
        return;
    for (size_t i = 0; i < deliverers->pool_count; i++)
        while (deliverers->pools[i].processes)
            on_ended(&deliverers->pools[i], deliverers->pools[i].processes);
    free(deliverers);
}

static size_t free_slots(const struct smarthost_pool *pool, int64_t now_ms)
{
    if (!circuit_allows(&pool->circuit, now_ms))
        return 0;
    if (pool->circuit.state != CIRCUIT_CLOSED)
        return 1; // the probe
    size_t limit = (size_t)pool->owner->config->connections;
    return pool->under_way < limit ? limit - pool->under_way : 0;
}

size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms)
{
    // Only the first that may be used counts: the next is for when its circuit is open.
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].circuit, now_ms))
            return free_slots(&deliverers->pools[i], now_ms);
    return 0;
}

bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].circuit, now_ms))
            return false;
    return true;
}

size_t deliverers_under_way(const struct deliverers *deliverers)
{
    size_t count = 0;
    for (size_t i = 0; i < deliverers->pool_count; i++)
        count += deliverers->pools[i].under_way;
    return count;
}

static bool start_at(struct smarthost_pool *pool, struct delivery *delivery, struct error *err)
{
    struct deliverer_process *process = pool->processes;
    while (process && process->condemned)
        process = process->next;
    if (!process)
        process = start_process(pool, err);
    if (!process || !deliverer_process_deliver(process, delivery, err))
        return false;
    pool->under_way++;
    circuit_started(&pool->circuit, delivery->started_boot_ms);
    return true;
}

bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        struct smarthost_pool *pool = &deliverers->pools[i];
        if (!circuit_allows(&pool->circuit, now_ms))
            continue;
        if (free_slots(pool, now_ms) == 0)
            return false;
        struct error err = {0};
        if (start_at(pool, delivery, &err))
            return true;
        // No deliverer process: to the messages that is the same as no smarthost.
        if (circuit_failed(&pool->circuit, now_ms, now_ms))
            deliverers->handlers.circuit(deliverers->handlers.context, pool->smarthost->name, false,
                                         err.message);
    }
    return false;
}

void deliverers_cut(struct deliverers *deliverers)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        for (struct deliverer_process *at = deliverers->pools[i].processes; at; at = at->next)
            deliverer_process_cut(at);
}

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        for (struct deliverer_process *at = deliverers->pools[i].processes; at; at = at->next)
            deliverer_process_watch(at, now_ms);
}

int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        const struct smarthost_pool *pool = &deliverers->pools[i];
        int64_t at_ms = circuit_next_ms(&pool->circuit);
        if (at_ms > now_ms && at_ms < next)
            next = at_ms;
        for (const struct deliverer_process *at = pool->processes; at; at = at->next) {
            at_ms = deliverer_process_next_ms(at, now_ms);
            if (at_ms < next)
                next = at_ms;
        }
    }
    return next;
}
