#include "relay/deliverers.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/config/config.h"
#include "relay/smarthost_health.h"

struct smarthost_pool {
    struct deliverers *owner;
    const struct smarthost *smarthost;
    struct smarthost_health health;
    enum circuit_reason told;            // to the operator
    struct deliverer_process *processes; // the first not condemned is in use
    size_t under_way;
};

struct deliverers {
    struct event_loop *loop;
    const struct config *config;
    struct dots *dots;
    struct deliverers_handlers handlers;
    struct smarthost_pool *in_use; // the first closed one, as told
    size_t pool_count;
    struct smarthost_pool pools[];
};

// ---- what an operator is told ----------------------------------------------------------------

static struct smarthost_pool *first_closed(struct deliverers *deliverers)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_reason(&deliverers->pools[i].health.circuit) == CIRCUIT_NO_REASON)
            return &deliverers->pools[i];
    return NULL;
}

// Tells what has changed since it was told last. detail: in words; may be NULL.
static void tell(struct smarthost_pool *pool, const char *detail)
{
    struct deliverers *deliverers = pool->owner;
    const struct deliverers_handlers *handlers = &deliverers->handlers;
    enum circuit_reason reason = circuit_reason(&pool->health.circuit);
    if (reason != pool->told) {
        enum circuit_reason why = reason == CIRCUIT_NO_REASON ? pool->told : reason;
        pool->told = reason;
        handlers->circuit(handlers->context, pool->smarthost->name, reason == CIRCUIT_NO_REASON,
                          why, detail);
    }
    struct smarthost_pool *in_use = first_closed(deliverers);
    if (in_use && in_use != deliverers->in_use) {
        deliverers->in_use = in_use;
        handlers->in_use(handlers->context, in_use->smarthost->name,
                         in_use == &deliverers->pools[0]);
    }
}

// ---- processes ---------------------------------------------------------------------------------

static void on_done(void *context, struct delivery *delivery, struct delivery_result *result)
{
    struct smarthost_pool *pool = context;
    pool->under_way--;
    smarthost_health_judge(&pool->health, delivery, result, clock_boot_ms());
    tell(pool, result->reply_text ? result->reply_text : result->stage);
    pool->owner->handlers.done(pool->owner->handlers.context, delivery, result);
}

static void on_ended(void *context, struct deliverer_process *process)
{
    struct smarthost_pool *pool = context;
    const struct deliverers_handlers *handlers = &pool->owner->handlers;
    struct deliverer_process **link = &pool->processes;
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    if (process->died_at_work)
        suspicion_count_death(&pool->health.suspicion);
    if (!process->is_dismissed)
        handlers->died(handlers->context, pool->smarthost->name);
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
        smarthost_health_init(&pool->health, clock_boot_ms());
    }
    deliverers->in_use = deliverers->pools;
    return deliverers;
}

void deliverers_destroy(struct deliverers *deliverers)
{
    if (!deliverers)
        return;
    for (size_t i = 0; i < deliverers->pool_count; i++)
        while (deliverers->pools[i].processes) {
            struct deliverer_process *process = deliverers->pools[i].processes;
            deliverers->pools[i].processes = process->next;
            deliverer_process_destroy(process);
        }
    free(deliverers);
}

static size_t free_slots(const struct smarthost_pool *pool, int64_t now_ms)
{
    if (!circuit_allows(&pool->health.circuit, now_ms))
        return 0;
    if (pool->health.circuit.state != CIRCUIT_CLOSED)
        return 1; // the probe
    size_t limit = (size_t)pool->owner->config->connections;
    return pool->under_way < limit ? limit - pool->under_way : 0;
}

size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms)
{
    // Only the first that may be used counts: the next is for when its circuit is open.
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].health.circuit, now_ms))
            return free_slots(&deliverers->pools[i], now_ms);
    return 0;
}

bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].health.circuit, now_ms))
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
    circuit_started(&pool->health.circuit, delivery->started_boot_ms);
    return true;
}

// The first in order that takes one. A message that it has refused goes by the next, which may
// think otherwise, unless none of these takes it now.
static struct smarthost_pool *choose(struct deliverers *deliverers, const char *id, int64_t now_ms)
{
    struct smarthost_pool *second_best = NULL;
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        struct smarthost_pool *pool = &deliverers->pools[i];
        if (!circuit_allows(&pool->health.circuit, now_ms))
            continue;
        bool has_slot = free_slots(pool, now_ms) > 0;
        if (!smarthost_health_suspects(&pool->health, id))
            return has_slot ? pool : second_best;
        if (has_slot && !second_best)
            second_best = pool;
    }
    return second_best;
}

bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms)
{
    struct smarthost_pool *pool;
    while ((pool = choose(deliverers, delivery->id, now_ms))) {
        struct error err = {0};
        if (start_at(pool, delivery, &err))
            return true;
        // No deliverer process: to the messages that is the same as no smarthost.
        smarthost_health_fail(&pool->health, now_ms);
        tell(pool, err.message);
    }
    return false;
}

uint64_t deliverers_turn(const struct deliverers *deliverers, const char *id, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].health.circuit, now_ms))
            return smarthost_health_turn(&deliverers->pools[i].health, id);
    return 0;
}

bool deliverers_has_other(const struct deliverers *deliverers, const char *id, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_allows(&deliverers->pools[i].health.circuit, now_ms) &&
            !smarthost_health_suspects(&deliverers->pools[i].health, id))
            return true;
    return false;
}

// ---- an operator's ------------------------------------------------------------------------------

bool deliverers_pause(struct deliverers *deliverers, const char *name, bool paused)
{
    bool found = false;
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        struct smarthost_pool *pool = &deliverers->pools[i];
        if (strcmp(pool->smarthost->name, name) != 0)
            continue;
        found = true;
        if (paused)
            circuit_pause(&pool->health.circuit, clock_boot_ms());
        else
            circuit_resume(&pool->health.circuit, clock_boot_ms());
        tell(pool, NULL);
    }
    return found;
}

static json_t *describe(const struct smarthost_pool *pool)
{
    const struct circuit *circuit = &pool->health.circuit;
    char since[CLOCK_RFC3339_SIZE];
    clock_rfc3339(circuit->since_ms + clock_wall_ahead_ms(), since);
    return json_pack("{s:s, s:s, s:s?, s:s, s:i, s:I}", "name", pool->smarthost->name, "state",
                     circuit_state_name(circuit), "reason",
                     circuit_reason_name(circuit_reason(circuit)), "since", since, "connections",
                     (int)pool->owner->config->connections, "under_way",
                     (json_int_t)pool->under_way);
}

json_t *deliverers_describe(const struct deliverers *deliverers, const char *name)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < deliverers->pool_count; i++) {
        const struct smarthost_pool *pool = &deliverers->pools[i];
        if (name && strcmp(pool->smarthost->name, name) != 0)
            continue;
        if (json_array_append_new(all, describe(pool)) < 0) {
            json_decref(all);
            return NULL; // a list that lacks one would say that it is not there
        }
    }
    return all;
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
        int64_t at_ms = circuit_next_ms(&pool->health.circuit);
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
