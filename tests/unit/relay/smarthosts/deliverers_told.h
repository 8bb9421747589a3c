// deliverers_told.h - what the deliverers tell in a test.
#ifndef TESTS_UNIT_RELAY_DELIVERERS_TOLD_H
#define TESTS_UNIT_RELAY_DELIVERERS_TOLD_H

#include "deliverers_stand_in.h"

struct fixture {
    char dir[32];
    struct event_loop *loop;
    struct config config;
    struct smarthost smarthosts[2];
    struct dots *dots;
    struct deliverers *deliverers;
    struct delivery deliveries[64];
    size_t started;
    enum delivery_outcome outcomes[64]; // by delivery
    const char *smarthost_of[64];
    size_t done, went_down, came_up, died, limit;
    enum circuit_reason reason; // told last
    char in_use[64];            // all that were told, in order
};

static inline void on_done(void *context, struct delivery *delivery,
                           const struct delivery_result *result)
{
    struct fixture *fixture = context;
    size_t index = (size_t)(delivery - fixture->deliveries);
    fixture->outcomes[index] = result->outcome;
    fixture->smarthost_of[index] = result->smarthost;
    fixture->done++;
}

static inline void on_circuit(void *context, const char *smarthost, bool up,
                              enum circuit_reason reason, const char *detail)
{
    (void)smarthost, (void)detail;
    struct fixture *fixture = context;
    up ? fixture->came_up++ : fixture->went_down++;
    fixture->reason = reason;
}

static inline void on_in_use(void *context, const char *smarthost, bool is_first)
{
    struct fixture *fixture = context;
    assert_int_equal(is_first, strcmp(smarthost, "first") == 0);
    size_t used = strlen(fixture->in_use);
    snprintf(fixture->in_use + used, sizeof(fixture->in_use) - used, "%s ", smarthost);
}

static inline void on_limit(void *context, const char *smarthost, size_t connections)
{
    (void)smarthost;
    ((struct fixture *)context)->limit = connections;
}

static inline void on_died(void *context, const char *smarthost)
{
    (void)smarthost;
    struct fixture *fixture = context;
    fixture->died++;
}

static inline bool create(struct fixture *fixture)
{
    const struct deliverers_handlers handlers = {.done = on_done,
                                                 .circuit = on_circuit,
                                                 .in_use = on_in_use,
                                                 .limit = on_limit,
                                                 .died = on_died,
                                                 .context = fixture};
    struct error err = {0};
    fixture->deliverers =
        deliverers_create(fixture->loop, &fixture->config, fixture->dots, &handlers, &err);
    return fixture->deliverers != NULL;
}

#endif
