#include "templates/text_layout.h"

#include <stdbool.h>
#include <string.h>
#include <unicode/uchar.h>

#include "relay/base/utf8.h"

#define COLUMNS_MAX 78 // RFC 5322 §2.1.1
#define SUBJECT_POINTS_MAX 200

size_t text_layout_control(const char *text, size_t size)
{
    const unsigned char *c = (const unsigned char *)text;
    if (size >= 1 && (c[0] < 0x20 || c[0] == 0x7f))
        return 1;
    if (size >= 2 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2;
    if (size >= 3 && (memcmp(c, "\u2028", 3) == 0 || memcmp(c, "\u2029", 3) == 0))
        return 3;
    return 0;
}

// How many columns of a terminal a character takes: none where it is put upon the one before or is
// not seen, two where East Asian type is as wide as it is high.
static size_t columns_of(uint32_t point)
{
    UChar32 c = (UChar32)point;
    int32_t hangul = u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE);
    bool joins_syllable = hangul == U_HST_VOWEL_JAMO || hangul == U_HST_TRAILING_JAMO;
    bool is_unseen = U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK) &&
                     c != 0xad; // terminals show the soft hyphen
    if (joins_syllable || is_unseen)
        return 0;
    int32_t width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

static size_t count_columns(const char *text, size_t size)
{
    size_t columns = 0;
    for (const char *end = text + size; text < end;) {
        uint32_t point = (unsigned char)*text;
        text += point < 0x80 ? 1 : utf8_decode(text, (size_t)(end - text), &point);
        columns += point < 0x80 ? 1 : columns_of(point);
    }
    return columns;
}

static void wrap_line(const char *line, size_t size, struct buffer *out)
{
    const char *end = line + size;
    size_t indent = strspn(line, " ");
    size_t column = indent;
    buffer_append(out, line, indent);
    for (const char *word = line + indent; word < end;) {
        const char *word_end = memchr(word, ' ', (size_t)(end - word));
        if (!word_end)
            word_end = end;
        size_t columns = count_columns(word, (size_t)(word_end - word));
        bool first = column == indent;
        if (!first && column + 1 + columns > COLUMNS_MAX) {
            buffer_putc(out, '\n');
            buffer_append(out, line, indent);
            column = indent;
        } else if (!first) {
            buffer_putc(out, ' ');
            column++;
        }
        buffer_append(out, word, (size_t)(word_end - word));
        column += columns;
        for (word = word_end; word < end && *word == ' ';)
            word++;
    }
}

// The size of a line without the white space at its end; that of "-- " is what makes it the line
// above a signature (RFC 3676 §4.3).
static size_t kept_size(const char *line, size_t size)
{
    size_t kept = size;
    while (kept > 0 && strchr(" \t\r", line[kept - 1]))
        kept--;
    bool is_signature = kept == 2 && size > 2 && memcmp(line, "-- ", 3) == 0 &&
                        (size == 3 || (size == 4 && line[3] == '\r'));
    return is_signature ? 3 : kept;
}

void text_layout_body(const char *text, size_t size, struct buffer *out)
{
    const char *end = text + size;
    bool any = false;
    bool blank = false; // an empty line that waits for another behind it
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_size = (size_t)((newline ? newline : end) - text);
        const char *line = text;
        text = newline ? newline + 1 : end;
        line_size = kept_size(line, line_size);
        if (line_size == 0) {
            blank = any;
            continue;
        }
        if (blank)
            buffer_putc(out, '\n');
        if (line_size <= COLUMNS_MAX || count_columns(line, line_size) <= COLUMNS_MAX)
            buffer_append(out, line, line_size);
        else
            wrap_line(line, line_size, out);
        buffer_putc(out, '\n');
        any = true;
        blank = false;
    }
    if (!any)
        buffer_putc(out, '\n');
}

void text_layout_subject(const char *text, size_t size, struct buffer *out)
{
    bool space = false; // waits for a character behind it
    bool any = false;
    size_t points = 0;
    for (size_t i = 0; i < size; i++) {
        size_t control = text_layout_control(text + i, size - i);
        if (control > 0 || text[i] == ' ') {
            space = any;
            i += control > 1 ? control - 1 : 0;
            continue;
        }
        if (!utf8_continues(text[i])) {
            points += 1 + space;
            if (points > SUBJECT_POINTS_MAX)
                break;
            if (space)
                buffer_putc(out, ' ');
            space = false;
        }
        any = true;
        buffer_putc(out, text[i]);
    }
}
