// normaliser.h - an operator's Jsonnet function, applied to payload after payload.
//
// libjsonnet parses its standard library anew for every evaluation (15 ms), so this is ONE
// evaluation that does not return: it pulls payloads through a native callback and pushes
// results through another (design §3). Imports are refused. One thread.
//
// The text is a `function(payload) ...` whose result is a canonical mail, an array of them, or
// null. Plain Jsonnet is slow (15 µs an `==`), so it may pick values with natives instead, which
// look into the current payload in C, by the paths of payload.h; each gives null for nothing:
//   std.native('at')(paths)                 the first value that is there
//   std.native('number')(paths)             the first number above zero
//   std.native('text')(paths)               the first text
//   std.native('text_in')(objects, paths)   the same, in each of these objects
//   std.native('texts_in')(objects, paths)  an array of all of them
#ifndef JSONNET_NORMALISER_H
#define JSONNET_NORMALISER_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/error.h"

struct normaliser_io {
    // Waits for the next payload and returns it (from payload_parse(); borrowed until the
    // following call of next or the end of normaliser_run), or NULL to end the evaluation.
    json_t *(*next)(void *context);
    // Takes what the normaliser made of the payload that next() gave last: a canonical mail, an
    // array of them, or null; cleaned as by payload_parse(). result is the callee's to
    // json_decref().
    void (*emit)(void *context, json_t *result);
    void *context;
};

// Evaluates the normaliser's text (file names it in errors) until next() returns NULL: true.
// False with ERR_INPUT: the text does not compile or is no function; or it threw on the payload
// that next() gave last (ret_in_payload true) - call again to go on with the next payload. The
// message is "FILE:LINE:COLUMN: what", with no value of a payload.
bool normaliser_run(const char *text, const char *file, const struct normaliser_io *io,
                    bool *ret_in_payload, struct error *err);

// Evaluates a configuration file: imports allowed below dir, which its own relative imports
// start from. Returns JSON text; caller frees. NULL: ERR_INPUT with file and line.
char *normaliser_evaluate_config(const char *text, const char *file, const char *dir,
                                 struct error *err);

#endif
