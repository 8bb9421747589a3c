#include "relay/deliverer/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MASK "****"
#define ADDRESS "[address]"

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
        put(out, ADDRESS, strlen(ADDRESS));
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

// A pass of its own: the words of the next one would cut a secret into pieces.
static size_t hide(const char *text, const unsigned char *kinds, size_t size,
                   char to[REPLY_RAW_SIZE])
{
    static const char *const words[] = {[MASK_SECRET] = MASK, [MASK_ADDRESS] = ADDRESS};
    size_t used = 0;
    for (size_t i = 0; i < size && used + strlen(ADDRESS) < REPLY_RAW_SIZE; i++) {
        const char *word = words[kinds[i]];
        if (!word) {
            to[used++] = text[i];
        } else if (i == 0 || kinds[i] != kinds[i - 1]) {
            used += (size_t)snprintf(to + used, REPLY_RAW_SIZE - used, "%s", word);
        }
    }
    return used;
}

static void put_text(const char *text, const unsigned char *kinds, size_t size,
                     char to[REPLY_TEXT_MAX + 1])
{
    struct output out = {.text = to};
    char hidden[REPLY_RAW_SIZE];
    size = hide(text, kinds, size, hidden);
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

void reply_clean(const struct reply *reply, const struct mask *mask, struct reply_shown *ret_shown)
{
    static_assert(MASK_TEXT_MAX >= sizeof("250 ") + REPLY_ENHANCED_SIZE + REPLY_RAW_SIZE, "room");
    char line[MASK_TEXT_MAX];
    unsigned char kinds[MASK_TEXT_MAX];
    // As it came: a code may begin in what looks like the reply's own.
    int enhanced = reply->code ? snprintf(line, sizeof(line), "%d ", reply->code) : 0;
    int start = enhanced + snprintf(line + enhanced, sizeof(line) - (size_t)enhanced, "%s%s",
                                    reply->enhanced, reply->enhanced[0] ? " " : "");
    size_t at = (size_t)start, size = line_size(reply->text, strlen(reply->text));
    memcpy(line + at, reply->text, size);
    mask_find(mask, line, at + size, kinds);

    bool is_shown = true;
    for (size_t i = (size_t)enhanced; i < at; i++)
        is_shown = is_shown && kinds[i] == MASK_NOTHING;
    snprintf(ret_shown->enhanced, sizeof(ret_shown->enhanced), "%s",
             is_shown ? reply->enhanced : "");
    put_text(line + at, kinds + at, size, ret_shown->text);
    explicit_bzero(line, sizeof(line));
}

void reply_print(const struct reply *reply, struct reply_shown *ret_shown)
{
    struct output out = {.text = ret_shown->text};
    size_t size = line_size(reply->text, strlen(reply->text));
    for (size_t i = 0; i < size; i++)
        put_printable(&out, reply->text[i]);
    end_text(&out);
    memcpy(ret_shown->enhanced, reply->enhanced, sizeof(ret_shown->enhanced));
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
    if (enhanced > 0 && text[0] - '0' == reply->code / 100) {
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

bool reply_is_farewell(const char *data, size_t size)
{
    return size >= 3 && memcmp(data, "421", 3) == 0 && (size == 3 || strchr(" -\r\n", data[3]));
}
