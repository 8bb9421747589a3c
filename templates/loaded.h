// loaded.h - what a renderer holds: the form between renderer_load.c, which fills it, and
// renderer.c, which only reads it.
#ifndef TEMPLATES_LOADED_H
#define TEMPLATES_LOADED_H

#include "templates/brand.h"
#include "templates/catalog.h"
#include "templates/locale.h"
#include "templates/renderer.h"
#include "templates/template.h"
#include "templates/view.h"

struct renderer {
    struct catalogs *catalogs;
    struct view_base *bases;        // one a catalog, in their order
    struct locale_matcher *matcher; // of what readers can wish for, so without variants
    size_t *matched;                // the matcher's indexes -> those of bases
    struct brands *brands;
    struct template_set *text_set, *html_set;
    const struct template *text_frame, *html_frame;
};

#endif
