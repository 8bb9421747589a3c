// dispatcher_deliverers.h - the stand-in for the deliverers.
#ifndef TESTS_UNIT_RELAY_DISPATCHER_DELIVERERS_H
#define TESTS_UNIT_RELAY_DISPATCHER_DELIVERERS_H

#include "dispatcher_composers.h"
#include "dispatcher_smarthosts.h"

struct deliverers *deliverers_create(struct event_loop *loop, const struct config *config,
                                     struct dots *dots, const struct deliverers_handlers *handlers,
                                     struct error *err)
{
    (void)loop, (void)config, (void)dots, (void)err;
    seen.deliverers = *handlers;
    return (struct deliverers *)(void *)&seen;
}

void deliverers_destroy(struct deliverers *deliverers)
{
    (void)deliverers;
}

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    static const char *const names[] = {"sent",    "temporary", "permanent", "session", "unknown",
                                        "expired", "cut",       "unable",    "suspect"};
    return names[outcome];
}

size_t deliverers_free_slots(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.down || seen.under_way >= seen.slots ? 0 : seen.slots - seen.under_way;
}

bool deliverers_down(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.down;
}

bool deliverers_are_paced(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return seen.is_paced;
}

void deliverers_wanted(struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    seen.wanted_count++;
}

size_t deliverers_under_way(const struct deliverers *deliverers)
{
    (void)deliverers;
    return seen.under_way;
}

bool deliverers_have_slot(const struct deliverers *deliverers, int64_t now_ms)
{
    return deliverers_free_slots(deliverers, now_ms) > 0;
}

bool deliverers_take(const struct deliverers *deliverers, const struct delivery *delivery,
                     int64_t now_ms)
{
    return deliverers_free_slots(deliverers, now_ms) > 0 &&
           (!seen.waits_for_another || strcmp(seen.waits_for_another, delivery->id) != 0);
}

bool deliverers_start(struct deliverers *deliverers, struct delivery *delivery, int64_t now_ms)
{
    if (deliverers_free_slots(deliverers, now_ms) == 0)
        return false;
    assert_true(seen.started_count < STARTED_MAX);
    struct started *started = &seen.started[seen.started_count++];
    memcpy(started->id, delivery->id, QUEUE_ID_SIZE);
    started->delivery = delivery;
    delivery->started_boot_ms = now_ms;
    seen.under_way++;
    return true;
}

bool deliverers_has_other(const struct deliverers *deliverers, const struct delivery *delivery,
                          int64_t now_ms)
{
    (void)deliverers, (void)delivery, (void)now_ms;
    return !seen.down && !seen.is_only;
}

bool deliverers_has_able(const struct deliverers *deliverers, uint64_t unable, int64_t now_ms)
{
    (void)unable;
    return deliverers_has_other(deliverers, NULL, now_ms);
}

void deliverers_cut(struct deliverers *deliverers)
{
    (void)deliverers;
}

void deliverers_tick(struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
}

int64_t deliverers_next_ms(const struct deliverers *deliverers, int64_t now_ms)
{
    (void)deliverers, (void)now_ms;
    return INT64_MAX;
}

#endif
