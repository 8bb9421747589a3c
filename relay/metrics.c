#include "relay/metrics_private.h"

#include <string.h>

#include "relay/base/clock.h"

#define MS(n) ((int64_t)(n)*1000)
#define S(n) ((int64_t)(n)*1000 * 1000)

const struct metrics_bounds metrics_bounds_work = {.count = 15,
                                                   .us = {250, 500, MS(1), 2500, MS(5), MS(10),
                                                          MS(25), MS(50), MS(100), MS(250), MS(500),
                                                          S(1), MS(2500), S(5), S(10)}};
const struct metrics_bounds metrics_bounds_smtp = {.count = 15,
                                                   .us = {MS(1), 2500, MS(5), MS(10), MS(25),
                                                          MS(50), MS(100), MS(250), MS(500), S(1),
                                                          MS(2500), S(5), S(10), S(30), S(60)}};
const struct metrics_bounds metrics_bounds_wait = {
    .count = 15,
    .us = {MS(1), 2500, MS(5), MS(10), MS(25), MS(100), MS(500), S(1), S(5), S(15), S(60), S(300),
           S(900), S(3600), S(6 * 3600)}};
// By what people notice: a minute is little time to look for a mail.
const struct metrics_bounds metrics_bounds_left = {.count = 10,
                                                   .us = {S(15), S(60), S(120), S(300), S(600),
                                                          S(900), S(1800), S(3600), S(4 * 3600),
                                                          S(24 * 3600)}};

const char *const metrics_circuit_names[METRICS_CIRCUITS] = {"closed", "open", "probing", "paused"};

// What is known beforehand is told from the start, as 0: an alert cannot see a first one whose
// series was not there before.
struct metrics metrics = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .routes = {.most = METRICS_ROUTES},
    .smarthosts = {.most = METRICS_SMARTHOSTS},
    .templates = {.most = METRICS_TEMPLATES},
    .locales = {.most = METRICS_LOCALES},
    .wishes = {.most = METRICS_WISHES},
    .park_reasons = {.most = METRICS_REASONS,
                     .count = 15,
                     .names = {"unparseable", "no_recipient", "bad_recipient", "no_content",
                               "link_not_allowed", "unsupported_channel", "not_canonical",
                               "too_large", "normaliser_failed", "normaliser_timeout",
                               "composer_died", "unknown_route", "no_such_part", "damaged",
                               "unknown_key"}},
    .compose_reasons = {.most = METRICS_REASONS,
                        .count = 6,
                        .names = {"normaliser_failed", "normaliser_timeout", "composer_died",
                                  "not_canonical", "unknown_route", "compose_failed"}},
    .refusals = {.most = METRICS_REASONS,
                 .count = 11,
                 .names = {"key_missing", "key_unknown", "key_expired", "key_not_allowed",
                           "role_needed", "bad_request", "not_found", "method_not_allowed",
                           "too_large", "unsupported_media_type", "unavailable"}},
    .listeners = {.most = METRICS_LISTENERS, .count = 2, .names = {"mail", "admin"}},
    .act_names = {.most = METRICS_ACTS,
                  .count = 9,
                  .names = {"retry", "hold", "release", "cancel", "pause", "resume", "rekey",
                            "backup", "check"}},
    .reload_is_in_force = true, // what was read at the start is
};

static void count(metrics_counter *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void observe(struct metrics_histogram *histogram, const struct metrics_bounds *bounds,
                    int64_t us)
{
    if (us < 0) // a clock that was set
        us = 0;
    size_t bucket = 0;
    while (bucket < bounds->count && us > bounds->us[bucket])
        bucket++;
    count(&histogram->buckets[bucket < bounds->count ? bucket : METRICS_BUCKETS_MAX]);
    atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)us, memory_order_relaxed);
}

// ---- labels ---------------------------------------------------------------------------------

// The place of name among the first so many, or how many there are.
static size_t find(const struct metrics_names *names, const char *name, size_t known)
{
    size_t at = 0;
    while (at < known && strcmp(names->names[at], name) != 0)
        at++;
    return at;
}

static size_t add(struct metrics_names *names, const char *name)
{
    pthread_mutex_lock(&metrics.lock);
    size_t known = atomic_load(&names->count);
    size_t at = find(names, name, known); // another thread may have added it
    if (at == known && known < names->most - 1) {
        memcpy(names->names[at], name, strlen(name) + 1);
        atomic_store(&names->count, known + 1); // whoever sees the count sees the name
    }
    pthread_mutex_unlock(&metrics.lock);
    return at;
}

// The place of a label's value; NULL and empty are `none`.
static size_t place(struct metrics_names *names, const char *name)
{
    size_t other = names->most - 1;
    if (!name || !*name)
        name = "none";
    size_t known = atomic_load_explicit(&names->count, memory_order_acquire);
    size_t at = find(names, name, known);
    if (at < known || known == other)
        return at;
    return strlen(name) < QUEUE_TEXT_SIZE ? add(names, name) : other;
}

// ---- what is counted ------------------------------------------------------------------------

