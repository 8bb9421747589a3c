// What tags do to the lines they stand on: which of these vanish, and how far the lines that
// come in a tag's place are indented.
//
// The indentation of a block's lines belongs to the place, not to the block: the lines lose
// what all of them begin with, and where they are put they get that of the place. So what a
// parent is given may be written as deep as it stands, and a block that nobody fills comes out
// as it was written.
#include <string.h>

#include "templates/mustache/tags.h"

static bool is_blank_between(const char *from, const char *to)
{
    for (; from < to; from++) {
        if (!is_blank(*from))
            return false;
    }
    return true;
}

static struct slice slice_between(const char *from, const char *to)
{
    return (struct slice){from, (size_t)(to - from)};
}

// Where the next line begins, if only blanks are before it; else NULL. The end of the source
// ends its line as well.
static const char *skip_line_end(const struct tags *tags, const char *at)
{
    while (at < tags->end && is_blank(*at))
        at++;
    if (at == tags->end)
        return at;
    if (*at == '\r' && at + 1 < tags->end)
        at++;
    return *at == '\n' ? at + 1 : NULL;
}

static bool is_first_on_line(const struct tag *tag)
{
    return is_blank_between(tag->line_begin, tag->begin);
}

// Sections, partials and notes: alone on their line or not.
static void lay_out_simple(const struct tags *tags, struct tag *tag)
{
    const char *next_line = skip_line_end(tags, tag->end);
    tag->is_alone = is_first_on_line(tag) && next_line;
    if (!tag->is_alone)
        return;
    tag->before = tag->line_begin;
    tag->after = next_line;
    tag->begins_line = true;
    tag->indent = slice_between(tag->line_begin, tag->begin);
}

// ---- parents and blocks: these may share a line, and still have it for themselves -----------

// Where the blanks begin that are all there is before the tag, on its line or in its block; or
// NULL.
static const char *find_lead(const struct tags *tags, uint32_t index)
{
    const struct tag *tag = &tags->items[index];
    const char *from = tag->line_begin;
    if (index > 0 && tag[-1].kind == TAG_BLOCK && tag[-1].end > from)
        from = tag[-1].end;
    return is_blank_between(from, tag->begin) ? from : NULL;
}

// Where text goes on behind an end that is the last on its line, or in its block; or NULL.
static const char *find_trail(const struct tags *tags, uint32_t index)
{
    const struct tag *tag = &tags->items[index];
    const char *next_line = skip_line_end(tags, tag->end);
    if (next_line || index + 1 == tags->count)
        return next_line;
    bool ends_block = tag[1].kind == TAG_END && tags->items[tag[1].partner].kind == TAG_BLOCK;
    return ends_block && is_blank_between(tag->end, tag[1].begin) ? tag[1].begin : NULL;
}

// What stands in a parent does not count, so one that begins and ends in a line may have it for
// itself.
static void lay_out_parent(struct tags *tags, uint32_t index)
{
    struct tag *parent = &tags->items[index];
    struct tag *end = &tags->items[parent->partner];
    const char *lead = find_lead(tags, index);
    const char *trail = find_trail(tags, parent->partner);
    bool is_one_line = end->line_begin < parent->end;
    parent->begins_line = lead && (trail || !is_one_line);
    if (parent->begins_line) {
        parent->before = lead;
        parent->indent = slice_between(lead, parent->begin);
    }
    if (trail && (parent->begins_line || !is_one_line))
        end->after = trail;
}

static void lay_out_block(struct tags *tags, uint32_t index)
{
    struct tag *block = &tags->items[index];
    struct tag *end = &tags->items[block->partner];
    const char *next_line = skip_line_end(tags, block->end);
    const char *trail = find_trail(tags, block->partner);
    // What is around an argument does not count.
    bool is_argument = tags_is_argument(tags, block);
    const char *lead = find_lead(tags, index);
    block->is_alone = next_line && (lead || is_argument);
    // What its first line begins with, for the other lines to be compared with.
    if (!block->is_alone && lead != block->line_begin)
        lead = NULL;
    if (lead) {
        block->begins_line = true;
        block->before = lead;
        block->indent = slice_between(lead, block->begin);
    }
    if (block->is_alone)
        block->after = next_line;
    end->begins_line = is_first_on_line(end);
    end->is_alone = end->begins_line && (trail || is_argument);
    if (end->is_alone) {
        end->before = end->line_begin;
        if (trail)
            end->after = trail;
    }
}

