// rendering.h - a template compiled, linked and rendered in one call, for tests of the engine.
//
// To be included behind cmocka.h.
#ifndef TESTS_SUPPORT_RENDERING_H
#define TESTS_SUPPORT_RENDERING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "templates/mustache/template.h"

#define RENDERING_MAX (64 * 1024)
#define RENDERING_MAIN "main"

struct rendering {
    bool compiled;
    bool linked;
    bool rendered;
    char *text; // where rendered
    json_t *faults;
    struct error err;
};

static inline void rendering_finish(struct rendering *rendering)
{
    free(rendering->text);
    json_decref(rendering->faults);
}

#define AUTO_RENDERING __attribute__((cleanup(rendering_finish)))

// Compiles template and partials (an object of sources, or NULL) and renders view. What could
// not be linked is rendered all the same: the specification lets it render as nothing.
static inline struct rendering rendering_make(const struct template_rules *rules,
                                              const char *template, json_t *partials,
                                              const json_t *view)
{
    struct rendering made = {.faults = json_array()};
    struct template_set *set = template_set_create(rules);
    assert_non_null(set);
    made.compiled = template_set_add(set, RENDERING_MAIN, "main.mustache", template,
                                     strlen(template), made.faults);
    const char *name;
    const json_t *source;
    json_object_foreach(partials, name, source)
    {
        made.compiled &= template_set_add(set, name, name, json_string_value(source),
                                          json_string_length(source), made.faults);
    }
    made.linked = template_set_link(set, made.faults);
    if (made.compiled) {
        struct buffer out;
        buffer_init(&out, RENDERING_MAX);
        made.rendered =
            template_render(template_set_find(set, RENDERING_MAIN), view, &out, &made.err);
        made.text = buffer_take(&out);
        buffer_finish(&out);
    }
    template_set_destroy(set);
    return made;
}

// The same of JSON texts; partials_json may be NULL.
static inline struct rendering rendering_of(enum template_mode mode, const char *template,
                                            const char *partials_json, const char *view_json)
{
    const struct template_rules rules = {.mode = mode};
    json_auto_t *view = json_loads(view_json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_auto_t *partials = partials_json ? json_loads(partials_json, 0, NULL) : NULL;
    assert_non_null(view);
    assert_true(partials || !partials_json);
    return rendering_make(&rules, template, partials, view);
}

#endif
