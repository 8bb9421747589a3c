// deliverers_reload.c - other smarthosts, or other settings of them, while messages are under way.
//
// What is under way ends where it began, by the deliverer that was started with the old settings:
// it is condemned, so that it gets nothing more, and ends when it is idle.
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/metrics.h"
#include "relay/smarthosts/deliverers_private.h"

static struct smarthost_pool *find_pool(struct deliverers *deliverers, const char *name)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (strcmp(deliverers->pools[i].smarthost->name, name) == 0)
            return &deliverers->pools[i];
    return NULL;
}

// Would a deliverer for it be told the same, and be given as much?
static bool is_same(const struct smarthost_pool *a, const struct smarthost_pool *b)
{
    return strcmp(a->smarthost->uri, b->smarthost->uri) == 0 &&
           strcmp(a->config->smtp_helo, b->config->smtp_helo) == 0 &&
           a->config->connections == b->config->connections &&
           a->config->transaction_timeout_ms == b->config->transaction_timeout_ms;
}

static void condemn_all(struct smarthost_pool *pool)
{
    for (struct deliverer_process *at = pool->processes, *next; at; at = next) {
        next = at->next;
        at->condemned = at->is_dismissed = true;
        if (at->count == 0)
            deliverers_pool_remove(pool, at);
    }
}

static bool is_same_rate(const struct rates *a, const struct rates *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->rate[i].count == b->rate[i].count && a->rate[i].period_ms == b->rate[i].period_ms;
    return same;
}

static void swap_pace(struct smarthost_pool *a, struct smarthost_pool *b)
{
    struct pace pace = a->pace;
    a->pace = b->pace;
    b->pace = pace;
    a->pace.rates = &a->smarthost->rate;
    b->pace.rates = &b->smarthost->rate;
}

// What is known of a smarthost, and at work for it, goes on. One whose settings have changed may be
// well again for it, so the next message is a probe at once.
static void inherit(struct smarthost_pool *pool, struct smarthost_pool *old)
{
    pool->health = old->health;
    pool->told = old->told;
    pool->processes = old->processes;
    pool->under_way = old->under_way;
    // The provider counts on, whatever else has changed.
    if (is_same_rate(&pool->smarthost->rate, &old->smarthost->rate))
        swap_pace(pool, old);
    if (is_same(pool, old)) {
        pool->window = old->window;
        pool->bit = old->bit;
    } else {
        struct circuit *circuit = &pool->health.circuit;
        bool is_paused = circuit->paused;
        if (circuit->state == CIRCUIT_OPEN)
            circuit_resume(circuit, clock_boot_ms());
        if (is_paused && !circuit->paused)
            circuit_pause(circuit, clock_boot_ms());
        condemn_all(pool);
    }
    old->processes = NULL;
}

// In turn, so that what is in memory has long gone when one is used again.
uint64_t deliverers_take_bit(struct deliverers *owner)
{
    uint64_t taken = 0, bit;
    for (size_t i = 0; i < owner->all_count; i++)
        taken |= owner->pools[i].bit;
    do
        bit = UINT64_C(1) << (owner->made_count++ % 64);
    while ((bit & taken) && ~taken);
    return bit;
}

// Makes them of the configuration. NULL: no memory, and nothing has changed.
static struct smarthost_pool *make_pools(struct deliverers *deliverers, const struct config *config)
{
    struct smarthost_pool *pools =
        calloc(config->smarthost_count + deliverers->all_count, sizeof(*pools));
    size_t count = 0;
    while (pools && count < config->smarthost_count &&
           deliverers_pool_init(&pools[count], deliverers, config, count))
        count++;
    if (count == config->smarthost_count)
        return pools;
    while (count > 0)
        deliverers_pool_finish(&pools[--count]);
    free(pools);
    return NULL;
}

// Those that no longer are, behind those that are, for as long as they have something under way.
static size_t retire(struct deliverers *deliverers, struct smarthost_pool *pools, size_t count)
{
    for (size_t i = 0; i < deliverers->all_count; i++) {
        struct smarthost_pool *old = &deliverers->pools[i];
        condemn_all(old);
        if (old->processes) {
            old->is_retired = true;
            pools[count++] = *old;
        } else {
            deliverers_pool_finish(old);
        }
    }
    return count;
}

bool deliverers_reload(struct deliverers *deliverers, const struct config *config,
                       struct error *err)
{
    struct smarthost_pool *pools = make_pools(deliverers, config);
    if (!pools)
        return error_set(err, ERR_TEMPORARY, "deliverers: no memory");
    struct smarthost_pool *in_use = NULL;
    for (size_t i = 0; i < deliverers->pool_count; i++)
        metrics_smarthost_gone(deliverers->pools[i].smarthost->name);
    for (size_t i = 0; i < config->smarthost_count; i++) {
        struct smarthost_pool *old = find_pool(deliverers, pools[i].smarthost->name);
        if (old)
            inherit(&pools[i], old);
        if (old && old == deliverers->in_use)
            in_use = &pools[i];
    }
    deliverers->all_count = retire(deliverers, pools, config->smarthost_count);
    free(deliverers->pools);
    deliverers->pools = pools;
    deliverers->pool_count = config->smarthost_count;
    deliverers->config = config;
    deliverers->in_use = in_use;
    for (size_t i = 0; i < deliverers->all_count; i++)
        for (struct deliverer_process *at = pools[i].processes; at; at = at->next)
            at->handlers.context = &pools[i];
    for (size_t i = 0; i < deliverers->pool_count; i++)
        deliverers_pool_publish(&pools[i]);
    deliverers_pool_tell(&pools[0], NULL);
    return true;
}
