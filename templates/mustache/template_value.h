// template_value.h - what a JSON value is to a template: a text, and true or false.
#ifndef TEMPLATES_MUSTACHE_TEMPLATE_VALUE_H
#define TEMPLATES_MUSTACHE_TEMPLATE_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/buffer.h"

// Appends value to out. Objects, lists and null, and NULL as well, are written as nothing.
// escape: for HTML's content and quoted attributes.
void template_value_write(struct buffer *out, const json_t *value, bool escape);

// False: false, null, 0, "", an empty list, NULL.
bool template_value_is_true(const json_t *value);

#endif
