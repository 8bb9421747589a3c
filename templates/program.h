// program.h - what a compiled template is: the form between template_compile.c and
// template_render.c, of no concern to anybody else.
//
// A template is a flat array of instructions. Texts and names are in one pool of bytes, and
// instructions say where. A new kind of tag is a new opcode.
#ifndef TEMPLATES_PROGRAM_H
#define TEMPLATES_PROGRAM_H

#include <stdint.h>

#include "templates/template.h"

#define PROGRAM_SECTIONS_MAX 32 // open at once in one template

enum opcode {
    OP_TEXT,     // pool[offset .. +size)
    OP_INDENT,   // a line of the template begins here, with something else than OP_TEXT before
    OP_VALUE,    // name
    OP_RAW,      // name, never escaped
    OP_SECTION,  // name; target: behind its OP_END
    OP_INVERTED, // name; target: behind what it encloses (it has no OP_END)
    OP_END,      // target: first instruction within its OP_SECTION
    OP_PARTIAL,  // partial; pool[offset .. +size) is its indentation, its name stands behind that
};

// A name of n parts ("a.b.c": 3) is n NUL-terminated strings in a row, from pool[offset] on;
// size is n, and 0 for the implicit iterator ".".
struct instruction {
    enum opcode opcode;
    uint32_t offset;
    uint32_t size;
    uint32_t target;
    uint32_t line;   // in the source, for faults
    bool standalone; // OP_PARTIAL: stood on a line of its own, so its lines are indented
    const struct template *partial; // NULL until linked
};

struct template
{
    char *name;
    char *file;
    enum template_mode mode;
    struct buffer pool;
    struct instruction *instructions;
    uint32_t count;
    uint32_t capacity;
};

struct template_set {
    struct template_rules rules;
    struct template **templates;
    size_t count;
};

// Compiles source into template, whose name, file and mode are set. False after a fault.
bool program_compile(struct template *template, const struct template_rules *rules,
                     const char *source, size_t source_size, json_t *faults);

#endif
