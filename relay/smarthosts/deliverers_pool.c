// deliverers_pool.c - one smarthost: its deliverer processes, what their outcomes say of it, and
// whether it may be given a message. Which one of several is, deliverers.c decides.
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/metrics.h"
#include "relay/smarthosts/deliverers_private.h"

// A further deliverer ends when it was not used for so long after its connections have closed.
enum { SURPLUS_MS = 1000 };

// ---- what an operator is told ----------------------------------------------------------------

static struct smarthost_pool *first_closed(struct deliverers *deliverers)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        if (circuit_reason(&deliverers->pools[i].health.circuit) == CIRCUIT_NO_REASON)
            return &deliverers->pools[i];
    return NULL;
}

void deliverers_pool_publish(const struct smarthost_pool *pool)
{
    if (pool->is_retired)
        return;
    const struct metrics_smarthost now = {
        .name = pool->smarthost->name,
        .circuit = &pool->health.circuit,
        .under_way = pool->under_way,
        .connections_max = connection_window_most(&pool->window),
    };
    metrics_smarthost(&now);
}

void deliverers_pool_tell(struct smarthost_pool *pool, const char *detail)
{
    struct deliverers *deliverers = pool->owner;
    const struct deliverers_handlers *handlers = &deliverers->handlers;
    deliverers_pool_publish(pool);
    if (pool->is_retired)
        return;
    enum circuit_reason reason = circuit_reason(&pool->health.circuit);
    // Resumed, but still down: its probe goes at once, and says why it fails, or that it is well.
    bool is_due = reason == CIRCUIT_NO_REASON || pool->told != CIRCUIT_PAUSED || detail;
    if (reason != pool->told && is_due) {
        if (reason != CIRCUIT_NO_REASON)
            connection_window_restart(&pool->window);
        handlers->circuit(handlers->context, pool->smarthost->name, reason == CIRCUIT_NO_REASON,
                          reason == CIRCUIT_NO_REASON ? pool->told : reason, detail);
        pool->told = reason;
        snprintf(pool->error, sizeof(pool->error), "%s", detail ? detail : "");
    }
    struct smarthost_pool *in_use = first_closed(deliverers);
    if (in_use && in_use != deliverers->in_use) {
        deliverers->in_use = in_use;
        handlers->in_use(handlers->context, in_use->smarthost->name,
                         in_use == &deliverers->pools[0]);
    }
}

// ---- outcomes -----------------------------------------------------------------------------------

// Was it a connection that the smarthost refused, not a message? While others are at work that is
// a limit of its own (RFC 5321 §3.8 has 421 for it), not its being down.
static bool is_connection_refused(const struct delivery_result *result)
{
    if (result->outcome != DELIVERY_SESSION || !result->stage || result->has_hung)
        return false;
    if (strcmp(result->stage, "connect") == 0)
        return true;
    if (strcmp(result->stage, "greeting") == 0)
        return result->reply_code < 500;
    return result->reply_code == 421;
}

static bool has_closed_other(const struct smarthost_pool *pool)
{
    const struct deliverers *owner = pool->owner;
    for (size_t i = 0; i < owner->pool_count; i++)
        if (&owner->pools[i] != pool &&
            circuit_reason(&owner->pools[i].health.circuit) == CIRCUIT_NO_REASON)
            return true;
    return false;
}

// Is it at work beside this one, or was it since this one began? Whatever has been answered
// meanwhile may have kept its connection, of which the smarthost takes no more.
static bool is_serving_others(const struct smarthost_pool *pool, const struct delivery *delivery)
{
    return pool->under_way > 0 || pool->answered_boot_ms >= delivery->started_boot_ms;
}

