// Finds for each tag that opens something its end.
#include <string.h>

#include "templates/fault.h"
#include "templates/mustache/tags.h"

#define ARGUMENTS_MAX 64 // of one parent

static const char *sign_of(const struct tag *tag)
{
    switch (tag->kind) {
    case TAG_SECTION:
        return "#";
    case TAG_INVERTED:
        return "^";
    case TAG_PARENT:
        return tag->is_dynamic ? "<*" : "<";
    case TAG_BLOCK:
        return "$";
    case TAG_PARTIAL:
        return tag->is_dynamic ? ">*" : ">";
    case TAG_END:
        return tag->is_dynamic ? "/*" : "/";
    case TAG_RAW:
        return "&";
    case TAG_VALUE:
    case TAG_NOTE:
        break;
    }
    return "";
}

static bool same_name(const struct tag *a, const struct tag *b)
{
    return a->is_dynamic == b->is_dynamic && a->name.size == b->name.size &&
           memcmp(a->name.text, b->name.text, a->name.size) == 0;
}

// What a parent is given has one name each, or it would depend on the order which one counts.
static bool check_argument(const struct tags *tags, uint32_t index)
{
    const struct tag *tag = &tags->items[index];
    size_t count = 0;
    for (uint32_t i = tag->within + 1; i < index; i++) {
        const struct tag *other = &tags->items[i];
        if (other->kind != TAG_BLOCK)
            continue;
        if (same_name(other, tag))
            return fault_at(tags->faults, tags->file, tag->line,
                            "{{$%.*s}} is given twice, first in line %zu", (int)tag->name.size,
                            tag->name.text, other->line);
        if (++count == ARGUMENTS_MAX)
            return fault_at(tags->faults, tags->file, tag->line,
                            "more than %d blocks for one parent", ARGUMENTS_MAX);
        i = other->partner;
    }
    return true;
}

static bool open_tag(const struct tags *tags, uint32_t index, uint32_t *open, size_t *open_count)
{
    const struct tag *tag = &tags->items[index];
    if (*open_count == TAGS_NESTED_MAX)
        return fault_at(tags->faults, tags->file, tag->line,
                        "more than %d sections, parents and blocks within each other",
                        TAGS_NESTED_MAX);
    open[(*open_count)++] = index;
    return true;
}

static bool end_tag(struct tags *tags, uint32_t index, const uint32_t *open, size_t *open_count)
{
    struct tag *end = &tags->items[index];
    if (*open_count == 0)
        return fault_at(tags->faults, tags->file, end->line, "{{%s%.*s}} ends what was not begun",
                        sign_of(end), (int)end->name.size, end->name.text);
    uint32_t begun_index = open[--*open_count];
    struct tag *begun = &tags->items[begun_index];
    if (!same_name(begun, end))
        return fault_at(tags->faults, tags->file, end->line,
                        "{{%s%.*s}} ends, but what was begun last is {{%s%.*s}} in line %zu",
                        sign_of(end), (int)end->name.size, end->name.text, sign_of(begun),
                        (int)begun->name.size, begun->name.text, begun->line);
    begun->partner = index;
    end->partner = begun_index;
    end->within = begun->within;
    return true;
}

static bool nest_tag(struct tags *tags, uint32_t index, uint32_t *open, size_t *open_count)
{
    struct tag *tag = &tags->items[index];
    if (tag->kind == TAG_END)
        return end_tag(tags, index, open, open_count);
    if (*open_count > 0)
        tag->within = open[*open_count - 1];
    bool is_in_parent = *open_count > 0 && tags->items[tag->within].kind == TAG_PARENT;
    if (is_in_parent && tag->kind != TAG_BLOCK && tag->kind != TAG_NOTE)
        return fault_at(tags->faults, tags->file, tag->line,
                        "{{%s%.*s}} would be ignored: a parent takes blocks only, {{$name}}",
                        sign_of(tag), (int)tag->name.size, tag->name.text);
    if (is_in_parent && tag->kind == TAG_BLOCK && !check_argument(tags, index))
        return false;
    bool opens = tag->kind == TAG_SECTION || tag->kind == TAG_INVERTED || tag->kind == TAG_PARENT ||
                 tag->kind == TAG_BLOCK;
    return !opens || open_tag(tags, index, open, open_count);
}

bool tags_nest(struct tags *tags)
{
    uint32_t open[TAGS_NESTED_MAX];
    size_t open_count = 0;
    for (uint32_t i = 0; i < tags->count; i++) {
        if (!nest_tag(tags, i, open, &open_count))
            return false;
    }
    if (open_count == 0)
        return true;
    const struct tag *tag = &tags->items[open[open_count - 1]];
    return fault_at(tags->faults, tags->file, tag->line, "{{%s%.*s}} is never ended", sign_of(tag),
                    (int)tag->name.size, tag->name.text);
}

const struct tag *tags_block_around(const struct tags *tags, uint32_t index)
{
    uint32_t around = tags->items[index].within;
    while (around != TAGS_NONE && tags->items[around].kind != TAG_BLOCK)
        around = tags->items[around].within;
    return around == TAGS_NONE ? NULL : &tags->items[around];
}

bool tags_is_argument(const struct tags *tags, const struct tag *tag)
{
    return tag->kind == TAG_BLOCK && tag->within != TAGS_NONE &&
           tags->items[tag->within].kind == TAG_PARENT;
}