// ---- what the lines of a block have in common -----------------------------------------------

static void keep_common(struct slice *common, struct slice blanks)
{
    if (!common->text)
        *common = blanks;
    size_t size = 0;
    while (size < common->size && size < blanks.size && common->text[size] == blanks.text[size])
        size++;
    common->size = size;
}

// A line that begins with a tag, and blanks before it.
static void keep_common_of_tag(struct slice *common, const struct tag *tag, struct slice blanks)
{
    bool has_place = tag->kind == TAG_PARTIAL || tag->kind == TAG_PARENT || tag->kind == TAG_BLOCK;
    if (has_place && tag->begins_line)
        keep_common(common, tag->indent);
    else if (!tag->is_alone)
        keep_common(common, blanks);
}

// Of all lines that begin in the text between from and to, where next stands. Those that are
// blank have no say.
static void keep_common_of_text(const struct tags *tags, struct slice *common, const char *from,
                                const char *to, const struct tag *next)
{
    while (from <= to) {
        const char *at = from;
        while (at < to && is_blank(*at))
            at++;
        if (tags_line_begins_at(tags, from)) {
            if (at == to)
                keep_common_of_tag(common, next, slice_between(from, at));
            else if (*at != '\n' && *at != '\r')
                keep_common(common, slice_between(from, at));
        }
        const char *newline = at < to ? memchr(at, '\n', (size_t)(to - at)) : NULL;
        if (!newline)
            break;
        from = newline + 1;
    }
}

// Finds what the lines of a block lose, and are given in its place. The blocks within it have
// theirs already.
static void find_strip(struct tags *tags, uint32_t index)
{
    struct tag *block = &tags->items[index];
    // The line that an inline block begins in is its first.
    struct slice common = {0};
    if (!block->is_alone)
        common = block->indent;
    for (uint32_t i = index; i < block->partner; i++) {
        // What a parent is given is put elsewhere.
        if (tags->items[i].kind == TAG_PARENT)
            i = tags->items[i].partner;
        const struct tag *next = &tags->items[i + 1];
        keep_common_of_text(tags, &common, tags->items[i].after, next->before, next);
    }
    if (block->is_alone) {
        if (common.text)
            block->indent = common;
        block->strip = block->indent;
    } else if (block->begins_line && common.size == block->indent.size) {
        block->strip = common;
    } else {
        // A line stands further left than the block begins, so all of them stay as they are.
        block->begins_line = false;
        block->before = block->begin;
        block->indent = (struct slice){0};
    }
}

void tags_lay_out(struct tags *tags)
{
    bool has_blocks = false;
    for (uint32_t i = 0; i < tags->count; i++) {
        tags->items[i].before = tags->items[i].begin;
        tags->items[i].after = tags->items[i].end;
    }
    for (uint32_t i = 0; i < tags->count; i++) {
        struct tag *tag = &tags->items[i];
        enum tag_kind kind = tag->kind == TAG_END ? tags->items[tag->partner].kind : tag->kind;
        if (kind == TAG_VALUE || kind == TAG_RAW)
            continue;
        if (kind != TAG_PARENT && kind != TAG_BLOCK)
            lay_out_simple(tags, tag);
        else if (tag->kind == TAG_PARENT)
            lay_out_parent(tags, i);
        else if (tag->kind == TAG_BLOCK)
            lay_out_block(tags, i);
        has_blocks |= kind == TAG_BLOCK;
    }
    if (!has_blocks)
        return;
    for (uint32_t i = tags->count; i-- > 0;) {
        if (tags->items[i].kind == TAG_BLOCK)
            find_strip(tags, i);
    }
    // Where a block keeps its lines as they are, they still lose what the block around it loses.
    for (uint32_t i = 0; i < tags->count; i++) {
        struct tag *tag = &tags->items[i];
        const struct tag *around = tags_block_around(tags, i);
        if (tag->kind == TAG_BLOCK && !tag->strip.text && around && !tags_is_argument(tags, tag))
            tag->strip = around->strip;
    }
}
