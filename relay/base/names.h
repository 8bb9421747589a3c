// names.h - "did you mean": the known name nearest to one that is not known.
#ifndef RELAY_BASE_NAMES_H
#define RELAY_BASE_NAMES_H

#include <stddef.h>

#define NAMES_SIZE_MAX 64

// Single-character insertions, deletions and replacements, and swaps of two neighbours, that turn a
// into b (optimal string alignment), ASCII case not counted. Names longer than NAMES_SIZE_MAX are
// compared up to there.
size_t names_distance(const char *a, const char *b);

#endif
