// Runs a compiled template over a JSON view.
#include <stdint.h>
#include <string.h>

#include "templates/mustache/program.h"
#include "templates/mustache/template_value.h"

#define NESTED_MAX 64  // partials, parents and blocks within each other
#define SCOPES_MAX 128 // open sections, over all templates
// Instructions, and places that are searched for a name: what repeats without writing anything,
// or doubles with each partial, must end as well. A mail takes a few thousand.
#define STEPS_MAX 1000000

// What names are looked up in: the view, and one more for each open section.
struct scope {
    const json_t *value;
    const json_t *list; // NULL: the section runs once
    size_t index;
};

struct run {
    struct buffer *out;
    size_t out_begin; // how much was in out before
    struct error *err;
    bool escapes;
    unsigned steps;
    unsigned nested;
    size_t scope_count;
    struct scope scopes[SCOPES_MAX];
};

// What goes before each line: that of the template or block around, and our own.
struct indent {
    const struct indent *outer;
    const char *text;
    size_t size;
};

// What a parent is given: the blocks that `parent` encloses in its template.
struct arguments {
    const struct arguments *outer; // of the parent around, which go first
    const struct template *template;
    const struct instruction *parent;
};

// Where a template or block is run.
struct place {
    const struct indent *indent;       // NULL: none
    const struct arguments *arguments; // NULL: none
};

// A block may be put where its line has begun already, or not.
static bool is_at_line_begin(const struct run *run)
{
    return run->out->size == run->out_begin || run->out->data[run->out->size - 1] == '\n';
}

static void write_indent(struct buffer *out, const struct indent *indent)
{
    if (!indent)
        return;
    write_indent(out, indent->outer);
    buffer_append(out, indent->text, indent->size);
}

// Only lines of the template are indented, never those within a value, and no empty ones.
static void write_text(struct buffer *out, const char *text, size_t size,
                       const struct indent *indent)
{
    const char *end = text + size;
    while (indent) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline)
            break;
        buffer_append(out, text, (size_t)(newline + 1 - text));
        text = newline + 1;
        if (text < end && *text != '\n' && *text != '\r')
            write_indent(out, indent);
    }
    buffer_append(out, text, (size_t)(end - text));
}

// The first part of a name is looked for in the innermost scope that has it; the others only
// within what was found.
static const json_t *look_up(struct run *run, const struct template *template,
                             const struct instruction *instruction)
{
    if (instruction->name_parts == 0)
        return run->scopes[run->scope_count - 1].value;

    const char *part = template->pool.data + instruction->name;
    const json_t *value = NULL;
    for (size_t i = run->scope_count; i > 0 && !value; i--) {
        value = json_object_getn(run->scopes[i - 1].value, part + 1, (unsigned char)part[0]);
        run->steps++;
    }
    for (uint32_t i = 1; i < instruction->name_parts && value; i++) {
        part += (unsigned char)part[0] + 2;
        value = json_object_getn(value, part + 1, (unsigned char)part[0]);
    }
    return value;
}

static bool enter_section(struct run *run, const json_t *value, const char *file, uint32_t line)
{
    if (run->scope_count == SCOPES_MAX)
        return error_set(run->err, ERR_INPUT, "%s:%u: more than %d sections within each other",
                         file, line, SCOPES_MAX);
    struct scope scope = {.value = value};
    if (json_is_array(value)) {
        scope.list = value;
        scope.value = json_array_get(value, 0);
    }
    run->scopes[run->scope_count++] = scope;
    return true;
}

// True where the section at whose end we are runs once more.
static bool repeat_section(struct run *run)
{
    struct scope *scope = &run->scopes[run->scope_count - 1];
    if (scope->list && ++scope->index < json_array_size(scope->list)) {
        scope->value = json_array_get(scope->list, scope->index);
        return true;
    }
    run->scope_count--;
    return false;
}

// ---- partials, parents, blocks --------------------------------------------------------------

static bool run_range(struct run *run, const struct template *template, uint32_t from, uint32_t to,
                      struct place place);

static bool enter_nested(struct run *run, const struct template *template,
                         const struct instruction *instruction)
{
    if (run->nested == NESTED_MAX)
        return error_set(run->err, ERR_INPUT,
                         "%s:%u: more than %d partials, parents and blocks within each other",
                         template->file, instruction->line, NESTED_MAX);
    run->nested++;
    return true;
}

// The template that a partial or parent names, or NULL. A value names one of those that were
// loaded, or nothing.
static const struct template *find_named(struct run *run, const struct template *template,
                                         const struct instruction *instruction)
{
    if (!instruction->is_dynamic)
        return instruction->partial;
    const json_t *name = look_up(run, template, instruction);
    if (!json_is_string(name))
        return NULL;
    const struct template *named =
        program_find(template->set, json_string_value(name), json_string_length(name));
    return named;
}

static struct indent own_indent(const struct template *template,
                                const struct instruction *instruction, const struct indent *outer)
{
    return (struct indent){.outer = outer,
                           .text = template->pool.data + instruction->offset,
                           .size = instruction->size};
}

