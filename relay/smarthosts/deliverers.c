#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/smarthosts/deliverers_private.h"

struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err)
{
    struct deliverers *deliverers = calloc(1, sizeof(*deliverers));
    struct smarthost_pool *pools = calloc(config->smarthost_count, sizeof(*pools));
    if (!deliverers || !pools) {
        free(deliverers);
        free(pools);
        error_set(err, ERR_TEMPORARY, "deliverers: no memory");
        return NULL;
    }
    *deliverers = (struct deliverers){
        .loop = loop, .config = config, .dots = dots, .handlers = *handlers, .pools = pools};
    for (size_t i = 0; i < config->smarthost_count; i++) {
        if (!deliverers_pool_init(&pools[i], deliverers, config, i)) {
            error_set(err, ERR_TEMPORARY, "deliverers: no memory");
            deliverers_destroy(deliverers);
            return NULL;
        }
        deliverers->pool_count = deliverers->all_count = i + 1;
        deliverers_pool_publish(&pools[i]);
    }
    deliverers->in_use = pools;
    return deliverers;
}

void deliverers_destroy(struct deliverers *deliverers)
{
    if (!deliverers)
        return;
    for (size_t i = 0; i < deliverers->all_count; i++)
        deliverers_pool_finish(&deliverers->pools[i]);
    free(deliverers->pools);
    free(deliverers);
}

// Only the first that may be used counts: the next is for when its circuit is open.
static size_t find_used(const struct deliverers *deliverers, int64_t now_ms)
{
    size_t i = 0;
    while (i < deliverers->pool_count && !deliverers_pool_in_use(&deliverers->pools[i], now_ms))
        i++;
    return i;
}

size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms)
{
    size_t used = find_used(deliverers, now_ms);
    return used < deliverers->pool_count ? deliverers_pool_free(&deliverers->pools[used], now_ms)
                                         : 0;
}

bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms)
{
    return find_used(deliverers, now_ms) == deliverers->pool_count;
}

bool deliverers_are_paced(const struct deliverers *deliverers, int64_t now_ms)
{
    size_t used = find_used(deliverers, now_ms);
    return used < deliverers->pool_count &&
           pace_free(&deliverers->pools[used].pace, 1, now_ms) == 0;
}

void deliverers_wanted(struct deliverers *deliverers, int64_t now_ms)
{
    size_t used = find_used(deliverers, now_ms);
    if (used == deliverers->pool_count)
        return;
    struct smarthost_pool *pool = &deliverers->pools[used];
    if (pool->health.circuit.state == CIRCUIT_CLOSED && pace_free(&pool->pace, 1, now_ms) > 0 &&
        connection_window_free(&pool->window, pool->under_way) == 0)
        connection_window_wanted(&pool->window, now_ms);
}

size_t deliverers_under_way(const struct deliverers *deliverers)
{
    size_t count = 0;
    for (size_t i = 0; i < deliverers->all_count; i++)
        count += deliverers->pools[i].under_way;
    return count;
}

// Its suspicion remembers few messages, and where many are refused none for as long as another
// smarthost takes to answer: what is in memory says itself who has refused it.
static bool has_refused(const struct smarthost_pool *pool, const struct delivery *delivery)
{
    return (delivery->refused & pool->bit) ||
           smarthost_health_suspects(&pool->health, delivery->id);
}

// The first in order that takes one. A message that it has refused goes by the next, which may
// think otherwise, and waits for that one where it is busy: the same again would end it.
static struct smarthost_pool *choose(const struct deliverers *deliverers,
                                     const struct delivery *delivery, int64_t now_ms)
{
    struct smarthost_pool *second_best = NULL;
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        struct smarthost_pool *pool = &deliverers->pools[i];
        if (!deliverers_pool_in_use(pool, now_ms) || (delivery->unable & pool->bit))
            continue;
        bool has_slot = deliverers_pool_free(pool, now_ms) > 0;
        if (!has_refused(pool, delivery))
            return has_slot ? pool : NULL;
        if (has_slot && !second_best)
            second_best = pool;
    }
    return second_best;
}

bool deliverers_have_slot(const struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (deliverers_pool_free(&deliverers->pools[i], now_ms) > 0)
            return true;
    return false;
}

bool deliverers_take(const struct deliverers *deliverers, const struct delivery *delivery,
                     int64_t now_ms)
{
    return choose(deliverers, delivery, now_ms) != NULL;
}

bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms)
{
    struct smarthost_pool *pool;
    while ((pool = choose(deliverers, delivery, now_ms))) {
        struct error err = {0};
        if (deliverers_pool_start(pool, delivery, &err))
            return true;
        // No deliverer process: to the messages that is the same as no smarthost.
        smarthost_health_fail(&pool->health, now_ms);
        deliverers_pool_tell(pool, err.message);
    }
    return false;
}

bool deliverers_probe(const struct deliverers *deliverers, int64_t now_ms)
{
    size_t used = find_used(deliverers, now_ms);
    return used < deliverers->pool_count &&
           smarthost_health_probes(&deliverers->pools[used].health);
}

uint64_t deliverers_turn(const struct deliverers *deliverers,
                         const struct probe_candidate *candidate, int64_t now_ms)
{
    size_t used = find_used(deliverers, now_ms);
    return used < deliverers->pool_count
               ? smarthost_health_turn(&deliverers->pools[used].health, candidate)
               : 0;
}

bool deliverers_has_other(const struct deliverers *deliverers, const struct delivery *delivery,
                          int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        const struct smarthost_pool *pool = &deliverers->pools[i];
        if (deliverers_pool_in_use(pool, now_ms) && !(delivery->unable & pool->bit) &&
            !has_refused(pool, delivery))
            return true;
    }
    return false;
}

bool deliverers_has_able(const struct deliverers *deliverers, uint64_t unable, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (deliverers_pool_in_use(&deliverers->pools[i], now_ms) &&
            !(unable & deliverers->pools[i].bit))
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
        deliverers_pool_tell(pool, NULL);
    }
    return found;
}

void deliverers_cut(struct deliverers *deliverers)
{
    for (size_t i = 0; i < deliverers->all_count; i++)
        for (struct deliverer_process *at = deliverers->pools[i].processes; at; at = at->next)
            deliverer_process_cut(at);
}

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->all_count; i++)
        deliverers_pool_tick(&deliverers->pools[i], now_ms);
}

int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < deliverers->all_count; i++) {
        int64_t pool_ms = deliverers_pool_next_ms(&deliverers->pools[i], now_ms);
        next = pool_ms < next ? pool_ms : next;
    }
    return next;
}
