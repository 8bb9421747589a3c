// query.h - one parameter of a URL's query.
#ifndef RELAY_COMPOSER_QUERY_H
#define RELAY_COMPOSER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

// Writes the first non-empty value of the parameter name, percent-decoded ("+" is a space), to
// ret_value. False where url (NULL is allowed) has none, or one that is too long for size
// bytes, is wrongly encoded or holds a control character.
bool query_value(const char *url, const char *name, char *ret_value, size_t size);

// The same for the bytes from `from` to `end`.
bool query_decode(const char *from, const char *end, char *ret_value, size_t size);

#endif
