#include "relay/deliverers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/child.h"
#include "relay/circuit.h"
#include "relay/config/config.h"
#include "relay/member_text.h"

// A deliverer ends a transaction itself that takes too long; one that has not reported this much
// later is hung.
enum { OVERDUE_MS = 2000, LATE_MS = 100, IDLE_CONNECTION_MS = 30000, CONNECT_TIMEOUT_MS = 10000 };

struct deliverer {
    struct smarthost_pool *pool;
    struct child *child;
    struct delivery *under_way;
    size_t count;
    bool condemned;         // hung: gets nothing more, and is killed when only hung ones remain
    struct deliverer *next; // smarthost_pool::processes; the first not condemned is in use
};

struct smarthost_pool {
    struct deliverers *owner;
    const struct smarthost *smarthost;
    struct circuit circuit;
    struct deliverer *processes;
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

static const char *const outcome_names[] = {
    [DELIVERY_SENT] = "sent",
    [DELIVERY_TEMPORARY] = "temporary",
    [DELIVERY_PERMANENT] = "permanent",
    [DELIVERY_SESSION] = "session",
    [DELIVERY_UNKNOWN] = "unknown",
    [DELIVERY_EXPIRED] = "expired",
    [DELIVERY_CUT] = "cut",
};
enum { OUTCOME_COUNT = sizeof(outcome_names) / sizeof(outcome_names[0]) };

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    return outcome_names[outcome];
}

static bool parse_outcome(const char *name, enum delivery_outcome *ret_outcome)
{
    for (size_t i = 0; name && i < OUTCOME_COUNT; i++)
        if (strcmp(name, outcome_names[i]) == 0) {
            *ret_outcome = (enum delivery_outcome)i;
            return true;
        }
    return false;
}

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

// Takes the delivery out of its deliverer's list and tells how it ended.
static void finish(struct deliverer *deliverer, struct delivery *delivery,
                   const struct delivery_result *result)
{
    struct smarthost_pool *pool = deliverer->pool;
    struct delivery **link = &deliverer->under_way;
    while (*link != delivery)
        link = &(*link)->next;
    *link = delivery->next;
    deliverer->count--;
    pool->under_way--;
    judge(pool, delivery, result);
    pool->owner->handlers.done(pool->owner->handlers.context, delivery, result);
}

static void on_frame(void *context, const struct json_t *header, const struct frame *frame)
{
    (void)frame;
    struct deliverer *deliverer = context;
    const char *op = member_text(header, "op"), *id = member_text(header, "id");
    if (op && strcmp(op, "ready") == 0)
        return; // messages may follow `init` at once, so nobody waits for this
    if (op && strcmp(op, "faults") == 0) {
        json_t *fault = json_array_get(json_object_get(header, "faults"), 0);
        struct delivery_result result = {.outcome = DELIVERY_SESSION,
                                         .smarthost = deliverer->pool->smarthost->name,
                                         .stage = "init",
                                         .reply_text = member_text(fault, "what")};
        deliverer->condemned = true;
        while (deliverer->under_way)
            finish(deliverer, deliverer->under_way, &result);
        return;
    }
    struct delivery *delivery = deliverer->under_way;
    while (delivery && (!id || strcmp(delivery->id, id) != 0))
        delivery = delivery->next;
    struct delivery_result result = {
        .smarthost = deliverer->pool->smarthost->name,
        .stage = member_text(header, "stage"),
        .reply_code = (int)json_integer_value(json_object_get(header, "reply_code")),
        .enhanced_code = member_text(header, "enhanced_code"),
        .reply_text = member_text(header, "reply_text"),
        .address = member_text(header, "address"),
        .tls = member_text(header, "tls"),
        .alarm = member_text(header, "alarm"),
    };
    if (!delivery || !op || strcmp(op, "result") != 0 ||
        !parse_outcome(member_text(header, "outcome"), &result.outcome)) {
        child_kill(deliverer->child); // its marks judge what is under way
        return;
    }
    finish(deliverer, delivery, &result);
}

// A deliverer has died: only the mark knows how far a message got. One that had not begun its
// dot is charged an attempt all the same: it may be what killed the deliverer.
static struct delivery_result verdict_of_mark(const struct deliverer *deliverer,
                                              const struct delivery *delivery)
{
    struct dot dot;
    dots_get(deliverer->pool->owner->dots, (size_t)delivery->mark, &dot);
    struct delivery_result result = {.outcome = DELIVERY_TEMPORARY,
                                     .smarthost = deliverer->pool->smarthost->name,
                                     .stage = "dot",
                                     .reply_text = "the deliverer died"};
    switch (dot.state) {
    case DOT_FREE:
    case DOT_ASSIGNED:
        result.stage = "connect";
        break;
    case DOT_BEGUN:
        result.outcome = DELIVERY_UNKNOWN;
        break;
    case DOT_VERDICT:
        result.reply_code = dot.reply_code;
        result.outcome = dot.reply_code / 100 == 2   ? DELIVERY_SENT
                         : dot.reply_code / 100 == 5 ? DELIVERY_PERMANENT
                                                     : DELIVERY_TEMPORARY;
        break;
    }
    return result;
}

static void remove_process(struct deliverer *deliverer)
{
    struct deliverer **link = &deliverer->pool->processes;
    while (*link != deliverer)
        link = &(*link)->next;
    *link = deliverer->next;
    child_destroy(deliverer->child);
    free(deliverer);
}