// False: it says nothing about the smarthost but that it takes no more connections than are at
// work, or that is not known yet.
static bool note_connection(struct smarthost_pool *pool, const struct delivery *delivery,
                            const struct delivery_result *result, int64_t now_ms)
{
    const struct deliverers_handlers *handlers = &pool->owner->handlers;
    if (is_connection_refused(result) && is_serving_others(pool, delivery) &&
        pool->health.circuit.state == CIRCUIT_CLOSED) {
        // A slow one is not down, but where another takes the mail nobody waits to find out.
        int64_t doubt_ms = has_closed_other(pool) ? CONNECTION_WINDOW_DOUBT_MS
                                                  : pool->config->transaction_timeout_ms;
        size_t at_work = pool->under_way > 0 ? pool->under_way : 1;
        connection_window_refused(&pool->window, at_work, doubt_ms, now_ms);
        return false;
    }
    bool is_answered = result->outcome == DELIVERY_SENT ||
                       (result->outcome != DELIVERY_SESSION && result->reply_code > 0);
    if (is_answered)
        pool->answered_boot_ms = now_ms;
    if (is_answered &&
        connection_window_ended(&pool->window, now_ms - delivery->started_boot_ms, now_ms))
        handlers->limit(handlers->context, pool->smarthost->name, pool->window.cap);
    return true;
}

// It is asked of each smarthost, whenever that is in use; where none is left it has ended.
static void note_unable(const struct smarthost_pool *pool, struct delivery *delivery,
                        struct delivery_result *result)
{
    delivery->unable |= pool->bit;
    for (size_t i = 0; i < pool->owner->pool_count; i++)
        if (!(delivery->unable & pool->owner->pools[i].bit))
            return;
    result->outcome = DELIVERY_PERMANENT;
}

// What this one has taken is likely to be taken by each. Of the next one, which may never have been
// used, that says whose mail is its best probe: not a stranger's, of a domain that nobody takes.
static void note_taken(const struct smarthost_pool *pool, const char *recipient)
{
    struct deliverers *owner = pool->owner;
    for (size_t i = 0; i < owner->pool_count; i++)
        if (&owner->pools[i] != pool)
            taken_domains_add(&owner->pools[i].health.taken, recipient);
}

static void on_done(void *context, struct delivery *delivery, struct delivery_result *result)
{
    struct smarthost_pool *pool = context;
    int64_t now_ms = clock_boot_ms();
    pool->under_way--;
    // The rate is one of messages, and of this one the smarthost has heard nothing.
    if (result->outcome == DELIVERY_SESSION &&
        (!result->stage || strcmp(result->stage, "mail") != 0))
        pace_taken_back(&pool->pace, delivery->started_boot_ms);
    if (note_connection(pool, delivery, result, now_ms)) {
        smarthost_health_judge(&pool->health, delivery, result, now_ms);
        deliverers_pool_tell(pool, result->reply_text ? result->reply_text : result->stage);
    }
    if (result->outcome == DELIVERY_UNABLE)
        note_unable(pool, delivery, result);
    if (result->outcome == DELIVERY_SUSPECT)
        delivery->refused |= pool->bit;
    if (result->outcome == DELIVERY_SENT)
        note_taken(pool, delivery->recipient);
    deliverers_pool_publish(pool);
    pool->owner->handlers.done(pool->owner->handlers.context, delivery, result);
}

// ---- processes ---------------------------------------------------------------------------------

void deliverers_pool_remove(struct smarthost_pool *pool, struct deliverer_process *process)
{
    struct deliverer_process **link = &pool->processes;
    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    deliverer_process_destroy(process);
}

static void on_ended(void *context, struct deliverer_process *process)
{
    struct smarthost_pool *pool = context;
    const struct deliverers_handlers *handlers = &pool->owner->handlers;
    if (process->died_at_work)
        suspicion_count_death(&pool->health.suspicion);
    if (!process->is_dismissed)
        handlers->died(handlers->context, pool->smarthost->name);
    deliverers_pool_remove(pool, process);
}

static struct deliverer_process *start_process(struct smarthost_pool *pool, struct error *err)
{
    const struct deliverers *owner = pool->owner;
    const struct deliverer_process_handlers handlers = {
        .done = on_done, .ended = on_ended, .context = pool};
    struct deliverer_process *process = deliverer_process_create(
        owner->loop, pool->config, pool->smarthost, owner->dots, &handlers, err);
    struct deliverer_process **link = &pool->processes;
    while (*link)
        link = &(*link)->next;
    *link = process;
    return process;
}

