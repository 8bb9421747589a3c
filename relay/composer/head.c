#include "relay/composer/head.h"

#include <glib.h>
#include <string.h>
#include <time.h>

#include "relay/base/utf8.h"

#define LINE_COLUMNS 76 // RFC 2047 §2 for lines with encoded words; kept for all
#define PLAIN_WORD_MAX 60

// The gate: what passes cannot begin a new line, not even for a reader who takes U+0085 or U+2028
// for the end of one.
static bool check_value(const char *name, const char *value, struct error *err)
{
    if (!g_utf8_validate(value, -1, NULL))
        return error_set(err, ERR_INPUT, "header %s: is not UTF-8", name);
    for (const char *at = value; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029)
            return error_set(err, ERR_INPUT, "header %s: holds a control character", name);
    }
    return true;
}

// The same for what stands in one line whatever its length.
static bool check_short(const char *name, const char *value, struct error *err)
{
    if (strnlen(value, HEAD_VALUE_MAX + 1) > HEAD_VALUE_MAX)
        return error_set(err, ERR_INPUT, "header %s: is over %d bytes", name, HEAD_VALUE_MAX);
    return check_value(name, value, err);
}

static size_t begin(struct buffer *out, const char *name)
{
    buffer_puts(out, name);
    buffer_puts(out, ": ");
    return strlen(name) + 2;
}

// Words that fold: none over word_max, none that a reader would take for an encoded word, no
// space that folding could lose or heap up.
static bool is_plain(const char *text, size_t word_max)
{
    size_t word = 0;
    for (const char *c = text; *c; c++) {
        bool odd_space = *c == ' ' && (c == text || c[1] == ' ' || c[1] == '\0');
        word = *c == ' ' ? 0 : word + 1;
        if ((unsigned char)*c >= 0x7f || word > word_max || odd_space ||
            (c[0] == '=' && c[1] == '?'))
            return false;
    }
    return true;
}

// Breaks before a space wherever the next word would pass the last column.
static size_t fold_plain(struct buffer *out, const char *text, size_t column)
{
    while (*text) {
        size_t size = 1 + strcspn(text + 1, " ");
        if (*text == ' ' && column + size > LINE_COLUMNS) {
            buffer_puts(out, "\r\n");
            column = 0;
        }
        buffer_append(out, text, size);
        column += size;
        text += size;
    }
    return column;
}

// How much of text makes an encoded word of base64 of at most room columns; 0: none. One that
// another follows is of whole groups of three bytes, without "=" at its end: GMime, and who reads
// mail with it, drops all the words behind such a "=" (3.2.13).
static size_t base64_end(const char *text, size_t room)
{
    size_t max = room / 4 * 3;
    size_t size = strnlen(text, max + 1);
    if (size <= max)
        return size;
    for (size = max; size > 0 && utf8_continues(text[size]);)
        size -= 3;
    return size;
}

// Appends an encoded word of RFC 2047's "Q", at most room columns long, or of one character. Gives
// how much of text is in it.
static size_t put_q_word(struct buffer *out, const char *text, size_t room)
{
    size_t done = 0, columns = 0;
    buffer_puts(out, "=?utf-8?Q?");
    while (text[done]) {
        size_t size = 1;
        while (utf8_continues(text[done + size]))
            size++;
        // Three columns a byte, also where one would do: it is for a few odd words.
        if (done > 0 && columns + 3 * size > room)
            break;
        for (size_t end = done + size; done < end; done++)
            buffer_printf(out, "=%02X", (unsigned)(unsigned char)text[done]);
        columns += 3 * size;
    }
    buffer_puts(out, "?=");
    return done;
}