// A parent is a partial that is given blocks.
static bool run_partial(struct run *run, const struct template *template,
                        const struct instruction *instruction, struct place place)
{
    const struct template *named = find_named(run, template, instruction);
    if (!named)
        return true;
    const struct indent indent = own_indent(template, instruction, place.indent);
    const struct arguments arguments = {
        .outer = place.arguments, .template = template, .parent = instruction};
    if (!instruction->begins_line)
        place.indent = NULL;
    else if (indent.size > 0)
        place.indent = &indent;
    if (instruction->opcode == OP_PARENT &&
        template->instructions + instruction->target > instruction + 1)
        place.arguments = &arguments;
    if (!enter_nested(run, template, instruction))
        return false;
    bool done = run_range(run, named, 0, named->count, place);
    run->nested--;
    return done;
}

// The block of this name among what a parent is given, or NULL.
static const struct instruction *find_argument(struct run *run, const struct arguments *arguments,
                                               const char *name)
{
    const struct template *template = arguments->template;
    const struct instruction *end = template->instructions + arguments->parent->target;
    const struct instruction *block = arguments->parent + 1;
    run->steps++;
    while (block < end && strcmp(program_name(template, block), name) != 0) {
        block = template->instructions + block->target;
        run->steps++;
    }
    return block < end ? block : NULL;
}

// A block that was given takes the place of this one, and of several the outermost: a template
// can fill what its parents leave open, and change what they have filled. What it sees is what is
// seen here, but the blocks within it belong to the template that it was written in.
static bool run_block(struct run *run, const struct template *template,
                      const struct instruction *instruction, struct place place)
{
    if (!enter_nested(run, template, instruction))
        return false;
    const char *name = program_name(template, instruction);
    const struct indent indent = own_indent(template, instruction, place.indent);
    const struct instruction *block = instruction;
    const struct arguments *arguments = place.arguments;
    for (; arguments; arguments = arguments->outer) {
        const struct instruction *given = find_argument(run, arguments, name);
        if (!given)
            continue;
        block = given;
        template = arguments->template;
        place.arguments = arguments->outer;
    }
    if (indent.size > 0)
        place.indent = &indent;
    uint32_t first = (uint32_t)(block - template->instructions) + 1;
    bool done = run_range(run, template, first, block->target, place);
    run->nested--;
    return done;
}

// ---- the program ----------------------------------------------------------------------------

static void start_line(struct run *run, const struct template *template,
                       const struct instruction *instruction, const struct indent *indent)
{
    if ((!indent && instruction->size == 0) || !is_at_line_begin(run))
        return;
    write_indent(run->out, indent);
    buffer_append(run->out, template->pool.data + instruction->offset, instruction->size);
}

static bool run_range(struct run *run, const struct template *template, uint32_t from, uint32_t to,
                      struct place place)
{
    uint32_t next = from;
    while (next < to) {
        const struct instruction *at = &template->instructions[next++];
        if (++run->steps > STEPS_MAX)
            return error_set(run->err, ERR_INPUT, "%s:%u: more than %d steps", template->file,
                             at->line, STEPS_MAX);
        switch (at->opcode) {
        case OP_TEXT:
            write_text(run->out, template->pool.data + at->offset, at->size, place.indent);
            break;
        case OP_INDENT:
            start_line(run, template, at, place.indent);
            break;
        case OP_VALUE:
            template_value_write(run->out, look_up(run, template, at), run->escapes);
            break;
        case OP_RAW:
            template_value_write(run->out, look_up(run, template, at), false);
            break;
        case OP_SECTION: {
            const json_t *value = look_up(run, template, at);
            if (!template_value_is_true(value))
                next = at->target;
            else if (!enter_section(run, value, template->file, at->line))
                return false;
            break;
        }
        case OP_INVERTED:
            if (template_value_is_true(look_up(run, template, at)))
                next = at->target;
            break;
        case OP_END:
            if (repeat_section(run))
                next = at->target;
            break;
        case OP_PARENT:
            next = at->target;
            if (!run_partial(run, template, at, place))
                return false;
            break;
        case OP_PARTIAL:
            if (!run_partial(run, template, at, place))
                return false;
            break;
        case OP_BLOCK:
            next = at->target;
            if (!run_block(run, template, at, place))
                return false;
            break;
        }
        if (run->out->failed)
            return error_set(run->err, ERR_INPUT, "%s:%u: the result is over %zu bytes",
                             template->file, at->line, run->out->limit_bytes);
    }
    return true;
}

bool template_render(const struct template *template, const json_t *view, struct buffer *out,
                     struct error *err)
{
    struct run run = {.out = out,
                      .out_begin = out->size,
                      .err = err,
                      .escapes = template->set->rules.mode == TEMPLATE_HTML,
                      .scope_count = 1};
    run.scopes[0].value = view;
    return run_range(&run, template, 0, template->count, (struct place){0});
}
