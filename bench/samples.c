#include "bench/samples.h"

#include <stdlib.h>

bool samples_init(struct samples *samples, size_t capacity)
{
    *samples = (struct samples){.capacity = capacity};
    samples->ns = calloc(capacity ? capacity : 1, sizeof(samples->ns[0]));
    return samples->ns != NULL;
}

void samples_finish(struct samples *samples)
{
    free(samples->ns);
    samples->ns = NULL;
}

void samples_add(struct samples *samples, int64_t ns)
{
    if (samples->count < samples->capacity)
        samples->ns[samples->count++] = ns;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

double samples_quantile_us(struct samples *samples, double quantile)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->ns, samples->count, sizeof(samples->ns[0]), ascending);
    size_t index = (size_t)(quantile * (double)(samples->count - 1) + 0.5);
    return (double)samples->ns[index] / 1000;
}
