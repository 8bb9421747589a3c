// payload.h - a stranger's JSON made harmless before anything else sees it.
//
// transient_payload is whatever a stranger sent to Kratos, so nothing that parses is refused
// (design §3): NUL and lone surrogates become U+FFFD, integers beyond 2^53 strings, depth
// beyond PAYLOAD_DEPTH_MAX is cut (null), of duplicate keys the last wins. Bytes that are not
// UTF-8 become U+FFFD. Numbers that no double carries (1e999) become strings.
#ifndef JSONNET_PAYLOAD_H
#define JSONNET_PAYLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define PAYLOAD_DEPTH_MAX 32

// Parses data and returns the cleaned document (an object or array), which the caller
// json_decref()s; or NULL: ERR_INPUT where it is no JSON even after cleaning. The message names
// line and column, never a value.
json_t *payload_parse(const char *data, size_t size, struct error *err);

// Looks up "a.b|c.d" (alternatives, first hit wins; null counts as no hit) in document. Keys may
// hold any character but '.' and '|'; a number selects an array's element. Borrowed, or NULL.
json_t *payload_at(json_t *document, const char *paths);

#endif
