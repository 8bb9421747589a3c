#include "relay/deliverer/reply.h"

#include <string.h>

#define MASK "****"
enum { FRAGMENT_MIN = 8 };

// Locale-free on purpose: ctype.h takes no plain char.
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
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

// Codes are 4 to 8 digits, and a server may quote one, of another mail than this one as well.
// Shorter runs are reply codes and parts of addresses; longer ones, and those with letters beside
// them, are times and queue ids, by which an operator finds the mail in the smarthost's log.
static void put_without_codes(struct output *out, const char *word, size_t size)
{
    bool after_letter = false;
    for (size_t i = 0; i < size;) {
        size_t run = 0;
        while (i + run < size && is_digit(word[i + run]))
            run++;
        bool before_letter = i + run < size && is_letter(word[i + run]);
        bool is_code = run >= 4 && run <= 8 && !after_letter && !before_letter;
        after_letter = run == 0 && is_letter(word[i]);
        if (is_code)
            put(out, MASK, strlen(MASK));
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

// Bytes beyond ASCII are of an unknown encoding, control characters of no use; but left out, those
// would join two runs of digits to one that looks like a code.
static void put_printable(struct output *out, char c)
{
    put(out, is_printable(c) ? &c : (unsigned char)c >= 0x80 ? "?" : " ", 1);
}

static size_t line_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    return end ? (size_t)(end - text) : size;
}

static void end_text(struct output *out)
{
    while (out->size > 0 && out->text[out->size - 1] == ' ')
        out->size--;
    out->text[out->size] = '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// How many bytes of text are the first of a secret: all of it, or so many that it is no chance.
static size_t secret_length(const char *text, size_t size, const char *secrets)
{
    size_t longest = 0;
    while (secrets && *secrets) {
        size_t whole = strcspn(secrets, "\n"), same = 0;
        while (same < whole && same < size && lower(text[same]) == lower(secrets[same]))
            same++;
        if (same > longest && (same == whole || same >= FRAGMENT_MIN))
            longest = same;
        secrets += whole + (secrets[whole] == '\n');
    }
    return longest;
}

// A first pass of its own: the words of the second would cut a secret into pieces.
static size_t hide_secrets(const char *text, size_t size, const char *secrets,
                           char to[REPLY_RAW_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + strlen(MASK) < REPLY_RAW_SIZE;) {
        size_t hidden = secret_length(text + i, size - i, secrets);
        if (hidden > 0)
            memcpy(to + used, MASK, strlen(MASK));
        else
            to[used] = text[i];
        used += hidden ? strlen(MASK) : 1;
        i += hidden ? hidden : 1;
    }
    return used;
}

void reply_clean(const char *text, size_t size, const char *secrets, char to[REPLY_TEXT_MAX + 1])
{
    struct output out = {.text = to};
    char hidden[REPLY_RAW_SIZE];
    size = hide_secrets(text, line_size(text, size), secrets, hidden);
    for (size_t i = 0; i < size;) {
        size_t word = 0;
        while (i + word < size && !is_delimiter(hidden[i + word]))
            word++;
        put_word(&out, hidden + i, word);
        i += word;
        if (i < size)
            put_printable(&out, hidden[i++]);
    }
    explicit_bzero(hidden, sizeof(hidden));
    end_text(&out);
}

void reply_print(const char *text, size_t size, char to[REPLY_TEXT_MAX + 1])
{
    struct output out = {.text = to};
    size = line_size(text, size);
    for (size_t i = 0; i < size; i++)
        put_printable(&out, text[i]);
    end_text(&out);
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
    if (size >= sizeof(reply->text))
        size = sizeof(reply->text) - 1;
    memcpy(reply->text, text, size);
    reply->text[size] = '\0';
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
