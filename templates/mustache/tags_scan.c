// Finds the tags of a source, and judges their names and delimiters.
#include <stdlib.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/mustache/tags.h"

#define DELIMITER_SIZE_MAX 8
#define NAME_SIZE_MAX 128
#define TAGS_MAX 65536

static const struct slice USUAL_OPEN = {"{{", 2};
static const struct slice USUAL_CLOSE = {"}}", 2};

struct scanner {
    struct tags *tags;
    const struct template_rules *rules;
    const char *at;         // what comes next
    const char *line_begin; // of the line that `at` is in
    size_t line;
    struct slice open, close; // delimiters
};

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

static struct tag *add_tag(struct scanner *scanner, const char *begin)
{
    struct tags *tags = scanner->tags;
    if (tags->count == tags->capacity) {
        uint32_t capacity = tags->capacity ? tags->capacity * 2 : 64;
        struct tag *items =
            capacity > TAGS_MAX ? NULL : reallocarray(tags->items, capacity, sizeof(*items));
        if (!items) {
            fault_at(tags->faults, tags->file, scanner->line, "the template is too large");
            return NULL;
        }
        tags->items = items;
        tags->capacity = capacity;
    }
    struct tag *tag = &tags->items[tags->count++];
    *tag = (struct tag){.begin = begin,
                        .line_begin = scanner->line_begin,
                        .line = scanner->line,
                        .partner = TAGS_NONE,
                        .within = TAGS_NONE};
    return tag;
}

// ---- names ----------------------------------------------------------------------------------

// Of a name that is looked up in the view.
static bool check_parts(struct scanner *scanner, const struct tag *tag)
{
    const struct tags *tags = scanner->tags;
    const struct slice name = tag->name;
    if (name.size == 1 && name.text[0] == '.')
        return true; // the implicit iterator
    for (size_t i = 0; i < name.size; i++) {
        if (name.text[i] == '.' && (i == 0 || name.text[i - 1] == '.' || i + 1 == name.size))
            return fault_at(tags->faults, tags->file, tag->line, "a name has an empty part: %.*s",
                            (int)name.size, name.text);
    }
    return true;
}

static void check_raw(struct scanner *scanner, const struct tag *tag)
{
    if (scanner->rules->mode == TEMPLATE_TEXT)
        return;
    const char *const *names = scanner->rules->raw_names;
    for (; names && *names; names++) {
        if (same(tag->name, (struct slice){*names, strlen(*names)}))
            return;
    }
    fault_at(scanner->tags->faults, scanner->tags->file, tag->line,
             "%.*s may not stand unescaped in HTML: write it with two braces", (int)tag->name.size,
             tag->name.text);
    scanner->tags->has_bad_names = true;
}

static bool check_characters(const struct tags *tags, const struct tag *tag)
{
    if (tag->name.size == 0)
        return fault_at(tags->faults, tags->file, tag->line, "a tag has no name");
    if (tag->name.size > NAME_SIZE_MAX)
        return fault_at(tags->faults, tags->file, tag->line, "a name is longer than %d bytes",
                        NAME_SIZE_MAX);
    for (size_t i = 0; i < tag->name.size; i++) {
        if (is_space(tag->name.text[i]) || tag->name.text[i] == '\0')
            return fault_at(tags->faults, tags->file, tag->line, "a name has a space in it: %.*s",
                            (int)tag->name.size, tag->name.text);
    }
    return true;
}

static bool check_name(struct scanner *scanner, struct tag *tag)
{
    const struct tags *tags = scanner->tags;
    if (tag->name.size > 0 && tag->name.text[0] == '*') {
        if (tag->kind != TAG_PARTIAL && tag->kind != TAG_PARENT && tag->kind != TAG_END)
            return fault_at(tags->faults, tags->file, tag->line,
                            "only {{>*name}} and {{<*name}} are named by a value");
        tag->is_dynamic = true;
        tag->name = trim((struct slice){tag->name.text + 1, tag->name.size - 1});
    }
    if (!check_characters(tags, tag))
        return false;
    if (tag->kind == TAG_RAW)
        check_raw(scanner, tag);
    bool is_looked_up = tag->kind == TAG_VALUE || tag->kind == TAG_RAW ||
                        tag->kind == TAG_SECTION || tag->kind == TAG_INVERTED ||
                        (tag->is_dynamic && tag->kind != TAG_END);
    return !is_looked_up || check_parts(scanner, tag);
}

