// brand.h - brand.json: what the frames call the service, and its colours and addresses.
#ifndef TEMPLATES_BRAND_H
#define TEMPLATES_BRAND_H

#include <jansson.h>

// Reads dir/brand.json and returns it with a name (name stands in where the file has none; or
// NULL), for the caller to json_decref(). Everything wrong is appended to faults; the object is
// then still good for finding further ones. NULL where it cannot be read at all.
json_t *brand_load(const char *dir, const char *name, json_t *faults);

#endif