// RFC 2047 encoded words, of base64 where it goes, one a line. GMime's own header functions count
// characters where the RFC counts bytes (words of 170 columns), and let a "=?" of the text through
// as it is.
static size_t encode_words(struct buffer *out, const char *text, size_t column)
{
    static const char start[] = "=?utf-8?B?", end[] = "?=";
    // A name that leaves no room behind it for a word of one character, of four bytes in "Q".
    if (*text && column + sizeof(start) + sizeof(end) + 12 > LINE_COLUMNS) {
        buffer_puts(out, "\r\n ");
        column = 1;
    }
    for (bool first = true; *text; first = false) {
        if (!first) {
            buffer_puts(out, "\r\n ");
            column = 1;
        }
        size_t room = LINE_COLUMNS - column - (sizeof(start) - 1) - (sizeof(end) - 1);
        size_t size_before = out->size;
        size_t size = base64_end(text, room);
        if (size == 0) {
            size = put_q_word(out, text, room);
        } else {
            char *encoded = g_base64_encode((const guchar *)text, size);
            buffer_puts(out, start);
            buffer_puts(out, encoded);
            buffer_puts(out, end);
            g_free(encoded);
        }
        column += out->size - size_before;
        text += size;
    }
    return column;
}

static void put_words(struct buffer *out, const char *name, const char *value, size_t word_max)
{
    size_t column = begin(out, name);
    if (is_plain(value, word_max))
        fold_plain(out, value, column);
    else
        encode_words(out, value, column);
    buffer_puts(out, "\r\n");
}

bool head_put_text(struct buffer *out, const char *name, const char *value, struct error *err)
{
    if (!check_value(name, value, err))
        return false;
    put_words(out, name, value, PLAIN_WORD_MAX);
    return true;
}

bool head_put_words(struct buffer *out, const char *name, const char *value, struct error *err)
{
    if (!check_short(name, value, err))
        return false;
    put_words(out, name, value, HEAD_VALUE_MAX);
    return true;
}

static void put_line(struct buffer *out, const char *name, const char *value)
{
    begin(out, name);
    buffer_puts(out, value);
    buffer_puts(out, "\r\n");
}

bool head_put_verbatim(struct buffer *out, const char *name, const char *value, struct error *err)
{
    if (!check_short(name, value, err))
        return false;
    if (!g_str_is_ascii(value))
        return error_set(err, ERR_INPUT, "header %s: is not ASCII", name);
    put_line(out, name, value);
    return true;
}

static bool is_atext(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

// A plain name as atoms, or where it is no mere sequence of them as a quoted string. (GMime's
// quoting leaves a name alone that holds nothing special but quotes.)
static void quote_phrase(struct buffer *quoted, const char *display)
{
    bool is_atoms = true;
    for (const char *c = display; *c; c++)
        is_atoms = is_atoms && (*c == ' ' || is_atext(*c));
    if (is_atoms) {
        buffer_puts(quoted, display);
        return;
    }
    buffer_putc(quoted, '"');
    for (const char *c = display; *c; c++) {
        if (*c == '"' || *c == '\\')
            buffer_putc(quoted, '\\');
        buffer_putc(quoted, *c);
    }
    buffer_putc(quoted, '"');
}

bool head_put_mailbox(struct buffer *out, const char *name, const char *display,
                      const char *address, struct error *err)
{
    if (!check_value(name, display, err) || !check_short(name, address, err))
        return false;
    if (!*display) {
        put_line(out, name, address);
        return true;
    }
    AUTO_BUFFER struct buffer quoted;
    buffer_init(&quoted, 2 * strlen(display) + sizeof("\"\""));
    quote_phrase(&quoted, display);
    if (quoted.failed)
        return error_set(err, ERR_TEMPORARY, "header %s: no memory", name);
    size_t column = begin(out, name);
    column = is_plain(quoted.data, PLAIN_WORD_MAX) ? fold_plain(out, quoted.data, column)
                                                   : encode_words(out, display, column);
    buffer_puts(out, column + strlen(address) + 3 > LINE_COLUMNS ? "\r\n <" : " <");
    buffer_puts(out, address);
    buffer_puts(out, ">\r\n");
    return true;
}

bool head_put_date(struct buffer *out, const char *name, int64_t wall_ms, struct error *err)
{
    char text[64];
    struct tm utc;
    time_t seconds = (time_t)(wall_ms / 1000);
    // English names: no part of this program calls setlocale(). RFC 5322 has years of four digits.
    if (!gmtime_r(&seconds, &utc) || utc.tm_year < 0 || utc.tm_year > 9999 - 1900 ||
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &utc) == 0)
        return error_set(err, ERR_INPUT, "header %s: no such time", name);
    return head_put_verbatim(out, name, text, err);
}
