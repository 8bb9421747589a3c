// fuzz.h - what every fuzz target shares: its entry, and how it says that a promise is broken.
//
// A target is one file fuzz_<name>.c. clang links it with libFuzzer (`make fuzz`), gcc with
// replay.c, which runs the corpus once (`make check`).
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// assert() that is never compiled out, and names the promise.
#define FUZZ_CHECK(condition, promise)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken: %s (%s)\n", __FILE__, __LINE__, promise, #condition);  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
