// table.h - a normaliser that is a table: where in a payload the parts of a canonical mail are.
//
// For who only picks and renames. A table is read once and looked up in C, which takes a
// tenth of the time that a function of libjsonnet's does. It is an object of a canonical mail's
// keys, and the values are places:
//   "a.b|c"                         the first text of these paths (payload.h)
//   ["objects", "paths"]            the same, in each of these objects
//   ["objects", "paths", digits]    a whole number has at least so many digits
//   {"TEMPLATE": place, ...}        by the mail's template; "otherwise": for the others
// `data` and `fallback` are objects of such places, of `locales` every text is taken, and
// `expires_in_minutes` is the first number above zero.
#ifndef JSONNET_TABLE_H
#define JSONNET_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/error.h"

// ERR_INPUT: value is no such table; the message names the key at fault, and those above it.
bool table_check(json_t *value, struct error *err);

// What a table that passed table_check() makes of a document of payload_parse(): a canonical
// mail, with null where nothing was found. A new reference. NULL: no memory.
json_t *table_apply(json_t *table, json_t *document);

#endif
