// template.h - Mustache templates, compiled once and rendered often.
//
// The language of https://mustache.github.io/mustache.5.html and its specification, whole but for
// lambdas: values, sections, partials, comments, delimiters, names that are values ({{>*name}}),
// parents and blocks. Values are JSON. A rendered value is never scanned for tags again, and a
// name that is a value picks among the templates of the set and nothing else.
//
// Where the specification leaves room: false, null, 0, "", an empty list and what is not there
// count as false; an object or list as a value renders as nothing; indentation is not put before
// empty lines, nor before a value's; in a parent only blocks may stand, and text that is ignored.
//
// A set belongs to one thread while it is filled; after template_set_link() any thread may
// render from it.
#ifndef TEMPLATES_MUSTACHE_TEMPLATE_H
#define TEMPLATES_MUSTACHE_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

struct template;
struct template_set;

enum template_mode {
    TEMPLATE_TEXT, // values are written as they are
    TEMPLATE_HTML, // values are escaped, for content and for quoted attributes
};

struct template_rules {
    enum template_mode mode;
    // TEMPLATE_HTML: the only values that {{{name}}} and {{&name}} may name, ended by NULL; or
    // NULL: none. Borrowed while the set is filled.
    const char *const *raw_names;
    // What a view can have, so that a misspelt name is found at load: an object with all its keys,
    // and of each null, that it is a value; an object, likewise; an array of one, that it is a
    // list of such; or true, that no more is known. NULL: any name is good. Borrowed until the set
    // is linked.
    json_t *known_names;
};

struct template_set *template_set_create(const struct template_rules *rules); // NULL: no memory
void template_set_destroy(struct template_set *set);                          // NULL is a no-op

// Compiles source and adds it as name; file is what faults call it. All are copied. False when
// there was a fault: each is appended to faults with its line, and the set is only good to be
// filled further and destroyed.
bool template_set_add(struct template_set *set, const char *name, const char *file,
                      const char *source, size_t source_size, json_t *faults);

// Connects partials and parents with the templates they name. One that the set does not have is
// a fault, and renders as nothing. So is a block that is given and that no template has, and a
// name that is no value's in any place that leads to it.
bool template_set_link(struct template_set *set, json_t *faults);

// NULL where there is none of that name. Lives as long as the set.
const struct template *template_set_find(const struct template_set *set, const char *name);

// Does another template of the linked set take the one of that name for a partial or parent, or
// any that a value names?
bool template_set_uses(const struct template_set *set, const char *name);

// Appends to out, whose limit bounds the result; nothing else is allocated. ERR_INPUT: past that
// limit, or past the engine's own: 64 partials, parents and blocks within each other, 128 open
// sections, a million steps.
bool template_render(const struct template *template, const json_t *view, struct buffer *out,
                     struct error *err);

#endif
