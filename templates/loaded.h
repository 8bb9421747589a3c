// loaded.h - what a renderer holds: the form between renderer_load.c, which fills it,
// renderer_trial.c, which tries it, and renderer.c, which only reads it.
#ifndef TEMPLATES_LOADED_H
#define TEMPLATES_LOADED_H

#include "templates/brand.h"
#include "templates/catalog.h"
#include "templates/frames.h"
#include "templates/locale.h"
#include "templates/renderer.h"
#include "templates/view.h"
#include "templates/zone.h"

// A language that readers can wish for: how its mails are written, by the brand's address. Where
// it has no such variant, as in the catalog of the language itself.
struct language {
    const struct view_base *bases[BRAND_ADDRESS_COUNT];
};

struct renderer {
    struct brands *brands;
    struct catalogs *catalogs;
    struct view_base *bases; // one a catalog, in their order
    struct language *languages;
    struct locale_matcher *matcher; // its indexes are those of languages
    struct frames *frames;
    char zone[ZONE_NAME_SIZE]; // of readers whose own is not known; empty: neither is this
};

// renderer_render() for a brand that need be none of the loaded ones; request->brand is not read.
bool renderer_render_as(struct renderer *renderer, const struct brand *brand,
                        const struct render_request *request, struct rendered *ret_rendered,
                        enum refusal *ret_refusal, struct error *err);

// Renders mails of each type in each language and under each brand. What they lack is appended to
// faults. dir is what was loaded.
void renderer_try(struct renderer *renderer, const char *dir, json_t *faults);

#endif
