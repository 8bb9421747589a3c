// brand_check.h - what the values of a brand's file may be.
#ifndef TEMPLATES_BRAND_CHECK_H
#define TEMPLATES_BRAND_CHECK_H

#include <jansson.h>
#include <stdbool.h>

#include "templates/source.h"

// Appends a fault for each key of a brand's file that is not known though it looks like one that
// is, and for each value that is not of the one form its key wants.
void brand_check_keys(json_t *own, bool is_default, const struct source *source, json_t *faults);

// Appends a fault where settings (a file's keys on top of brand.json's) lack a name, or where
// their colours cannot be told apart and this file sets one of them.
void brand_check_whole(const json_t *own, const json_t *settings, bool is_default,
                       const struct source *source, json_t *faults);

#endif
