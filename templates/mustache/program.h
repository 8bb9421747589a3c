// program.h - what a compiled template is: the form between template_compile.c and
// template_render.c, of no concern to anybody else.
//
// A template is a flat array of instructions; what a section or a block encloses is a range of
// it. Texts and names are in one pool of bytes, and instructions say where. A new kind of tag is
// a new opcode.
#ifndef TEMPLATES_MUSTACHE_PROGRAM_H
#define TEMPLATES_MUSTACHE_PROGRAM_H

#include <stdint.h>

#include "templates/mustache/template.h"

enum opcode {
    OP_TEXT,     // text
    OP_INDENT,   // a line of the template begins here, with something else than OP_TEXT before
    OP_VALUE,    // name
    OP_RAW,      // name, never escaped
    OP_SECTION,  // name; target: behind its OP_END
    OP_INVERTED, // name; target: behind what it encloses (it has no OP_END)
    OP_END,      // target: first instruction within its OP_SECTION
    OP_PARTIAL,  // name
    OP_PARENT,   // name; up to target: the OP_BLOCKs that it is given, and what these enclose
    OP_BLOCK,    // name; target: behind what it encloses
};

struct instruction {
    enum opcode opcode;
    // pool[offset .. +size): the text of OP_TEXT; of OP_PARTIAL, OP_PARENT and OP_BLOCK, and of
    // OP_INDENT behind a block on the same line, the indentation of the lines that come there.
    uint32_t offset, size;
    // pool[name ..): as many strings in a row as the name has parts ("a.b.c": 3; the implicit
    // iterator ".": none), each a byte with its size, its bytes, NUL. The names of templates and
    // blocks are one part.
    uint32_t name, name_parts;
    uint32_t target;
    uint32_t line;                  // in the source, for faults
    bool begins_line;               // OP_PARTIAL, OP_PARENT: so their lines are indented
    bool is_dynamic;                // OP_PARTIAL, OP_PARENT: the name is that of a value
    bool is_argument;               // OP_BLOCK: given to a parent, else a place to be filled
    bool is_known;                  // its name is that of a value (template_names.c)
    const struct template *partial; // OP_PARTIAL, OP_PARENT, not dynamic: NULL until linked
};

struct template
{
    const struct template_set *set;
    char *name;
    char *file;
    struct buffer pool;
    struct instruction *instructions;
    uint32_t count;
    uint32_t capacity;
    bool is_whole; // compiled to its end
};

struct template_set {
    struct template_rules rules;
    struct template **templates; // by name
    size_t count;
    bool has_faults; // some of them were not compiled to their end
};

static inline const char *program_name(const struct template *template,
                                       const struct instruction *instruction)
{
    return template->pool.data + instruction->name + 1;
}

// Compiles source into template, whose name and file are set. False after a fault.
bool program_compile(struct template *template, const struct template_rules *rules,
                     const char *source, size_t source_size, json_t *faults);

// Finds names of values that views cannot have, as the rules know them: each is a fault. All
// templates are whole. (template_names.c)
bool template_names_check(const struct template_set *set, json_t *faults);

// The template of a set that the size bytes at name are the name of, or NULL.
const struct template *program_find(const struct template_set *set, const char *name, size_t size);

#endif
