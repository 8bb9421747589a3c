// Turns the source of a template into its program, line by line and tag by tag.
#include <stdlib.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/program.h"

#define DELIMITER_SIZE_MAX 8
#define NAME_SIZE_MAX 128
#define INSTRUCTIONS_MAX 100000

struct slice {
    const char *text;
    size_t size;
};

static const struct slice USUAL_OPEN = {"{{", 2};
static const struct slice USUAL_CLOSE = {"}}", 2};

struct open_section {
    struct slice name;
    uint32_t instruction;
    size_t line;
};

struct compiler {
    struct template *template;
    const struct template_rules *rules;
    json_t *faults;
    const char *at; // what comes next
    const char *end;
    const char *line_begin; // of the line that `at` is in
    size_t line;
    struct slice open, close; // delimiters
    uint32_t last_target;     // of a jump: no text may run on over it
    bool line_starts;         // nothing was compiled yet of the template's current line
    bool failed;              // there was a fault, perhaps one that need not stop us
    struct open_section sections[PROGRAM_SECTIONS_MAX];
    size_t section_count;
};

struct tag {
    char kind; // one of # ^ / > & { ! = and 0 for a plain value
    struct slice content;
    const char *begin;
    const char *end;
    size_t line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n' || c == '\r';
}

static struct slice trim(struct slice slice)
{
    while (slice.size > 0 && is_space(slice.text[0])) {
        slice.text++;
        slice.size--;
    }
    while (slice.size > 0 && is_space(slice.text[slice.size - 1]))
        slice.size--;
    return slice;
}

