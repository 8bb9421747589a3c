// samples.h - durations and their quantiles. Not for use by two threads at once.
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct samples {
    int64_t *ns;
    size_t count, capacity;
};

bool samples_init(struct samples *samples, size_t capacity); // false: no memory
void samples_finish(struct samples *samples);
void samples_add(struct samples *samples, int64_t ns); // dropped where over capacity
// Microseconds; sorts. 0 where there are none.
double samples_quantile_us(struct samples *samples, double quantile);

#endif