void metrics_start(const char *version)
{
    metrics.version = version;
    metrics.started_wall_ms = clock_wall_ms();
    atomic_store(&metrics.reloaded_wall_ms, metrics.started_wall_ms);
}

void metrics_reloaded(bool is_in_force)
{
    atomic_store(&metrics.reload_is_in_force, is_in_force);
    if (is_in_force)
        atomic_store(&metrics.reloaded_wall_ms, clock_wall_ms());
}

void metrics_route(const char *name)
{
    place(&metrics.routes, name);
}

void metrics_payload(const char *route, enum metrics_payload outcome, int64_t took_us)
{
    count(&metrics.payloads[place(&metrics.routes, route)][outcome]);
    if (outcome == METRICS_ACCEPTED || outcome == METRICS_DUPLICATE)
        observe(&metrics.accept, &metrics_bounds_work, took_us);
}

void metrics_refused(const char *listener, const char *reason)
{
    count(&metrics.refused[place(&metrics.listeners, listener)][place(&metrics.refusals, reason)]);
}

void metrics_committed(int64_t took_us)
{
    observe(&metrics.commit, &metrics_bounds_work, took_us);
}

void metrics_composer_answered(enum compose_task task, int64_t took_us)
{
    observe(&metrics.compose[task], &metrics_bounds_work, took_us);
}

void metrics_composed(const char *locale, const char *locale_source)
{
    count(
        &metrics.composed[place(&metrics.locales, locale)][place(&metrics.wishes, locale_source)]);
}

void metrics_compose_failed(const char *reason)
{
    count(&metrics.compose_failed[place(&metrics.compose_reasons, reason)]);
}

void metrics_ended(enum message_state state, const enum lane *lane, const char *template)
{
    count(&metrics.ended[state][lane ? (size_t)*lane : LANE_COUNT]);
    count(&metrics.ended_by_template[place(&metrics.templates, template)][state]);
}

void metrics_parked(const char *reason)
{
    count(&metrics.parked[place(&metrics.park_reasons, reason)]);
}

void metrics_rate_limited(enum lane lane)
{
    count(&metrics.rate_limited[lane]);
}

void metrics_expired_rate_limited(enum lane lane)
{
    count(&metrics.expired_rate_limited[lane]);
}

void metrics_delivery(const char *smarthost, enum delivery_outcome outcome, int64_t took_ms)
{
    size_t at = place(&metrics.smarthosts, smarthost);
    count(&metrics.deliveries[at][outcome]);
    observe(&metrics.smtp[at], &metrics_bounds_smtp, took_ms * 1000);
}

void metrics_rejected(const char *enhanced_code)
{
    // "5.7.1": what stands between the points says what it is about (RFC 3463 §3).
    const char *point = enhanced_code ? strchr(enhanced_code, '.') : NULL;
    bool is_class = point && point[1] >= '0' && point[1] <= '7' && point[2] == '.';
    count(&metrics.rejected[is_class ? (size_t)(point[1] - '0') : 0]);
}

void metrics_delivered(enum lane lane, int64_t waited_ms, int64_t left_ms)
{
    observe(&metrics.wait[lane], &metrics_bounds_wait, waited_ms * 1000);
    if (lane == LANE_CODE)
        observe(&metrics.code_left, &metrics_bounds_left, left_ms * 1000);
}

void metrics_smarthost(const struct metrics_smarthost *smarthost)
{
    const char *name = circuit_state_name(smarthost->circuit);
    int circuit = 0;
    while (circuit < METRICS_CIRCUITS - 1 && strcmp(metrics_circuit_names[circuit], name) != 0)
        circuit++;
    size_t at = place(&metrics.smarthosts, smarthost->name);
    if (at == METRICS_SMARTHOSTS - 1) // after many reloads: it would be several at once
        return;
    struct metrics_smarthost_state *state = &metrics.smarthost_states[at];
    atomic_store_explicit(&state->circuit, circuit, memory_order_relaxed);
    atomic_store_explicit(&state->under_way, smarthost->under_way, memory_order_relaxed);
    atomic_store_explicit(&state->connections_max, smarthost->connections_max,
                          memory_order_relaxed);
    atomic_store_explicit(&state->is_configured, true, memory_order_relaxed);
}

void metrics_smarthost_gone(const char *name)
{
    struct metrics_smarthost_state *state =
        &metrics.smarthost_states[place(&metrics.smarthosts, name)];
    atomic_store(&state->is_configured, false);
    atomic_store(&state->certificate_not_after_s, 0);
}

void metrics_certificate(const char *smarthost, int64_t not_after_s)
{
    atomic_store_explicit(
        &metrics.smarthost_states[place(&metrics.smarthosts, smarthost)].certificate_not_after_s,
        not_after_s, memory_order_relaxed);
}

void metrics_acted(const char *act)
{
    count(&metrics.acts[place(&metrics.act_names, act)]);
}

void metrics_child_started(enum metrics_child child)
{
    atomic_fetch_add(&metrics.children[child], 1);
}

void metrics_child_ended(enum metrics_child child)
{
    atomic_fetch_sub(&metrics.children[child], 1);
}

void metrics_child_died(enum metrics_child child)
{
    count(&metrics.child_deaths[child]);
}