bool deliverers_pool_start(struct smarthost_pool *pool, struct delivery *delivery,
                           struct error *err)
{
    struct deliverer_process *process = pool->processes;
    while (process && (process->condemned || process->count >= DELIVERER_CONNECTIONS))
        process = process->next;
    if (!process)
        process = start_process(pool, err);
    if (!process || !deliverer_process_deliver(process, delivery, err))
        return false;
    pool->under_way++;
    pace_started(&pool->pace, delivery->started_boot_ms);
    connection_window_started(&pool->window, pool->under_way, delivery->started_boot_ms);
    circuit_started(&pool->health.circuit, delivery->started_boot_ms);
    deliverers_pool_publish(pool);
    return true;
}

// ---- what it may be given ----------------------------------------------------------------------

size_t deliverers_pool_free(const struct smarthost_pool *pool, int64_t now_ms)
{
    if (!circuit_allows(&pool->health.circuit, now_ms))
        return 0;
    size_t probe = 1;
    size_t most = pool->health.circuit.state == CIRCUIT_CLOSED
                      ? connection_window_free(&pool->window, pool->under_way)
                      : probe;
    return pace_free(&pool->pace, most, now_ms);
}

bool deliverers_pool_in_use(const struct smarthost_pool *pool, int64_t now_ms)
{
    return circuit_allows(&pool->health.circuit, now_ms) &&
           (pool->health.circuit.state == CIRCUIT_CLOSED || pace_free(&pool->pace, 1, now_ms) > 0);
}

// ---- life and beat ------------------------------------------------------------------------------

bool deliverers_pool_init(struct smarthost_pool *pool, struct deliverers *owner,
                          const struct config *config, size_t place)
{
    const struct smarthost *smarthost = &config->smarthosts[place];
    *pool = (struct smarthost_pool){
        .owner = owner, .smarthost = smarthost, .bit = deliverers_take_bit(owner)};
    if (!pace_init(&pool->pace, &smarthost->rate))
        return false;
    pool->config = config_hold(config);
    smarthost_health_init(&pool->health, clock_boot_ms());
    int64_t own = smarthost->connections;
    connection_window_init(&pool->window, (size_t)(own > 0 ? own : config->connections),
                           smarthost->idle_ms);
    return true;
}

void deliverers_pool_finish(struct smarthost_pool *pool)
{
    while (pool->processes)
        deliverers_pool_remove(pool, pool->processes);
    pace_finish(&pool->pace);
    config_release(pool->config);
}

// When a deliverer that is not the only one is to end; INT64_MAX: it is at work.
static int64_t surplus_until_ms(const struct smarthost_pool *pool,
                                const struct deliverer_process *process)
{
    if (process == pool->processes || process->count > 0)
        return INT64_MAX;
    return process->used_boot_ms + pool->smarthost->idle_ms + SURPLUS_MS;
}

void deliverers_pool_tick(struct smarthost_pool *pool, int64_t now_ms)
{
    for (struct deliverer_process *at = pool->processes, *next; at; at = next) {
        next = at->next;
        if (now_ms >= surplus_until_ms(pool, at))
            deliverers_pool_remove(pool, at);
        else
            deliverer_process_watch(at, now_ms);
    }
    if (connection_window_tick(&pool->window, now_ms))
        return;
    smarthost_health_fail(&pool->health, now_ms);
    connection_window_restart(&pool->window);
    deliverers_pool_tell(pool, "it refuses connections, and those that are open give no answer");
}

static void earlier(int64_t *next_ms, int64_t at_ms, int64_t now_ms)
{
    if (at_ms > now_ms && at_ms < *next_ms)
        *next_ms = at_ms;
}

int64_t deliverers_pool_next_ms(const struct smarthost_pool *pool, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    earlier(&next, circuit_next_ms(&pool->health.circuit), now_ms);
    earlier(&next, connection_window_next_ms(&pool->window), now_ms);
    earlier(&next, pace_next_ms(&pool->pace), now_ms);
    for (const struct deliverer_process *at = pool->processes; at; at = at->next) {
        earlier(&next, deliverer_process_next_ms(at, now_ms), now_ms);
        earlier(&next, surplus_until_ms(pool, at), now_ms);
    }
    return next;
}
