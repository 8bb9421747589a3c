// program.h - the one Jsonnet program that all normalisers and our additions to std stand in.
//
// Evaluating it calls the natives of normaliser.c: begin() for each, before it is evaluated, and
// table() for each that is no function; next() until it gives false; and for each time the
// normaliser of which turn() gives the number, with payload(), and emit() with the result. They are
// known by names that no normaliser can know: it would get at another's payload with them. Imports
// would do the same, but cost 10 ms each whenever an evaluation begins.
#ifndef JSONNET_PROGRAM_H
#define JSONNET_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jsonnet/complaint.h"
#include "jsonnet/normaliser.h"
#include "relay/base/buffer.h"
#include "relay/base/error.h"

#define PROGRAM_NAME "normalisers" // what libjsonnet is told: errors name places in it
#define PROGRAM_NATIVE_SIZE 48

struct program {
    struct buffer text;
    struct complaint_part *parts; // one a source, in their order
    size_t part_count;
    uint64_t secret[2]; // what makes the natives' names unknowable
};

// Borrows the sources' names of files. ERR_INPUT: one is too large; ERR_IO: no randomness;
// ERR_TEMPORARY.
bool program_init(struct program *program, const struct normaliser_source *sources, size_t count,
                  struct error *err);
void program_finish(struct program *program);
#define AUTO_PROGRAM __attribute__((cleanup(program_finish)))

// What std.native() knows "begin", "table", "next", "turn", "payload" or "emit" by.
void program_native(const struct program *program, const char *name,
                    char ret_native[PROGRAM_NATIVE_SIZE]);

#endif
