#include "relay/children/deliverer_process.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/children/child.h"
#include "relay/config/config.h"
#include "relay/member_text.h"
#include "relay/metrics.h"

// A deliverer ends a transaction itself that takes too long; one that has not reported this much
// later is hung.
enum { OVERDUE_MS = 2000, LATE_MS = 100, CONNECT_TIMEOUT_MS = 10000 };

static const char *const outcome_names[] = {
    [DELIVERY_SENT] = "sent",
    [DELIVERY_TEMPORARY] = "temporary",
    [DELIVERY_PERMANENT] = "permanent",
    [DELIVERY_SESSION] = "session",
    [DELIVERY_UNKNOWN] = "unknown",
    [DELIVERY_EXPIRED] = "expired",
    [DELIVERY_CUT] = "cut",
    [DELIVERY_UNABLE] = "unable",
    [DELIVERY_SUSPECT] = "suspect",
};

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    return outcome_names[outcome];
}

static bool parse_outcome(const char *name, enum delivery_outcome *ret_outcome)
{
    for (size_t i = 0; name && i < DELIVERY_SUSPECT; i++) // which the core alone says
        if (strcmp(name, outcome_names[i]) == 0) {
            *ret_outcome = (enum delivery_outcome)i;
            return true;
        }
    return false;
}

// Takes the delivery out of the list and tells how it ended.
static void finish(struct deliverer_process *process, struct delivery *delivery,
                   struct delivery_result *result)
{
    struct delivery **link = &process->under_way;
    while (*link != delivery)
        link = &(*link)->next;
    *link = delivery->next;
    process->count--;
    process->used_boot_ms = clock_boot_ms();
    process->handlers.done(process->handlers.context, delivery, result);
}

static void on_frame(void *context, const struct json_t *header, const struct frame *frame)
{
    (void)frame;
    struct deliverer_process *process = context;
    const char *op = member_text(header, "op"), *id = member_text(header, "id");
    if (op && strcmp(op, "ready") == 0) {
        process->is_ready = true; // messages may follow `init` at once, so nobody waits for this
        process->has_ponged = process->pinged_boot_ms > 0;
        return;
    }
    if (op && strcmp(op, "faults") == 0) {
        json_t *fault = json_array_get(json_object_get(header, "faults"), 0);
        struct delivery_result result = {.outcome = DELIVERY_SESSION,
                                         .smarthost = process->smarthost->name,
                                         .stage = "init",
                                         .reply_text = member_text(fault, "what")};
        process->condemned = process->is_dismissed = true;
        while (process->under_way) {
            struct delivery_result each = result;
            finish(process, process->under_way, &each);
        }
        return;
    }
    struct delivery *delivery = process->under_way;
    while (delivery && (!id || strcmp(delivery->id, id) != 0))
        delivery = delivery->next;
    struct delivery_result result = {
        .smarthost = process->smarthost->name,
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
        child_kill(process->child); // its marks judge what is under way
        return;
    }
    int64_t certificate_ends_ms =
        json_integer_value(json_object_get(header, "certificate_ends_ms"));
    if (certificate_ends_ms > 0)
        metrics_certificate(process->smarthost->name, certificate_ends_ms / 1000);
    process->has_answered = process->has_answered || result.reply_code > 0;
    finish(process, delivery, &result);
}

