// locale_names.h - what the languages we have are called: tags, codes, names, and those that each
// serves as well.
//
// Knows one wish at a time; of which wish goes before which, see locale.h. Reading is safe for any
// thread.
#ifndef TEMPLATES_LOCALE_NAMES_H
#define TEMPLATES_LOCALE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

struct locale_names;

// tags: BCP 47, borrowed only during the call. NULL without memory.
struct locale_names *locale_names_create(const char *const *tags, size_t count, struct error *err);
void locale_names_destroy(struct locale_names *names); // NULL is a no-op

// The index of the tag that serves a wish (locale_match() says what a wish may be, but for what
// stands in brackets or behind a comma). False: none does.
bool locale_names_find(const struct locale_names *names, const char *wish, size_t size,
                       size_t *ret_index);

#endif
