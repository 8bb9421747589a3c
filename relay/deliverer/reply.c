#include "relay/deliverer/reply.h"

#include <string.h>

// Locale-free on purpose: ctype.h takes no plain char.
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

// What ends a word, as far as finding addresses and links goes.
static bool is_delimiter(char c)
{
    return !is_printable(c) || strchr(" <>()[]{}\"',;", c) != NULL;
}

struct output {
    char *text;
    size_t size;
};

static void put(struct output *out, const char *data, size_t size)
{
    for (size_t i = 0; i < size && out->size < REPLY_TEXT_MAX; i++)
        out->text[out->size++] = data[i];
}

// Codes are 4 to 8 digits, and a server may quote one. Shorter runs are reply codes and parts
// of addresses, longer ones are queue ids and times, which an operator needs.
static void put_without_codes(struct output *out, const char *word, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t run = 0;
        while (i + run < size && is_digit(word[i + run]))
            run++;
        if (run >= 4 && run <= 8)
            put(out, "****", 4);
        else
            put(out, word + i, run ? run : 1);
        i += run ? run : 1;
    }
}

static void put_word(struct output *out, const char *word, size_t size)
{
    if (memchr(word, '@', size))
        put(out, "[address]", strlen("[address]"));
    else if (memmem(word, size, "://", 3))
        put(out, "[link]", strlen("[link]"));
    else
        put_without_codes(out, word, size);
}

void reply_clean(const char *text, size_t size, char to[REPLY_TEXT_MAX + 1])
{
    struct output out = {.text = to};
    const char *end = memchr(text, '\n', size);
    if (end)
        size = (size_t)(end - text);
    for (size_t i = 0; i < size;) {
        size_t word = 0;
        while (i + word < size && !is_delimiter(text[i + word]))
            word++;
        put_word(&out, text + i, word);
        i += word;
        if (i < size) {
            // Bytes beyond ASCII are of an unknown encoding, control characters of no use; but left
            // out, those would join two runs of digits to one that looks like a code.
            bool unknown = (unsigned char)text[i] >= 0x80;
            put(&out, is_printable(text[i]) ? text + i : unknown ? "?" : " ", 1);
            i++;
        }
    }
    while (out.size > 0 && to[out.size - 1] == ' ')
        out.size--;
    to[out.size] = '\0';
}

// "5.7.1 " or "5.7.1" at the end: class, then two numbers of one to three digits (RFC 3463).
static size_t enhanced_length(const char *text, size_t size)
{
    if (size < 5 || strchr("245", text[0]) == NULL || text[0] == '\0')
        return 0;
    size_t at = 1;
    for (int part = 0; part < 2; part++) {
        if (at >= size || text[at] != '.')
            return 0;
        size_t digits = 0;
        while (at + 1 + digits < size && is_digit(text[at + 1 + digits]))
            digits++;
        if (digits < 1 || digits > 3)
            return 0;
        at += 1 + digits;
    }
    return at == size || is_delimiter(text[at]) ? at : 0;
}

void reply_set_text(struct reply *reply, const char *text, size_t size)
{
    size_t enhanced = enhanced_length(text, size);
    if (enhanced > 0) {
        memcpy(reply->enhanced, text, enhanced);
        reply->enhanced[enhanced] = '\0';
        text += enhanced;
        size -= enhanced;
    }
    while (size > 0 && *text == ' ') {
        text++;
        size--;
    }
    reply_clean(text, size, reply->text);
}

bool reply_parse_line(const char *line, size_t size, struct reply *ret_reply, bool *ret_last)
{
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    if (size < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]) ||
        memchr(line, '\0', size))
        return false;
    if (size > 3 && line[3] != ' ' && line[3] != '-')
        return false;
    struct reply reply = {.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0')};
    if (size > 4)
        reply_set_text(&reply, line + 4, size - 4);
    *ret_last = size == 3 || line[3] == ' ';
    *ret_reply = reply;
    return true;
}
