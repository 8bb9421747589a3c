// renderer_fixture.h - a small folder of templates in two languages, and the renderer of it.
#ifndef TESTS_UNIT_TEMPLATES_RENDERER_FIXTURE_H
#define TESTS_UNIT_TEMPLATES_RENDERER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/renderer.h"
#include "tests/support/folder.h"
#include "tests/unit/templates/renderer_texts.h"

struct fixture {
    char dir[FOLDER_PATH_SIZE];
    json_t *faults;
    struct renderer *renderer;
};

static inline void load(struct fixture *fixture)
{
    json_array_clear(fixture->faults);
    renderer_destroy(fixture->renderer);
    fixture->renderer = renderer_load(fixture->dir, "en", "UTC", NULL, fixture->faults);
}

static inline void write_small(const struct fixture *fixture)
{
    folder_write(fixture->dir, "frame.text.mustache", TEXT_FRAME);
    folder_write(fixture->dir, "frame.html.mustache", HTML_FRAME);
    folder_write(fixture->dir, "head.text.mustache", "{{brand.name}} {{brand.x}}\n");
    folder_write(fixture->dir, "brand.json", BRAND);
    folder_write(fixture->dir, "locales/en.json", EN);
    folder_write(fixture->dir, "locales/ar.json", AR);
}

static inline int make_small(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    folder_make(fixture->dir);
    write_small(fixture);
    fixture->faults = json_array();
    load(fixture);
    *state = fixture;
    return 0;
}

static inline int remove_small(void **state)
{
    struct fixture *fixture = *state;
    folder_remove(fixture->dir);
    renderer_destroy(fixture->renderer);
    json_decref(fixture->faults);
    free(fixture);
    return 0;
}

static inline void assert_no_fault(const json_t *faults)
{
    char *text = json_dumps(faults, JSON_INDENT(1));
    if (json_array_size(faults) > 0)
        print_error("%s\n", text);
    free(text);
    assert_int_equal(json_array_size(faults), 0);
}

static inline bool has_fault(const json_t *faults, const char *where, const char *what)
{
    size_t index;
    const json_t *fault;
    json_array_foreach(faults, index, fault)
    {
        if (strstr(json_string_value(json_object_get(fault, "where")), where) &&
            strstr(json_string_value(json_object_get(fault, "what")), what))
            return true;
    }
    char *text = json_dumps(faults, JSON_INDENT(1));
    print_error("want %s: %s, got %s\n", where, what, text);
    free(text);
    return false;
}

#define AUTO_RENDERED __attribute__((cleanup(rendered_finish)))

static inline struct rendered render(struct renderer *renderer,
                                     const struct render_request *request)
{
    struct rendered mail = {0};
    struct error err = {0};
    enum refusal refusal;
    assert_non_null(renderer);
    if (!renderer_render(renderer, request, &mail, &refusal, &err))
        fail_msg("%s: %s", request->template, err.message);
    if (refusal != REFUSAL_NONE)
        fail_msg("%s: refusal %d", request->template, (int)refusal);
    return mail;
}

// Why there is no such mail.
static inline enum refusal refuse(struct renderer *renderer, const struct render_request *request)
{
    struct rendered mail = {0};
    struct error err = {0};
    enum refusal refusal = REFUSAL_NONE;
    if (!renderer_render(renderer, request, &mail, &refusal, &err))
        fail_msg("%s: %s", request->template, err.message);
    rendered_finish(&mail);
    return refusal;
}

#endif
