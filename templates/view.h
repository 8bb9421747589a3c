// view.h - what frames see: one JSON object with every text and value of a mail filled in.
//
// Its keys are listed in docs/templates.md; view.c is where they are made.
#ifndef TEMPLATES_VIEW_H
#define TEMPLATES_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/error.h"
#include "templates/catalog.h"
#include "templates/renderer.h"

// What is the same for all mails in one language.
struct view_base {
    const struct catalog *catalog;
    bool is_right_to_left;
    json_t *brand; // object with a string "name"
};

// The view of one mail; the caller owns it. ERR_INPUT, "no_content": neither our texts nor
// Kratos' can make this mail. ERR_TEMPORARY: no memory.
json_t *view_create(const struct view_base *base, const struct render_request *request,
                    struct error *err);

// An object with every key that a frame may name, at whatever depth; the caller owns it.
// NULL: no memory.
json_t *view_known_names(json_t *brand);

#endif