static void on_end(void *context, const struct error *err)
{
    (void)err;
    struct deliverer *deliverer = context;
    // First out of the list, so that nothing new is given to it from within done().
    deliverer->condemned = true;
    while (deliverer->under_way) {
        struct delivery_result result = verdict_of_mark(deliverer, deliverer->under_way);
        finish(deliverer, deliverer->under_way, &result);
    }
    remove_process(deliverer);
}

static json_t *init_header(const struct config *config, const struct smarthost *smarthost)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s?, s:i, s:s, s:b, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, s:i, s:i, s:I}",
        "op", "init", "smarthost", smarthost->name, "driver",
        smarthost_driver_name(smarthost->driver), "host", smarthost->host, "port",
        (int)smarthost->port, "tls", smarthost_tls_name(smarthost->tls), "verify",
        (int)smarthost->verify, "server_name", smarthost->server_name, "user", smarthost->user,
        "password", smarthost->password, "dir", smarthost->dir, "helo", config->smtp_helo,
        "connections", (int)config->connections, "idle_ms", IDLE_CONNECTION_MS,
        "connect_timeout_ms", CONNECT_TIMEOUT_MS, "timeout_ms",
        (json_int_t)config->transaction_timeout_ms);
}

static struct deliverer *start_process(struct smarthost_pool *pool, struct error *err)
{
    struct deliverers *owner = pool->owner;
    struct deliverer *deliverer = calloc(1, sizeof(*deliverer));
    if (!deliverer) {
        error_set(err, ERR_TEMPORARY, "deliverer: no memory");
        return NULL;
    }
    deliverer->pool = pool;
    int mark_fd = dots_share(owner->dots, err);
    if (mark_fd >= 0) {
        deliverer->child =
            child_start(owner->loop, owner->config->deliverer_path, PROCESS_HEAP_SMALL, &mark_fd, 1,
                        on_frame, on_end, deliverer, err);
        close(mark_fd);
    }
    json_auto_t *header = init_header(owner->config, pool->smarthost);
    if (!deliverer->child || !header || !child_send(deliverer->child, header, NULL, 0, err)) {
        child_destroy(deliverer->child);
        free(deliverer);
        return NULL;
    }
    deliverer->next = pool->processes;
    pool->processes = deliverer;
    return deliverer;
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
            remove_process(deliverers->pools[i].processes);
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
    struct deliverer *deliverer = pool->processes;
    while (deliverer && deliverer->condemned)
        deliverer = deliverer->next;
    if (!deliverer)
        deliverer = start_process(pool, err);
    if (!deliverer)
        return false;
    json_auto_t *header = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:b, s:I}", "op", "deliver", "id", delivery->id, "mark",
        delivery->mark, "sender", delivery->sender, "recipient", delivery->recipient, "smtputf8",
        delivery->smtputf8, "deadline_boot_ms", (json_int_t)delivery->deadline_boot_ms);
    struct frame_blob blob = {delivery->message, delivery->message_size};
    if (!header || !child_send(deliverer->child, header, &blob, 1, err))
        return false;
    delivery->started_boot_ms = clock_boot_ms();
    delivery->limit_ms =
        delivery->started_boot_ms + pool->owner->config->transaction_timeout_ms + OVERDUE_MS;
    delivery->excused = false;
    delivery->next = deliverer->under_way;
    deliverer->under_way = delivery;
    deliverer->count++;
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
    json_auto_t *all = json_pack("{s:s}", "op", "cut");
    for (size_t i = 0; i < deliverers->pool_count; i++)
        for (struct deliverer *at = deliverers->pools[i].processes; at; at = at->next)
            if (all)
                child_send(at->child, all, NULL, 0, NULL); // one it fails for dies, and is cut
}

// Whoever looks late has stood still himself, as when the machine slept, and the deliverer with
// him: it gets a moment, once, to tell what the smarthost has said.
static bool is_hung(struct delivery *delivery, int64_t now_ms)
{
    if (now_ms < delivery->limit_ms)
        return false;
    if (delivery->excused || now_ms < delivery->limit_ms + LATE_MS)
        return true;
    delivery->excused = true;
    delivery->limit_ms = now_ms + OVERDUE_MS;
    return false;
}

static void watch(struct deliverer *deliverer, int64_t now_ms)
{
    size_t hung = 0;
    for (struct delivery *at = deliverer->under_way; at; at = at->next)
        hung += is_hung(at, now_ms);
    deliverer->condemned = deliverer->condemned || hung > 0;
    if (deliverer->condemned && hung == deliverer->count)
        child_kill(deliverer->child);
}

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms)
{
    for (size_t i = 0; i < deliverers->pool_count; i++)
        for (struct deliverer *at = deliverers->pools[i].processes; at; at = at->next)
            watch(at, now_ms);
}

int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < deliverers->pool_count; i++) {
        const struct smarthost_pool *pool = &deliverers->pools[i];
        int64_t at_ms = circuit_next_ms(&pool->circuit);
        if (at_ms > now_ms && at_ms < next)
            next = at_ms;
        for (const struct deliverer *process = pool->processes; process; process = process->next)
            for (const struct delivery *at = process->under_way; at; at = at->next)
                if (at->limit_ms > now_ms && at->limit_ms < next)
                    next = at->limit_ms;
    }
    return next;
}
