// payload.h - a stranger's JSON made harmless before anything else sees it, and looking into it.
//
// transient_payload is whatever a stranger sent to Kratos, so nothing that parses is refused
// (design §3): NUL and lone surrogates become U+FFFD, integers beyond 2^53 strings, depth
// beyond PAYLOAD_DEPTH_MAX is cut (null), of duplicate keys the last wins. Bytes that are not
// UTF-8 become U+FFFD. Numbers that no double carries (1e999), or longer than 64 characters,
// become strings.
//
// The look-ups take paths: "a.b|c.d" are alternatives, tried from left to right; the parts of
// one are keys, or numbers of an array's elements; the empty path is the document. Keys may hold
// any character but '.' and '|' (and '+' and '"' for payload_text). A missing value and null are
// the same.
#ifndef JSONNET_PAYLOAD_H
#define JSONNET_PAYLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define PAYLOAD_DEPTH_MAX 32

// Parses data and returns the cleaned document (an object or array), which the caller
// json_decref()s; or NULL: ERR_INPUT where it is no JSON even after cleaning. The message names
// line and column (of the cleaned text), never a value.
json_t *payload_parse(const char *data, size_t size, struct error *err);

// The first value that is there, of any type. Borrowed, or NULL.
json_t *payload_at(json_t *document, const char *paths);

// The first that is text: a string that is not empty, or a whole number's digits. Here
// "first+last" joins those that are there by a space, and "\"email\"" is the word itself.
// Looks in every object that objects names, in turn; "" names the document. A number above zero
// gets zeros in front where it has less than `digits`. A new reference, or NULL.
json_t *payload_text(json_t *document, const char *objects, const char *paths, int digits);

// All of them, in that order: a new array, maybe empty. NULL: no memory.
json_t *payload_texts(json_t *document, const char *objects, const char *paths);

// The first that is a number above zero. Borrowed, or NULL.
json_t *payload_number(json_t *document, const char *paths);

#endif
