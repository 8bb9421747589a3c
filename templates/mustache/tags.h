// tags.h - the tags of a template's source: where they are, how they nest, what text is left
// between them. What the compiler reads, and of no concern to anybody else.
//
// Three steps, each over all tags: scanned (names and delimiters are good), nested (what opens
// has an end), laid out (tags on lines of their own have taken these lines along).
#ifndef TEMPLATES_MUSTACHE_TAGS_H
#define TEMPLATES_MUSTACHE_TAGS_H

#include <stdint.h>

#include "templates/mustache/template.h"

#define TAGS_NONE UINT32_MAX
#define TAGS_NESTED_MAX 32 // open at once in one template

enum tag_kind {
    TAG_VALUE,    // {{name}}
    TAG_RAW,      // {{{name}}} {{&name}}
    TAG_SECTION,  // {{#name}}
    TAG_INVERTED, // {{^name}}
    TAG_PARTIAL,  // {{>name}} {{>*name}}
    TAG_PARENT,   // {{<name}} {{<*name}}
    TAG_BLOCK,    // {{$name}}: in a parent what it is given, else a place to be filled
    TAG_END,      // {{/name}}
    TAG_NOTE,     // comments and delimiters
};

// A part of the source.
struct slice {
    const char *text;
    size_t size;
};

struct tag {
    enum tag_kind kind;
    bool is_dynamic; // the name is that of a value, and the value names the template
    bool is_alone;   // its line has nothing else that counts, and leaves no trace
    struct slice name;
    const char *begin, *end;
    const char *line_begin; // of the line that begin is in
    size_t line;

    // Nesting. What opens and its end are partners; within is the innermost that is open
    // around both, or TAGS_NONE.
    uint32_t partner, within;

    // Layout: the text around the tag ends at before and goes on at after.
    const char *before, *after;
    bool begins_line; // nothing but blanks before it
    // Where TAG_PARTIAL, TAG_PARENT and TAG_BLOCK begin their line: what goes before the lines
    // that come in their place.
    struct slice indent;
    struct slice strip;   // TAG_BLOCK: what each line in it begins with, and loses
    uint32_t instruction; // for the compiler
};

struct tags {
    const char *file; // for faults
    json_t *faults;
    const char *source, *end;
    struct tag *items;
    uint32_t count, capacity;
    size_t lines;       // of the source
    bool has_bad_names; // unsafe ones: faults, but none that need stop us
};

// Fills items from source. False after a fault that ends the reading. Release with tags_finish()
// either way.
bool tags_scan(struct tags *tags, const struct template_rules *rules);
void tags_finish(struct tags *tags);

bool tags_nest(struct tags *tags); // false after a fault
void tags_lay_out(struct tags *tags);

// The innermost TAG_BLOCK around the tag of this index, or NULL.
const struct tag *tags_block_around(const struct tags *tags, uint32_t index);
// True for a block that gives a parent something.
bool tags_is_argument(const struct tags *tags, const struct tag *tag);

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// at is in the source, or its end.
static inline bool tags_line_begins_at(const struct tags *tags, const char *at)
{
    return at == tags->source || at[-1] == '\n';
}

#endif
