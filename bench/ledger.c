#include "bench/ledger.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "bench/samples.h"

struct entry {
    _Atomic int64_t posted_ns, answered_ns, arrived_ns; // 0: not yet
    _Atomic unsigned copies;
};

struct ledger {
    size_t count;
    _Atomic size_t arrived;
    struct entry entries[];
};

struct ledger *ledger_create(size_t count)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger) + count * sizeof(ledger->entries[0]));
    if (ledger)
        ledger->count = count;
    return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
    free(ledger);
}

int64_t ledger_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void ledger_posted(struct ledger *ledger, size_t number)
{
    ledger->entries[number].posted_ns = ledger_now_ns();
}

void ledger_answered(struct ledger *ledger, size_t number)
{
    ledger->entries[number].answered_ns = ledger_now_ns();
}

void ledger_arrived(struct ledger *ledger, size_t number)
{
    if (number >= ledger->count)
        return; // a straggler of an earlier run on the same port
    struct entry *entry = &ledger->entries[number];
    if (atomic_fetch_add(&entry->copies, 1) > 0)
        return;
    entry->arrived_ns = ledger_now_ns();
    atomic_fetch_add(&ledger->arrived, 1);
}

bool ledger_wait(struct ledger *ledger, int64_t timeout_ms)
{
    int64_t until_ns = ledger_now_ns() + timeout_ms * 1000000;
    while (atomic_load(&ledger->arrived) < ledger->count) {
        if (ledger_now_ns() > until_ns)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

bool ledger_sum(const struct ledger *ledger, struct ledger_result *ret_result)
{
    struct samples accept, arrive;
    struct ledger_result result = {0};
    int64_t first_ns = INT64_MAX, last_ns = 0;
    if (!samples_init(&accept, ledger->count))
        return false;
    if (!samples_init(&arrive, ledger->count)) {
        samples_finish(&accept);
        return false;
    }
    for (size_t i = 0; i < ledger->count; i++) {
        const struct entry *entry = &ledger->entries[i];
        if (entry->answered_ns)
            samples_add(&accept, entry->answered_ns - entry->posted_ns);
        if (entry->arrived_ns && entry->posted_ns)
            samples_add(&arrive, entry->arrived_ns - entry->posted_ns);
        if (!entry->arrived_ns)
            result.lost++;
        if (entry->copies > 1)
            result.repeated++;
        int64_t began_ns = entry->posted_ns ? entry->posted_ns : entry->arrived_ns;
        if (began_ns && began_ns < first_ns)
            first_ns = began_ns;
        if (entry->arrived_ns > last_ns)
            last_ns = entry->arrived_ns;
    }
    result.accept_p50_us = samples_quantile_us(&accept, 0.50);
    result.accept_p99_us = samples_quantile_us(&accept, 0.99);
    result.arrive_p50_us = samples_quantile_us(&arrive, 0.50);
    result.arrive_p99_us = samples_quantile_us(&arrive, 0.99);
    result.seconds = last_ns > first_ns ? (double)(last_ns - first_ns) / 1e9 : 0;
    samples_finish(&accept);
    samples_finish(&arrive);
    *ret_result = result;
    return true;
}
