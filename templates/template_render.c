// Runs a compiled template over a JSON view.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "templates/program.h"

#define PARTIALS_MAX 32   // within each other
#define SCOPES_MAX 128    // open sections, over all partials
#define STEPS_MAX 1000000 // sections that repeat without writing anything must end as well

// What names are looked up in: the view, and one more for each open section.
struct scope {
    const json_t *value;
    const json_t *list; // NULL: the section runs once
    size_t index;
};

struct run {
    struct buffer *out;
    struct error *err;
    enum template_mode mode;
    unsigned steps;
    unsigned partials;
    size_t scope_count;
    struct scope scopes[SCOPES_MAX];
};

// What goes before each line of a partial: that of the partial around it, and its own.
struct indent {
    const struct indent *outer;
    const char *text;
    size_t size;
};

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

// Quotes and the backtick end attribute values in one browser or another, and = begins one
// where quotes were forgotten.
static const char *const ESCAPES[256] = {
    ['&'] = "&amp;",  ['<'] = "&lt;",  ['>'] = "&gt;",  ['"'] = "&quot;",
    ['\''] = "&#39;", ['`'] = "&#96;", ['='] = "&#61;",
};

static void write_escaped(struct buffer *out, const char *text, size_t size)
{
    size_t clean = 0; // where what needs no escaping and is not written yet begins
    for (size_t i = 0; i < size; i++) {
        const char *escape = ESCAPES[(unsigned char)text[i]];
        if (!escape)
            continue;
        buffer_append(out, text + clean, i - clean);
        buffer_puts(out, escape);
        clean = i + 1;
    }
    buffer_append(out, text + clean, size - clean);
}

static void write_value(struct buffer *out, const json_t *value, bool escape)
{
    char number[64];
    if (!value)
        return;
    switch (json_typeof(value)) {
    case JSON_STRING:
        if (escape)
            write_escaped(out, json_string_value(value), json_string_length(value));
        else
            buffer_append(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        buffer_puts(out, number);
        break;
    case JSON_REAL:
        snprintf(number, sizeof(number), "%.15g", json_real_value(value));
        buffer_puts(out, number);
        break;
    case JSON_TRUE:
        buffer_puts(out, "true");
        break;
    case JSON_FALSE:
        buffer_puts(out, "false");
        break;
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
}

// The first part of a name is looked for in the innermost scope that has it; the others only
// within what was found.
static const json_t *look_up(const struct run *run, const struct template *template,
                             const struct instruction *instruction)
{
    if (instruction->size == 0)
        return run->scopes[run->scope_count - 1].value;

    const char *key = template->pool.data + instruction->offset;
    const json_t *value = NULL;
    for (size_t i = run->scope_count; i > 0 && !value; i--)
        value = json_object_get(run->scopes[i - 1].value, key);
    for (uint32_t part = 1; part < instruction->size && value; part++) {
        key += strlen(key) + 1;
        value = json_object_get(value, key);
    }
    return value;
}

static bool is_true(const json_t *value)
{
    if (!value)
        return false;
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_TRUE:
    case JSON_OBJECT:
        return true;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) < 0 || json_real_value(value) > 0;
    }
    return false;
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

static bool run_template(struct run *run, const struct template *template,
                         const struct indent *indent);

static bool run_partial(struct run *run, const struct template *template,
                        const struct instruction *instruction, const struct indent *outer)
{
    if (!instruction->partial)
        return true;
    if (run->partials == PARTIALS_MAX)
        return error_set(run->err, ERR_INPUT, "%s:%u: more than %d partials within each other",
                         template->file, instruction->line, PARTIALS_MAX);
    struct indent indent = {
        .outer = outer,
        .text = template->pool.data + instruction->offset,
        .size = instruction->size,
    };
    run->partials++;
    bool indented = instruction->standalone && (outer || indent.size > 0);
    bool done = run_template(run, instruction->partial, indented ? &indent : NULL);
    run->partials--;
    return done;
}

static bool run_template(struct run *run, const struct template *template,
                         const struct indent *indent)
{
    const bool escape = run->mode == TEMPLATE_HTML;
    uint32_t next = 0;
    while (next < template->count) {
        const struct instruction *at = &template->instructions[next++];
        if (++run->steps > STEPS_MAX)
            return error_set(run->err, ERR_INPUT, "%s:%u: more than %d steps", template->file,
                             at->line, STEPS_MAX);
        switch (at->opcode) {
        case OP_TEXT:
            write_text(run->out, template->pool.data + at->offset, at->size, indent);
            break;
        case OP_INDENT:
            write_indent(run->out, indent);
            break;
        case OP_VALUE:
            write_value(run->out, look_up(run, template, at), escape);
            break;
        case OP_RAW:
            write_value(run->out, look_up(run, template, at), false);
            break;
        case OP_SECTION: {
            const json_t *value = look_up(run, template, at);
            if (!is_true(value))
                next = at->target;
            else if (!enter_section(run, value, template->file, at->line))
                return false;
            break;
        }
        case OP_INVERTED:
            if (is_true(look_up(run, template, at)))
                next = at->target;
            break;
        case OP_END:
            if (repeat_section(run))
                next = at->target;
            break;
        case OP_PARTIAL:
            if (!run_partial(run, template, at, indent))
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
    struct run run = {.out = out, .err = err, .mode = template->mode, .scope_count = 1};
    run.scopes[0].value = view;
    return run_template(&run, template, NULL);
}
