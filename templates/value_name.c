// A person's name out of a payload: cleaned, cut, and then judged by name_check.h.
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include "relay/base/utf8.h"
#include "templates/name_check.h"
#include "templates/value.h"

#define POINTS_MAX 256 // without what was taken out; behind them nothing is read
#define CHARACTERS_MAX 64
#define SEEN_MAX 96 // code points that take space, for one character may have many
#define CHAIN_MAX 3 // joiners in one emoji; a family of four has that many
#define MARKS_MAX 4 // on one letter; Hebrew, Thai and Vietnamese have up to three

#define ZWNJ 0x200c
#define ZWJ 0x200d
#define EMOJI_STYLE 0xfe0f

struct name {
    UChar32 points[POINTS_MAX];
    size_t count;
    bool is_whole; // there was no more
};

// ---- taking out -----------------------------------------------------------------------------

static bool is_space(UChar32 point)
{
    return u_isUWhiteSpace(point) || point == 0x2800; // a Braille cell without dots
}

// What is not seen, what turns the direction of others, what each machine draws as it likes.
static bool is_unfit(UChar32 point)
{
    return (U_GET_GC_MASK(point) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CO_MASK)) ||
           U_IS_UNICODE_NONCHAR(point) ||
           u_hasBinaryProperty(point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) || point == 0xfffc;
}

static bool is_emoji(UChar32 point)
{
    return point >= 0x80 && u_hasBinaryProperty(point, UCHAR_EMOJI);
}

static bool is_stacked(UChar32 point)
{
    return U_GET_GC_MASK(point) & (U_GC_MN_MASK | U_GC_ME_MASK);
}

// True where name, whose last letter has that many marks, may go on with point.
static bool takes(const struct name *name, size_t marks, UChar32 point)
{
    bool is_first = name->count == 0 || name->points[name->count - 1] == ' ';
    if (is_space(point) || point == ZWJ || point == ZWNJ)
        return !is_first;
    if (point == EMOJI_STYLE)
        return !is_first && is_emoji(name->points[name->count - 1]);
    // A mark without a letter would sit on what is before the name.
    if (is_stacked(point))
        return !is_first && marks < MARKS_MAX && !is_unfit(point);
    return !is_unfit(point);
}

static void read_points(const json_t *value, struct name *ret_name)
{
    const char *text = json_string_value(value);
    const char *end = text + json_string_length(value);
    size_t marks = 0;
    ret_name->count = 0;
    while (text < end && ret_name->count < POINTS_MAX) {
        uint32_t decoded;
        text += utf8_decode(text, (size_t)(end - text), &decoded);
        UChar32 point = (UChar32)decoded;
        if (!takes(ret_name, marks, point))
            continue;
        if (is_stacked(point))
            marks++;
        else if (point != ZWJ && point != ZWNJ) // which may yet go
            marks = 0;
        ret_name->points[ret_name->count++] = is_space(point) ? ' ' : point;
    }
    ret_name->is_whole = text == end;
}

// ---- joiners --------------------------------------------------------------------------------

static bool is_joining(UChar32 point, UJoiningType one, UJoiningType other)
{
    int32_t type = u_getIntPropertyValue(point, UCHAR_JOINING_TYPE);
    return type == (int32_t)one || type == (int32_t)other;
}

static bool is_transparent(UChar32 point)
{
    return u_getIntPropertyValue(point, UCHAR_JOINING_TYPE) == U_JT_TRANSPARENT;
}

// How many joiners the emoji has that ends before end, each between two pictures.
static size_t count_chain(const struct name *name, size_t end)
{
    size_t joiners = 0;
    for (;; joiners++) {
        while (end > 0 && (name->points[end - 1] == EMOJI_STYLE ||
                           u_hasBinaryProperty(name->points[end - 1], UCHAR_EMOJI_MODIFIER)))
            end--;
        if (end < 2 || !u_hasBinaryProperty(name->points[end - 1], UCHAR_EXTENDED_PICTOGRAPHIC) ||
            name->points[end - 2] != ZWJ)
            break;
        end -= 2;
    }
    return joiners;
}