// A deliverer has died: only the mark knows how far a message got. One that had not begun its dot
// is not the smarthost's fault, and whether it is the message's is for the owner to say; but one
// that could not even begin is broken, and so is one that hung (is_mute) before a smarthost had
// said a word to it: what it waits for is no message's.
static struct delivery_result verdict_of_mark(const struct deliverer_process *process,
                                              const struct delivery *delivery, bool is_mute)
{
    struct dot dot;
    dots_get(process->dots, (size_t)delivery->mark, &dot);
    struct delivery_result result = {.outcome = DELIVERY_TEMPORARY,
                                     .smarthost = process->smarthost->name,
                                     .stage = "dot",
                                     .reply_text = "the deliverer died",
                                     .has_died = true,
                                     .has_hung = process->is_hung};
    switch (dot.state) {
    case DOT_FREE:
    case DOT_ASSIGNED:
        result.stage = "connect";
        if (process->is_hung)
            result.reply_text = "the deliverer hung";
        if (process->is_hung ? is_mute : !process->is_ready)
            result.outcome = DELIVERY_SESSION;
        else if (!process->is_hung)
            result.outcome = DELIVERY_CUT;
        break;
    case DOT_BEGUN:
        result.outcome = DELIVERY_UNKNOWN;
        break;
    case DOT_VERDICT:
        result.has_died = false; // the smarthost has said this
        result.reply_code = dot.reply_code;
        result.outcome = dot.reply_code / 100 == 2   ? DELIVERY_SENT
                         : dot.reply_code / 100 == 5 ? DELIVERY_PERMANENT
                                                     : DELIVERY_TEMPORARY;
        break;
    }
    return result;
}

static size_t count_before_dot(const struct deliverer_process *process)
{
    size_t count = 0;
    for (const struct delivery *at = process->under_way; at; at = at->next) {
        struct dot dot;
        dots_get(process->dots, (size_t)at->mark, &dot);
        count += dot.state == DOT_FREE || dot.state == DOT_ASSIGNED;
    }
    return count;
}

static void on_end(void *context, const struct error *err)
{
    (void)err;
    struct deliverer_process *process = context;
    // First of all, so that nothing new is given to it from within done().
    process->condemned = true;
    process->died_at_work = process->under_way && !process->is_hung;
    size_t before_dot = count_before_dot(process);
    bool is_alone = before_dot == 1;
    bool is_mute = !process->has_answered && before_dot == process->count;
    while (process->under_way) {
        struct delivery_result result = verdict_of_mark(process, process->under_way, is_mute);
        result.was_alone = is_alone;
        finish(process, process->under_way, &result);
    }
    process->handlers.ended(process->handlers.context, process);
}

json_t *deliverer_init_header(const struct config *config, const struct smarthost *smarthost)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s?, s:i, s:s, s:b, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, "
        "s:i, s:i, s:i, s:I}",
        "op", "init", "smarthost", smarthost->name, "driver",
        smarthost_driver_name(smarthost->driver), "host", smarthost->host, "port",
        (int)smarthost->port, "tls", smarthost_tls_name(smarthost->tls), "verify",
        (int)smarthost->verify, "server_name", smarthost->server_name, "ca_file",
        smarthost->ca_file, "user", smarthost->user, "password", smarthost->password, "auth",
        smarthost->auth, "token_file", smarthost->token_file, "dir", smarthost->dir, "helo",
        config->smtp_helo, "connections", DELIVERER_CONNECTIONS, "idle_ms", smarthost->idle_ms,
        "messages_per_connection", smarthost->messages_per_connection, "connect_timeout_ms",
        CONNECT_TIMEOUT_MS, "timeout_ms", (json_int_t)config->transaction_timeout_ms);
}

struct deliverer_process *
deliverer_process_create(struct event_loop *loop, const struct config *config,
                         const struct smarthost *smarthost, struct dots *dots,
                         const struct deliverer_process_handlers *handlers, struct error *err)
{
    struct deliverer_process *process = calloc(1, sizeof(*process));
    if (!process) {
        error_set(err, ERR_TEMPORARY, "deliverer: no memory");
        return NULL;
    }
    *process = (struct deliverer_process){
        .smarthost = smarthost, .config = config_hold(config), .dots = dots, .handlers = *handlers};
    int mark_fd = dots_share(dots, err);
    if (mark_fd >= 0) {
        process->child = child_start(loop, config->deliverer_path, PROCESS_HEAP_SMALL, &mark_fd, 1,
                                     on_frame, on_end, process, err);
        close(mark_fd);
    }
    if (process->child)
        metrics_child_started(METRICS_DELIVERER);
    json_auto_t *header = deliverer_init_header(config, smarthost);
    if (process->child && header && child_send(process->child, header, NULL, 0, err))
        return process;
    deliverer_process_destroy(process);
    return NULL;
}