static bool same(struct slice a, struct slice b)
{
    return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

// ---- instructions ---------------------------------------------------------------------------

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
            fault_at(compiler->faults, template->file, line, "the template is too large");
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

// Marks that a line of the template begins at what is compiled next, unless a text runs on
// over it: OP_TEXT knows its own line starts.
static bool begin_line(struct compiler *compiler)
{
    if (!compiler->line_starts)
        return true;
    compiler->line_starts = false;
    return add_instruction(compiler, OP_INDENT, compiler->line);
}

static bool add_text(struct compiler *compiler, const char *text, size_t size)
{
    struct template *template = compiler->template;
    if (size == 0)
        return true;
    bool runs_on = template->count > compiler->last_target &&
                   template->instructions[template->count - 1].opcode == OP_TEXT;
    if (!runs_on) {
        bool empty_line = text[0] == '\n' || text[0] == '\r';
        if (!empty_line && !begin_line(compiler))
            return false;
        if (!add_instruction(compiler, OP_TEXT, compiler->line))
            return false;
    }
    struct instruction *last = &template->instructions[template->count - 1];
    buffer_append(&template->pool, text, size);
    last->size += (uint32_t)size;
    compiler->line_starts = text[size - 1] == '\n';
    return true;
}

// Puts a name into the pool, part by part, and says so in instruction.
static bool add_name(struct compiler *compiler, const struct tag *tag,
                     struct instruction *instruction)
{
    struct buffer *pool = &compiler->template->pool;
    const char *file = compiler->template->file;
    if (tag->content.size == 1 && tag->content.text[0] == '.')
        return true; // the implicit iterator: no parts

    struct slice rest = tag->content;
    while (true) {
        const char *dot = memchr(rest.text, '.', rest.size);
        size_t size = dot ? (size_t)(dot - rest.text) : rest.size;
        if (size == 0)
            return fault_at(compiler->faults, file, tag->line, "a name has an empty part: %.*s",
                            (int)tag->content.size, tag->content.text);
        buffer_append(pool, rest.text, size);
        buffer_putc(pool, '\0');
        instruction->size++;
        if (!dot)
            break;
        rest.text = dot + 1;
        rest.size -= size + 1;
    }

    const char *first = pool->failed ? "" : pool->data + instruction->offset;
    if (compiler->rules->known_names && !json_object_get(compiler->rules->known_names, first)) {
        fault_at(compiler->faults, file, tag->line, "there is no value named %s", first);
        compiler->failed = true;
    }
    return true;
}

// ---- tags -----------------------------------------------------------------------------------

static bool is_raw_allowed(const struct compiler *compiler, struct slice name)
{
    if (compiler->rules->mode == TEMPLATE_TEXT)
        return true;
    const char *const *names = compiler->rules->raw_names;
    for (; names && *names; names++) {
        if (same(name, (struct slice){*names, strlen(*names)}))
            return true;
    }
    return false;
}

static bool compile_value(struct compiler *compiler, const struct tag *tag)
{
    bool raw = tag->kind == '{' || tag->kind == '&';
    if (raw && !is_raw_allowed(compiler, tag->content)) {
        fault_at(compiler->faults, compiler->template->file, tag->line,
                 "%.*s may not stand unescaped in HTML: write it with two braces",
                 (int)tag->content.size, tag->content.text);
        compiler->failed = true;
    }
    struct instruction *value = add_instruction(compiler, raw ? OP_RAW : OP_VALUE, tag->line);
    return value && add_name(compiler, tag, value);
}

static bool compile_section(struct compiler *compiler, const struct tag *tag)
{
    struct template *template = compiler->template;
    if (compiler->section_count == PROGRAM_SECTIONS_MAX)
        return fault_at(compiler->faults, template->file, tag->line,
                        "more than %d sections within each other", PROGRAM_SECTIONS_MAX);
    compiler->sections[compiler->section_count++] = (struct open_section){
        .name = tag->content, .instruction = template->count, .line = tag->line};
    struct instruction *section =
        add_instruction(compiler, tag->kind == '#' ? OP_SECTION : OP_INVERTED, tag->line);
    return section && add_name(compiler, tag, section);
}

static bool compile_section_end(struct compiler *compiler, const struct tag *tag)
{
    struct template *template = compiler->template;
    if (compiler->section_count == 0)
        return fault_at(compiler->faults, template->file, tag->line,
                        "section %.*s ends but was not begun", (int)tag->content.size,
                        tag->content.text);
    const struct open_section *section = &compiler->sections[--compiler->section_count];
    if (!same(section->name, tag->content))
        return fault_at(compiler->faults, template->file, tag->line,
                        "section %.*s ends, but the one begun last is %.*s in line %zu",
                        (int)tag->content.size, tag->content.text, (int)section->name.size,
                        section->name.text, section->line);

    if (template->instructions[section->instruction].opcode == OP_SECTION) {
        struct instruction *end = add_instruction(compiler, OP_END, tag->line);
        if (!end)
            return false;
        end->target = section->instruction + 1;
    }
    template->instructions[section->instruction].target = template->count;
    compiler->last_target = template->count;
    return true;
}

static bool compile_partial(struct compiler *compiler, const struct tag *tag, bool standalone)
{
    struct buffer *pool = &compiler->template->pool;
    struct instruction *partial = add_instruction(compiler, OP_PARTIAL, tag->line);
    if (!partial)
        return false;
    partial->standalone = standalone;
    if (standalone) {
        partial->size = (uint32_t)(tag->begin - compiler->line_begin);
        buffer_append(pool, compiler->line_begin, partial->size);
    }
    buffer_append(pool, tag->content.text, tag->content.size);
    buffer_putc(pool, '\0');
    return true;
}

// {{=<% %>=}}
static bool compile_delimiters(struct compiler *compiler, const struct tag *tag)
{
    struct slice open = tag->content;
    open.size = 0;
    while (open.size < tag->content.size && !is_space(open.text[open.size]))
        open.size++;
    struct slice close = trim((struct slice){open.text + open.size, tag->content.size - open.size});

    bool valid = open.size > 0 && open.size <= DELIMITER_SIZE_MAX && close.size > 0 &&
                 close.size <= DELIMITER_SIZE_MAX;
    for (size_t i = 0; valid && i < open.size; i++)
        valid = open.text[i] != '=';
    for (size_t i = 0; valid && i < close.size; i++)
        valid = close.text[i] != '=' && !is_space(close.text[i]);
    if (!valid)
        return fault_at(compiler->faults, compiler->template->file, tag->line,
                        "delimiters are set as {{=<%% %%>=}}: two words, a space between");
    compiler->open = open;
    compiler->close = close;
    return true;
}

static bool check_name(struct compiler *compiler, const struct tag *tag)
{
    const char *file = compiler->template->file;
    if (tag->content.size == 0)
        return fault_at(compiler->faults, file, tag->line, "a tag has no name");
    if (tag->content.size > NAME_SIZE_MAX)
        return fault_at(compiler->faults, file, tag->line, "a name is longer than %d bytes",
                        NAME_SIZE_MAX);
    for (size_t i = 0; i < tag->content.size; i++) {
        if (is_space(tag->content.text[i]) || tag->content.text[i] == '\0')
            return fault_at(compiler->faults, file, tag->line, "a name has a space in it: %.*s",
                            (int)tag->content.size, tag->content.text);
    }
    if (strchr("$<*", tag->content.text[0]))
        return fault_at(compiler->faults, file, tag->line, "tags with %c are not understood",
                        tag->content.text[0]);
    return true;
}

static bool compile_tag(struct compiler *compiler, const struct tag *tag, bool standalone)
{
    if (tag->kind == '!')
        return true;
    if (tag->kind == '=')
        return compile_delimiters(compiler, tag);
    if (!check_name(compiler, tag))
        return false;
    switch (tag->kind) {
    case '#':
    case '^':
        return compile_section(compiler, tag);
    case '/':
        return compile_section_end(compiler, tag);
    case '>':
        return compile_partial(compiler, tag, standalone);
    default:
        return compile_value(compiler, tag);
    }
}

// ---- source ---------------------------------------------------------------------------------

// Reads the tag that begins at begin, where an opening delimiter is.
static bool read_tag(struct compiler *compiler, const char *begin, struct tag *ret_tag)
{
    const char *content = begin + compiler->open.size;
    const bool usual = same(compiler->open, USUAL_OPEN) && same(compiler->close, USUAL_CLOSE);
    struct tag tag = {.begin = begin, .line = compiler->line};
    if (content < compiler->end && *content && strchr(usual ? "#^/>&!={" : "#^/>&!=", *content))
        tag.kind = *content++;

    // {{{name}}} and {{=< >=}} have one more sign before the closing delimiter.
    char closing[DELIMITER_SIZE_MAX + 1];
    size_t closing_size = 0;
    if (tag.kind == '{' || tag.kind == '=')
        closing[closing_size++] = tag.kind == '{' ? '}' : '=';
    memcpy(closing + closing_size, compiler->close.text, compiler->close.size);
    closing_size += compiler->close.size;

    const char *close = memmem(content, (size_t)(compiler->end - content), closing, closing_size);
    if (!close)
        return fault_at(compiler->faults, compiler->template->file, tag.line,
                        "a tag is not closed");
    tag.content = trim((struct slice){content, (size_t)(close - content)});
    tag.end = close + closing_size;
    *ret_tag = tag;
    return true;
}

// Where the next line begins, if the tag has its lines to itself and is of a kind that may
// then leave no trace of them; else NULL.
static const char *find_standalone_end(const struct compiler *compiler, const struct tag *tag)
{
    if (tag->kind == '\0' || tag->kind == '&' || tag->kind == '{')
        return NULL;
    for (const char *at = compiler->line_begin; at < tag->begin; at++) {
        if (!is_blank(*at))
            return NULL;
    }
    const char *after = tag->end;
    while (after < compiler->end && is_blank(*after))
        after++;
    if (after == compiler->end)
        return after;
    if (*after == '\r' && after + 1 < compiler->end)
        after++;
    return *after == '\n' ? after + 1 : NULL;
}

// Moves on to position, counting lines.
static void advance(struct compiler *compiler, const char *position)
{
    while (true) {
        const char *newline = memchr(compiler->at, '\n', (size_t)(position - compiler->at));
        if (!newline)
            break;
        compiler->line++;
        compiler->at = compiler->line_begin = newline + 1;
    }
    compiler->at = position;
}

static bool compile_next(struct compiler *compiler)
{
    const char *text = compiler->at;
    const char *begin =
        memmem(text, (size_t)(compiler->end - text), compiler->open.text, compiler->open.size);
    if (!begin) {
        compiler->at = compiler->end;
        return add_text(compiler, text, (size_t)(compiler->end - text));
    }
    advance(compiler, begin);

    struct tag tag = {0};
    if (!read_tag(compiler, begin, &tag))
        return false;
    const char *standalone_end = find_standalone_end(compiler, &tag);
    // What is before the tag on its line counts as text, unless the line is to vanish. It may
    // be shorter than that: the line may have begun with what an earlier tag took along.
    const char *text_end = standalone_end ? compiler->line_begin : begin;
    if (text_end > text && !add_text(compiler, text, (size_t)(text_end - text)))
        return false;
    if (!standalone_end && !begin_line(compiler))
        return false;
    if (!compile_tag(compiler, &tag, standalone_end))
        return false;
    advance(compiler, standalone_end ? standalone_end : tag.end);
    return true;
}

bool program_compile(struct template *template, const struct template_rules *rules,
                     const char *source, size_t source_size, json_t *faults)
{
    struct compiler compiler = {
        .template = template,
        .rules = rules,
        .faults = faults,
        .at = source,
        .end = source + source_size,
        .line_begin = source,
        .line = 1,
        .open = USUAL_OPEN,
        .close = USUAL_CLOSE,
        .line_starts = true,
    };
    while (compiler.at < compiler.end) {
        if (!compile_next(&compiler))
            return false;
    }
    if (compiler.section_count > 0) {
        const struct open_section *section = &compiler.sections[compiler.section_count - 1];
        return fault_at(faults, template->file, section->line, "section %.*s is never ended",
                        (int)section->name.size, section->name.text);
    }
    if (template->pool.failed)
        return fault_at(faults, template->file, 0, "out of memory");
    return !compiler.failed;
}
