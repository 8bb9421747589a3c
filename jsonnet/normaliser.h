// normaliser.h - operators' Jsonnet functions and tables, applied to payload after payload.
//
// libjsonnet parses its standard library anew for every evaluation (15 ms), so this is ONE
// evaluation of all of them that does not return: it pulls payloads through a native callback
// and pushes results through another (design §3). Imports are refused. One thread.
//
// A text is a table (table.h), of which Jsonnet works out nothing but where to look; or it is a
// `function(payload) ...` whose result is a canonical mail, an array of them, or null. Plain
// Jsonnet is slow (15 µs an `==`), so it may pick values with natives instead, which look into the
// current payload in C, by the paths of payload.h; each gives null for nothing:
//   std.native('at')(paths)                 the first value that is there
//   std.native('number')(paths)             the first number above zero
//   std.native('text')(paths)               the first text
//   std.native('text_in')(objects, paths)   the same, in each of these objects
//   std.native('texts_in')(objects, paths)  an array of all of them
#ifndef JSONNET_NORMALISER_H
#define JSONNET_NORMALISER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define NORMALISER_SIZE_MAX (1024 * 1024)       // bytes of a text
#define NORMALISER_RESULT_MAX (2 * 1024 * 1024) // bytes of what one payload is made into, as JSON

struct normaliser_source {
    char *text; // never written to
    char *file; // its name in errors
};

struct normaliser_io {
    // Waits for the next payload and returns it (from payload_parse(); borrowed until the
    // following call of next or the end of normaliser_run), or NULL to end the evaluation.
    // *ret_source is the number of the source that it is for.
    json_t *(*next)(void *context, size_t *ret_source);
    // Takes what the normaliser made of the payload that next() gave last: a canonical mail, an
    // array of them, or null; cleaned as by payload_parse(). result is the callee's to
    // json_decref().
    void (*emit)(void *context, json_t *result);
    void *context;
    // NULL, or told before each text is evaluated which it is.
    void (*begin)(void *context, size_t source);
};

// True where the text can be parsed, which is as much as can be said of one without evaluating
// all of them. False: ERR_INPUT, "FILE:LINE:COLUMN: what".
bool normaliser_check(const struct normaliser_source *source, struct error *err);

// Evaluates the normalisers (count > 0, each passed normaliser_check()) until next() returns
// NULL: true. False with ERR_INPUT: a text does not compile, or is neither a function nor a table
// without a fault; or it threw on the payload that next() gave last, or made more of it than
// NORMALISER_RESULT_MAX (ret_in_payload true) - call again to go on with the next payload. The
// message is "FILE:LINE:COLUMN: what", with no value of a payload.
bool normaliser_run(const struct normaliser_source *sources, size_t count,
                    const struct normaliser_io *io, bool *ret_in_payload, struct error *err);

// What the normalisers (as above) are, where each is a table: an array of them, in their order; the
// caller json_decref()s it. NULL: one is a function, or at fault, which normaliser_run() tells.
// What io gives meanwhile is worked out, as by that. Costs as much as any evaluation, and the C
// library gives back little of the 7 MB that it takes.
json_t *normaliser_tables(const struct normaliser_source *sources, size_t count,
                          const struct normaliser_io *io);

// The same as normaliser_run() of normalisers that are these tables (each passed table_check()),
// and without Jsonnet. False with ERR_TEMPORARY: no memory for what the payload is made into.
bool normaliser_run_tables(json_t *tables, const struct normaliser_io *io, bool *ret_in_payload,
                           struct error *err);

// Evaluates a configuration file: imports allowed below dir, which its own relative imports
// start from. Returns JSON text; caller frees. NULL: ERR_INPUT with file and line.
char *normaliser_evaluate_config(const char *text, const char *file, const char *dir,
                                 struct error *err);

#endif
