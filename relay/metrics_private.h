// metrics_private.h - what is counted, for metrics.c, which adds, and metrics_text.c, which reads.
// Nobody else's business.
#ifndef RELAY_METRICS_PRIVATE_H
#define RELAY_METRICS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "relay/metrics.h"

// The values of a label, in the order in which they came; the last place is that of all the others.
#define METRICS_NAMES_MAX 65
struct metrics_names {
    size_t most; // places, METRICS_NAMES_MAX at most; the last one is `other`
    atomic_size_t count;
    char names[METRICS_NAMES_MAX][QUEUE_TEXT_SIZE];
};

enum {
    METRICS_ROUTES = 33,
    METRICS_SMARTHOSTS = 33,
    METRICS_TEMPLATES = 65,
    METRICS_LOCALES = 65,
    METRICS_WISHES = 9, // what decided the language
    METRICS_REASONS = 33,
    METRICS_LISTENERS = 4,
    METRICS_ACTS = 10,
    METRICS_LANES = LANE_COUNT + 1, // the last one: not composed, so in none
    METRICS_TASKS = COMPOSE_RENDER + 1,
    METRICS_OUTCOMES = DELIVERY_SUSPECT + 1,
    METRICS_CLASSES = 8, // of an enhanced code (RFC 3463 §3): x.0 to x.7
    METRICS_BUCKETS_MAX = 16,
};

// Each bucket is of its own, added up when they are told; the last one is for what is over them
// all.
struct metrics_histogram {
    atomic_uint_least64_t buckets[METRICS_BUCKETS_MAX + 1];
    atomic_uint_least64_t sum_us;
};

// Upper bounds of buckets, ascending.
struct metrics_bounds {
    size_t count; // METRICS_BUCKETS_MAX at most
    int64_t us[METRICS_BUCKETS_MAX];
};
extern const struct metrics_bounds metrics_bounds_work, metrics_bounds_smtp, metrics_bounds_wait,
    metrics_bounds_left;

typedef atomic_uint_least64_t metrics_counter;

struct metrics_smarthost_state {
    atomic_bool is_configured;
    atomic_int circuit; // an index into metrics_circuit_names
    atomic_size_t under_way, connections_max;
    atomic_int_least64_t certificate_not_after_s; // 0: none was seen
};

#define METRICS_CIRCUITS 4
extern const char *const metrics_circuit_names[METRICS_CIRCUITS];

struct metrics {
    pthread_mutex_t lock; // of adding a name; who counts a known one takes none
    struct metrics_names routes, smarthosts, templates, locales, wishes, park_reasons,
        compose_reasons, refusals, listeners, act_names;

    const char *version;
    int64_t started_wall_ms;
    atomic_bool reload_is_in_force;
    atomic_int_least64_t reloaded_wall_ms;

    metrics_counter payloads[METRICS_ROUTES][METRICS_PAYLOAD_COUNT];
    metrics_counter refused[METRICS_LISTENERS][METRICS_REASONS];
    struct metrics_histogram accept, commit, compose[METRICS_TASKS];
    metrics_counter composed[METRICS_LOCALES][METRICS_WISHES];
    metrics_counter compose_failed[METRICS_REASONS];

    metrics_counter ended[MESSAGE_STATE_COUNT][METRICS_LANES];
    metrics_counter ended_by_template[METRICS_TEMPLATES][MESSAGE_STATE_COUNT];
    metrics_counter parked[METRICS_REASONS];
    metrics_counter rejected[METRICS_CLASSES];
    metrics_counter rate_limited[LANE_COUNT], expired_rate_limited[LANE_COUNT];

    metrics_counter deliveries[METRICS_SMARTHOSTS][METRICS_OUTCOMES];
    struct metrics_histogram smtp[METRICS_SMARTHOSTS], wait[LANE_COUNT], code_left;
    struct metrics_smarthost_state smarthost_states[METRICS_SMARTHOSTS];

    metrics_counter acts[METRICS_ACTS];
    atomic_int_least64_t children[METRICS_CHILD_COUNT];
    metrics_counter child_deaths[METRICS_CHILD_COUNT];
};
extern struct metrics metrics;

#endif