// The joiner at index in name is one that the script or the emoji around it has: RFC 5892 A.1 and
// A.2, and Unicode's emoji sequences. kept: what of name before it stays.
static bool has_use(const struct name *name, size_t index, size_t kept)
{
    size_t before = kept;
    size_t behind = index + 1;
    if (kept == 0 || behind == name->count)
        return false;
    UChar32 last = name->points[kept - 1];
    // After a virama it chooses between a half letter and a joined one: Sinhala's "Sri" has one.
    if (u_getCombiningClass(last) == 9)
        return u_isalpha(name->points[behind]);
    if (name->points[index] == ZWJ) {
        while (before > 1 && (name->points[before - 1] == EMOJI_STYLE ||
                              u_hasBinaryProperty(name->points[before - 1], UCHAR_EMOJI_MODIFIER)))
            before--;
        return u_hasBinaryProperty(name->points[before - 1], UCHAR_EXTENDED_PICTOGRAPHIC) &&
               u_hasBinaryProperty(name->points[behind], UCHAR_EXTENDED_PICTOGRAPHIC) &&
               count_chain(name, kept) < CHAIN_MAX;
    }
    while (before > 1 && is_transparent(name->points[before - 1]))
        before--;
    while (behind + 1 < name->count && is_transparent(name->points[behind]))
        behind++;
    return is_joining(name->points[before - 1], U_JT_DUAL_JOINING, U_JT_LEFT_JOINING) &&
           is_joining(name->points[behind], U_JT_DUAL_JOINING, U_JT_RIGHT_JOINING);
}

static void drop_idle_joiners(struct name *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < name->count; i++) {
        UChar32 point = name->points[i];
        if ((point != ZWJ && point != ZWNJ) || has_use(name, i, kept))
            name->points[kept++] = point;
    }
    name->count = kept;
}

// ---- cutting --------------------------------------------------------------------------------

// How many of the first code points of name take space.
static size_t count_seen(const struct name *name, size_t count)
{
    size_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        UChar32 point = name->points[i];
        seen += !is_stacked(point) && point != ZWJ && point != ZWNJ && point != EMOJI_STYLE;
    }
    return seen;
}

// Drops what is behind 64 characters, as people count them: a letter with its accents, a flag; or
// sooner, where they are wider than such are.
static bool cut(struct name *name)
{
    if (name->count <= CHARACTERS_MAX)
        return true; // and so not more characters
    UErrorCode status = U_ZERO_ERROR;
    UChar units[2 * POINTS_MAX];
    int32_t size = 0;
    u_strFromUTF32(units, 2 * POINTS_MAX, &size, name->points, (int32_t)name->count, &status);
    UBreakIterator *characters = ubrk_open(UBRK_CHARACTER, "", units, size, &status);
    if (U_FAILURE(status))
        return false;
    int32_t end = 0;
    for (int i = 0; i < CHARACTERS_MAX; i++) {
        int32_t next = ubrk_next(characters);
        if (next == UBRK_DONE || count_seen(name, (size_t)u_countChar32(units, next)) > SEEN_MAX)
            break;
        // The last character of a name that was not read to its end may be half of one.
        if (next == size && !name->is_whole)
            break;
        end = next;
    }
    ubrk_close(characters);
    name->count = (size_t)u_countChar32(units, end);
    return true;
}

// Of what joins, nothing may be left behind the cut.
static void trim(struct name *name)
{
    while (name->count > 0) {
        UChar32 last = name->points[name->count - 1];
        if (last != ' ' && last != ZWJ && last != ZWNJ)
            break;
        name->count--;
    }
}

static bool write_utf8(const struct name *name, char ret_text[VALUE_NAME_SIZE])
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[2 * POINTS_MAX];
    int32_t size = 0;
    static_assert(VALUE_NAME_SIZE > POINTS_MAX * U8_MAX_LENGTH, "a whole name fits");
    u_strFromUTF32(units, 2 * POINTS_MAX, &size, name->points, (int32_t)name->count, &status);
    u_strToUTF8(ret_text, VALUE_NAME_SIZE, NULL, units, size, &status);
    return U_SUCCESS(status);
}

// ---- all of it ------------------------------------------------------------------------------

bool value_read_name(const json_t *value, char ret_name[VALUE_NAME_SIZE])
{
    struct name name;
    if (!json_is_string(value))
        return false;
    read_points(value, &name);
    drop_idle_joiners(&name);
    if (!cut(&name))
        return false;
    trim(&name);
    if (name.count == 0 || !name_check(name.points, name.count))
        return false;
    return write_utf8(&name, ret_name);
}
