// view.h - what frames see: one JSON object with every text and value of a mail filled in.
//
// Its keys are listed in docs/templates.md; view.c is where they are made.
#ifndef TEMPLATES_VIEW_H
#define TEMPLATES_VIEW_H

#include <jansson.h>

#include "relay/base/error.h"
#include "templates/brand.h"
#include "templates/catalog.h"
#include "templates/facts.h"
#include "templates/renderer.h"

// What is the same for all mails in one catalog.
struct view_base {
    const struct catalog *catalog;
    struct facts_writing writing;
};

// The view of one mail under a brand, which the caller owns; or none, and *ret_refusal is not
// REFUSAL_NONE. False: no memory.
bool view_create(const struct view_base *base, const struct brand *brand,
                 const struct render_request *request, json_t **ret_view, enum refusal *ret_refusal,
                 struct error *err);

// What views can have, as struct template_rules wants it known; brand_names is of {{brand}}. The
// caller owns it. NULL: no memory.
json_t *view_known_names(json_t *brand_names);

#endif
