// Turns the source of a template into its program, tag by tag.
#include <stdlib.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/mustache/program.h"
#include "templates/mustache/tags.h"

#define INSTRUCTIONS_MAX (256 * 1024)

static const struct slice NOTHING = {NULL, 0};

struct compiler {
    struct template *template;
    struct tags tags;
    struct slice strip;     // what lines lose: those of the block that we are in
    uint32_t last_target;   // of a jump: no text may run on over it
    bool line_starts;       // nothing was compiled yet of the template's current line,
    uint32_t indent_offset; // but, where this has a size, a block whose indentation it is
    uint32_t indent_size;
};

// ---- instructions ---------------------------------------------------------------------------

// NULL, and a fault, where there are too many.
static struct instruction *add_instruction(struct compiler *compiler, enum opcode opcode,
                                           size_t line)
{
    struct template *template = compiler->template;
    if (template->count == template->capacity) {
        uint32_t capacity = template->capacity ? template->capacity * 2 : 32;
        struct instruction *instructions =
            capacity > INSTRUCTIONS_MAX
                ? NULL
                : reallocarray(template->instructions, capacity, sizeof(*instructions));
        if (!instructions) {
            fault_at(compiler->tags.faults, template->file, line, "the template is too large");
            return NULL;
        }
        template->instructions = instructions;
        template->capacity = capacity;
    }
    struct instruction *instruction = &template->instructions[template->count++];
    *instruction = (struct instruction){
        .opcode = opcode, .line = (uint32_t)line, .offset = (uint32_t) template->pool.size};
    return instruction;
}

static void start_line(struct compiler *compiler, bool starts)
{
    compiler->line_starts = starts;
    compiler->indent_size = 0;
}

// Marks that a line of the template begins at what is compiled next, unless a text runs on
// over it: OP_TEXT knows its own line starts.
static bool begin_line(struct compiler *compiler, size_t line)
{
    if (!compiler->line_starts)
        return true;
    struct instruction *indent = add_instruction(compiler, OP_INDENT, line);
    if (!indent)
        return false;
    indent->offset = compiler->indent_offset;
    indent->size = compiler->indent_size;
    start_line(compiler, false);
    return true;
}

// Text that has no more to lose.
static bool add_text(struct compiler *compiler, const char *text, size_t size, size_t line)
{
    struct template *template = compiler->template;
    if (size == 0)
        return true;
    bool runs_on = template->count > compiler->last_target &&
                   template->instructions[template->count - 1].opcode == OP_TEXT;
    if (!runs_on) {
        bool is_empty_line = text[0] == '\n' || text[0] == '\r';
        if (!is_empty_line && !begin_line(compiler, line))
            return false;
        if (!add_instruction(compiler, OP_TEXT, line))
            return false;
    }
    struct instruction *last = &template->instructions[template->count - 1];
    buffer_append(&template->pool, text, size);
    last->size += (uint32_t)size;
    start_line(compiler, text[size - 1] == '\n');
    return true;
}

static bool add_lines(struct compiler *compiler, const char *from, const char *to, size_t line)
{
    if (compiler->strip.size == 0)
        return from >= to || add_text(compiler, from, (size_t)(to - from), line);
    while (from < to) {
        const char *newline = memchr(from, '\n', (size_t)(to - from));
        const char *stop = newline ? newline + 1 : to;
        // A blank line may be shorter than what all others begin with.
        if (tags_line_begins_at(&compiler->tags, from)) {
            for (size_t i = 0; i < compiler->strip.size && from < stop && is_blank(*from); i++)
                from++;
        }
        if (!add_text(compiler, from, (size_t)(stop - from), line))
            return false;
        from = stop;
    }
    return true;
}

static void add_part(struct compiler *compiler, struct instruction *instruction, const char *text,
                     size_t size)
{
    struct buffer *pool = &compiler->template->pool;
    buffer_putc(pool, (char)size); // a name has 128 bytes at most
    buffer_append(pool, text, size);
    buffer_putc(pool, '\0');
    instruction->name_parts++;
}

// Puts a name into the pool, part by part where it is looked up.
static void add_name(struct compiler *compiler, const struct tag *tag,
                     struct instruction *instruction, bool is_looked_up)
{
    struct slice rest = tag->name;
    instruction->name = (uint32_t)compiler->template->pool.size;
    if (is_looked_up && rest.size == 1 && rest.text[0] == '.')
        return; // the implicit iterator: no parts
    const char *dot;
    while (is_looked_up && (dot = memchr(rest.text, '.', rest.size))) {
        size_t size = (size_t)(dot - rest.text);
        add_part(compiler, instruction, rest.text, size);
        rest.text += size + 1;
        rest.size -= size + 1;
    }
    add_part(compiler, instruction, rest.text, rest.size);
}

static void add_indent(struct compiler *compiler, const struct tag *tag,
                       struct instruction *instruction)
{
    struct slice indent = tag->indent;
    if (!tag->begins_line)
        return;
    if (tags_line_begins_at(&compiler->tags, indent.text)) {
        indent.text += compiler->strip.size;
        indent.size -= compiler->strip.size;
    }
    instruction->size = (uint32_t)indent.size;
    buffer_append(&compiler->template->pool, indent.text, indent.size);
}

// ---- tags -----------------------------------------------------------------------------------

static bool compile_value(struct compiler *compiler, const struct tag *tag)
{
    if (!begin_line(compiler, tag->line))
        return false;
    struct instruction *value =
        add_instruction(compiler, tag->kind == TAG_RAW ? OP_RAW : OP_VALUE, tag->line);
    if (value)
        add_name(compiler, tag, value, true);
    return value;
}