// ---- tags -----------------------------------------------------------------------------------

// {{=<% %>=}}
static bool set_delimiters(struct scanner *scanner, struct slice content, size_t line)
{
    struct slice open = {content.text, 0};
    while (open.size < content.size && !is_space(open.text[open.size]))
        open.size++;
    struct slice close = trim((struct slice){open.text + open.size, content.size - open.size});

    bool valid = open.size > 0 && open.size <= DELIMITER_SIZE_MAX && close.size > 0 &&
                 close.size <= DELIMITER_SIZE_MAX;
    for (size_t i = 0; valid && i < open.size; i++)
        valid = open.text[i] != '=';
    for (size_t i = 0; valid && i < close.size; i++)
        valid = close.text[i] != '=' && !is_space(close.text[i]);
    if (!valid)
        return fault_at(scanner->tags->faults, scanner->tags->file, line,
                        "delimiters are set as {{=<%% %%>=}}: two words, a space between");
    scanner->open = open;
    scanner->close = close;
    return true;
}

// TAG_VALUE where sign begins a name.
static enum tag_kind kind_of(char sign)
{
    switch (sign) {
    case '#':
        return TAG_SECTION;
    case '^':
        return TAG_INVERTED;
    case '/':
        return TAG_END;
    case '>':
        return TAG_PARTIAL;
    case '<':
        return TAG_PARENT;
    case '$':
        return TAG_BLOCK;
    case '&':
    case '{':
        return TAG_RAW;
    case '!':
    case '=':
        return TAG_NOTE;
    default:
        return TAG_VALUE;
    }
}

// Reads the tag at `at`, where an opening delimiter is.
static bool scan_tag(struct scanner *scanner)
{
    struct tags *tags = scanner->tags;
    struct tag *tag = add_tag(scanner, scanner->at);
    if (!tag)
        return false;
    const char *content = tag->begin + scanner->open.size;
    // Three braces are a tag of their own only beside the usual two.
    const bool usual = same(scanner->open, USUAL_OPEN) && same(scanner->close, USUAL_CLOSE);
    char sign = content < tags->end ? *content : '\0';
    if (sign == '{' && !usual)
        sign = '\0';
    tag->kind = kind_of(sign);
    if (tag->kind != TAG_VALUE)
        content++;

    // {{{name}}} and {{=< >=}} have one more sign before the closing delimiter.
    char closing[DELIMITER_SIZE_MAX + 1];
    size_t closing_size = 0;
    if (sign == '{' || sign == '=')
        closing[closing_size++] = sign == '{' ? '}' : '=';
    memcpy(closing + closing_size, scanner->close.text, scanner->close.size);
    closing_size += scanner->close.size;

    const char *close = memmem(content, (size_t)(tags->end - content), closing, closing_size);
    if (!close)
        return fault_at(tags->faults, tags->file, tag->line, "a tag is not closed");
    tag->name = trim((struct slice){content, (size_t)(close - content)});
    tag->end = close + closing_size;
    if (tag->kind == TAG_NOTE)
        return sign == '!' || set_delimiters(scanner, tag->name, tag->line);
    return check_name(scanner, tag);
}

// Moves on to position, counting lines.
static void advance(struct scanner *scanner, const char *position)
{
    while (true) {
        const char *newline = memchr(scanner->at, '\n', (size_t)(position - scanner->at));
        if (!newline)
            break;
        scanner->line++;
        scanner->at = scanner->line_begin = newline + 1;
    }
    scanner->at = position;
}

bool tags_scan(struct tags *tags, const struct template_rules *rules)
{
    struct scanner scanner = {.tags = tags,
                              .rules = rules,
                              .at = tags->source,
                              .line_begin = tags->source,
                              .line = 1,
                              .open = USUAL_OPEN,
                              .close = USUAL_CLOSE};
    while (true) {
        const char *begin = memmem(scanner.at, (size_t)(tags->end - scanner.at), scanner.open.text,
                                   scanner.open.size);
        advance(&scanner, begin ? begin : tags->end);
        tags->lines = scanner.line;
        if (!begin)
            return true;
        if (!scan_tag(&scanner))
            return false;
        advance(&scanner, tags->items[tags->count - 1].end);
    }
}

void tags_finish(struct tags *tags)
{
    free(tags->items);
    tags->items = NULL;
}