void deliverer_process_destroy(struct deliverer_process *process)
{
    if (!process)
        return;
    if (process->child)
        metrics_child_ended(METRICS_DELIVERER);
    child_destroy(process->child);
    config_release(process->config);
    free(process);
}

bool deliverer_process_deliver(struct deliverer_process *process, struct delivery *delivery,
                               struct error *err)
{
    json_auto_t *header = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:b, s:I}", "op", "deliver", "id", delivery->id, "mark",
        delivery->mark, "sender", delivery->sender, "recipient", delivery->recipient, "smtputf8",
        delivery->smtputf8, "deadline_boot_ms", (json_int_t)delivery->deadline_boot_ms);
    const struct frame_blob blobs[] = {{delivery->message, delivery->message_size},
                                       {delivery->mask, delivery->mask_size}};
    if (!header || !child_send(process->child, header, blobs, delivery->mask_size ? 2 : 1, err))
        return false;
    delivery->started_boot_ms = clock_boot_ms();
    delivery->limit_ms =
        delivery->started_boot_ms + process->config->transaction_timeout_ms + OVERDUE_MS;
    delivery->excused = false;
    delivery->next = process->under_way;
    process->under_way = delivery;
    process->count++;
    return true;
}

void deliverer_process_cut(struct deliverer_process *process)
{
    json_auto_t *all = json_pack("{s:s}", "op", "cut");
    if (all)
        child_send(process->child, all, NULL, 0, NULL); // one it fails for dies, and is cut
}

// Whoever looks late has stood still himself, as when the machine slept, and the deliverer with
// him: it gets a moment, once, to tell what the smarthost has said.
static bool is_hung(struct delivery *delivery, int64_t now_ms)
{
    if (now_ms < delivery->limit_ms)
        return false;
    bool is_late = !delivery->excused && now_ms >= delivery->limit_ms + LATE_MS;
    delivery->excused = true; // one that was found hung stays so
    if (is_late)
        delivery->limit_ms = now_ms + OVERDUE_MS;
    return !is_late;
}

// One that still answers has a transaction that is stuck, and others that go on: they would have
// unknown outcomes if it were killed. One that is stopped has none.
static bool is_frozen(struct deliverer_process *process, int64_t now_ms)
{
    if (process->pinged_boot_ms == 0) {
        json_auto_t *ping = json_pack("{s:s}", "op", "ping");
        if (ping)
            child_send(process->child, ping, NULL, 0, NULL); // one it fails for dies
        process->pinged_boot_ms = now_ms;
    }
    return !process->has_ponged && now_ms >= process->pinged_boot_ms + OVERDUE_MS;
}

void deliverer_process_watch(struct deliverer_process *process, int64_t now_ms)
{
    size_t hung = 0;
    for (struct delivery *at = process->under_way; at; at = at->next)
        hung += is_hung(at, now_ms);
    process->condemned = process->condemned || hung > 0;
    bool frozen = hung > 0 && is_frozen(process, now_ms);
    if (process->condemned && (hung == process->count || frozen)) {
        process->is_hung = hung > 0;
        child_kill(process->child);
    }
}

int64_t deliverer_process_next_ms(const struct deliverer_process *process, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    for (const struct delivery *at = process->under_way; at; at = at->next)
        if (at->limit_ms > now_ms && at->limit_ms < next)
            next = at->limit_ms;
    int64_t pong_ms = process->pinged_boot_ms + OVERDUE_MS;
    if (process->pinged_boot_ms > 0 && !process->has_ponged && pong_ms > now_ms && pong_ms < next)
        next = pong_ms;
    return next;
}
