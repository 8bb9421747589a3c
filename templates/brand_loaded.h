// brand_loaded.h - what brands hold: the form between brand_load.c, which fills it, and brand.c,
// which only reads it.
#ifndef TEMPLATES_BRAND_LOADED_H
#define TEMPLATES_BRAND_LOADED_H

#include "templates/brand.h"

struct brands {
    struct brand *items;
    size_t count;
    json_t *by_name; // name or client -> index
};

#endif