static bool compile_section(struct compiler *compiler, struct tag *tag)
{
    if (!tag->is_alone && !begin_line(compiler, tag->line))
        return false;
    tag->instruction = compiler->template->count;
    struct instruction *section =
        add_instruction(compiler, tag->kind == TAG_SECTION ? OP_SECTION : OP_INVERTED, tag->line);
    if (section)
        add_name(compiler, tag, section, true);
    return section;
}

static bool compile_section_end(struct compiler *compiler, const struct tag *tag,
                                const struct tag *section)
{
    if (!tag->is_alone && !begin_line(compiler, tag->line))
        return false;
    if (section->kind == TAG_SECTION) {
        struct instruction *end = add_instruction(compiler, OP_END, tag->line);
        if (!end)
            return false;
        end->target = section->instruction + 1;
    }
    return true;
}

// A partial, a parent, or the place of a block: lines that stand elsewhere come here.
static bool compile_place(struct compiler *compiler, struct tag *tag, enum opcode opcode)
{
    if (!tag->begins_line && !begin_line(compiler, tag->line))
        return false;
    tag->instruction = compiler->template->count;
    struct instruction *place = add_instruction(compiler, opcode, tag->line);
    if (!place)
        return false;
    place->begins_line = tag->begins_line;
    place->is_dynamic = tag->is_dynamic;
    add_indent(compiler, tag, place);
    add_name(compiler, tag, place, tag->is_dynamic);
    return true;
}

static bool compile_block(struct compiler *compiler, struct tag *tag)
{
    if (tags_is_argument(&compiler->tags, tag)) {
        tag->instruction = compiler->template->count;
        struct instruction *argument = add_instruction(compiler, OP_BLOCK, tag->line);
        if (!argument)
            return false;
        argument->is_argument = true;
        add_name(compiler, tag, argument, false);
    } else if (!compile_place(compiler, tag, OP_BLOCK)) {
        return false;
    }
    compiler->strip = tag->strip;
    // Whether a line really begins there is seen when the block is put somewhere.
    start_line(compiler, true);
    return true;
}

static void end_block(struct compiler *compiler, const struct tag *tag, const struct tag *block)
{
    const struct instruction *place = &compiler->template->instructions[block->instruction];
    start_line(compiler, tag->begins_line || block->begins_line);
    if (tag->is_alone)
        return;
    // A line that begins with a block goes on behind it, unless the block was empty.
    compiler->indent_offset = place->offset;
    compiler->indent_size = place->size;
}

static bool compile_end(struct compiler *compiler, uint32_t index)
{
    const struct tag *tag = &compiler->tags.items[index];
    const struct tag *begun = &compiler->tags.items[tag->partner];
    const struct tag *around = tags_block_around(&compiler->tags, index);
    if (begun->kind == TAG_BLOCK)
        end_block(compiler, tag, begun);
    else if (begun->kind == TAG_PARENT)
        start_line(compiler, tag->after > tag->end && tag->after[-1] == '\n');
    else if (!compile_section_end(compiler, tag, begun))
        return false;
    compiler->strip = around ? around->strip : NOTHING;
    compiler->last_target = compiler->template->count;
    compiler->template->instructions[begun->instruction].target = compiler->last_target;
    return true;
}

static bool compile_tag(struct compiler *compiler, uint32_t index)
{
    struct tag *tag = &compiler->tags.items[index];
    switch (tag->kind) {
    case TAG_VALUE:
    case TAG_RAW:
        return compile_value(compiler, tag);
    case TAG_SECTION:
    case TAG_INVERTED:
        return compile_section(compiler, tag);
    case TAG_PARTIAL:
        return compile_place(compiler, tag, OP_PARTIAL);
    case TAG_PARENT:
        return compile_place(compiler, tag, OP_PARENT);
    case TAG_BLOCK:
        return compile_block(compiler, tag);
    case TAG_END:
        return compile_end(compiler, index);
    case TAG_NOTE:
        break;
    }
    return true;
}

// Whether what stands directly before the tag is ignored: all in a parent that is not in one of
// its blocks.
static bool is_ignored_before(const struct tags *tags, const struct tag *tag)
{
    uint32_t within = tag->kind == TAG_END ? tag->partner : tag->within;
    return within != TAGS_NONE && tags->items[within].kind == TAG_PARENT;
}

static bool compile_tags(struct compiler *compiler)
{
    const struct tags *tags = &compiler->tags;
    const char *from = tags->source;
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct tag *tag = &tags->items[i];
        if (!is_ignored_before(tags, tag) && !add_lines(compiler, from, tag->before, tag->line))
            return false;
        if (!compile_tag(compiler, i))
            return false;
        from = tag->after;
    }
    return add_lines(compiler, from, tags->end, tags->lines);
}

bool program_compile(struct template *template, const struct template_rules *rules,
                     const char *source, size_t source_size, json_t *faults)
{
    struct compiler compiler = {
        .template = template,
        .tags = {.file = template->file,
                 .faults = faults,
                 .source = source,
                 .end = source + source_size},
        .line_starts = true,
    };
    bool compiled = tags_scan(&compiler.tags, rules) && tags_nest(&compiler.tags);
    if (compiled) {
        tags_lay_out(&compiler.tags);
        compiled = compile_tags(&compiler);
    }
    tags_finish(&compiler.tags);
    if (template->pool.failed)
        return fault_at(faults, template->file, 0, "out of memory");
    template->is_whole = compiled;
    return compiled && !compiler.tags.has_bad_names;
}
