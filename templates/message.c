#include "templates/message.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "templates/plain_text.h"
#include "templates/text_layout.h"

#define TEXT_SIZE_MAX 2000
#define PIECES_MAX 32

// A run of text, and the placeholder behind it.
struct piece {
    uint16_t offset;
    uint16_t size;
    int16_t placeholder; // -1: none, this is the end
};

struct message {
    unsigned placeholders;
    size_t piece_count;
    struct piece pieces[PIECES_MAX];
    char text[]; // without placeholders, braces resolved
};

static const char *const NAMES[PLACEHOLDER_COUNT] = {
    [PLACEHOLDER_CODE] = "code",       [PLACEHOLDER_NAME] = "name",
    [PLACEHOLDER_MINUTES] = "minutes", [PLACEHOLDER_UNTIL] = "until",
    [PLACEHOLDER_BRAND] = "brand",     [PLACEHOLDER_HOST] = "host",
    [PLACEHOLDER_BROWSER] = "browser", [PLACEHOLDER_SYSTEM] = "system",
    [PLACEHOLDER_TIME] = "time",
};

// Texts are plain: markup would be shown to the reader as it is, and a line break or another
// control character in a subject is an attack or an accident.
static bool check_text(const char *text, size_t size, struct error *err)
{
    if (size > TEXT_SIZE_MAX)
        return error_set(err, ERR_INPUT, "is longer than %d bytes", TEXT_SIZE_MAX);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < size ? (unsigned char)text[i + 1] : 0;
        if (text_layout_control(text + i, size - i) > 0)
            return error_set(err, ERR_INPUT, "has a control character or line break");
        if (c == '<' &&
            (next == '/' || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z')))
            return error_set(err, ERR_INPUT, "has markup; texts are plain");
        size_t reference = plain_text_reference(text + i, size - i);
        if (reference > 0)
            return error_set(err, ERR_INPUT, "has markup (%.*s); write the character itself",
                             (int)reference, text + i);
    }
    uint32_t hidden = plain_text_hidden(text, size, PLAIN_TEXT_MARKS);
    if (hidden)
        return error_set(err, ERR_INPUT, "has U+%04X, which nobody sees", (unsigned)hidden);
    if (plain_text_is_blank(text, size))
        return error_set(err, ERR_INPUT, "is empty");
    return true;
}

static bool find_placeholder(const char *name, size_t size, int16_t *ret_placeholder,
                             struct error *err)
{
    for (int16_t i = 0; i < PLACEHOLDER_COUNT; i++) {
        if (strlen(NAMES[i]) == size && memcmp(NAMES[i], name, size) == 0) {
            *ret_placeholder = i;
            return true;
        }
    }
    return error_set(err, ERR_INPUT, "has an unknown placeholder {%.*s}", (int)size, name);
}

static bool compile(struct message *message, const char *text, size_t size, struct error *err)
{
    struct piece piece = {.placeholder = -1};
    size_t used = 0; // of message->text
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '{') {
            message->text[used++] = text[i];
            continue;
        }
        const char *name = text + i + 1;
        const char *close = memchr(name, '}', size - i - 1);
        if (i + 1 < size && *name == '{') {
            int16_t ignored;
            // Whoever writes Mustache files as well writes this sooner or later.
            if (close && close[1] == '}' &&
                find_placeholder(name + 1, (size_t)(close - name - 1), &ignored, NULL))
                return error_set(err, ERR_INPUT,
                                 "has a placeholder in two braces; one is right here: {%.*s}",
                                 (int)(close - name - 1), name + 1);
            message->text[used++] = '{';
            i++;
            continue;
        }
        if (!close)
            return error_set(err, ERR_INPUT, "has a placeholder that is not closed");
        if (message->piece_count == PIECES_MAX - 1)
            return error_set(err, ERR_INPUT, "has too many placeholders");
        if (!find_placeholder(name, (size_t)(close - name), &piece.placeholder, err))
            return false;
        message->placeholders |= PLACEHOLDER_BIT((unsigned)piece.placeholder);
        piece.size = (uint16_t)(used - piece.offset);
        message->pieces[message->piece_count++] = piece;
        piece.offset = (uint16_t)used;
        i += (size_t)(close - name) + 1;
    }
    piece.size = (uint16_t)(used - piece.offset);
    piece.placeholder = -1;
    message->pieces[message->piece_count++] = piece;
    return true;
}

struct message *message_create(const char *text, size_t size, struct error *err)
{
    if (!check_text(text, size, err))
        return NULL;
    struct message *message = calloc(1, sizeof(*message) + size + 1);
    if (!message) {
        error_set(err, ERR_TEMPORARY, "out of memory");
        return NULL;
    }
    if (!compile(message, text, size, err)) {
        message_destroy(message);
        return NULL;
    }
    return message;
}

void message_destroy(struct message *message)
{
    free(message);
}

unsigned message_placeholders(const struct message *message)
{
    return message->placeholders;
}

bool message_write(const struct message *message, const struct message_values *values,
                   struct buffer *out)
{
    for (unsigned i = 0; i < PLACEHOLDER_COUNT; i++) {
        if (message->placeholders & PLACEHOLDER_BIT(i) && !values->values[i])
            return false;
    }
    for (size_t i = 0; i < message->piece_count; i++) {
        const struct piece *piece = &message->pieces[i];
        buffer_append(out, message->text + piece->offset, piece->size);
        if (piece->placeholder >= 0)
            buffer_puts(out, values->values[piece->placeholder]);
    }
    return true;
}

const char *placeholders_text(unsigned bits, char ret_text[PLACEHOLDERS_TEXT_SIZE])
{
    size_t used = 0;
    snprintf(ret_text, PLACEHOLDERS_TEXT_SIZE, "none");
    for (unsigned i = 0; i < PLACEHOLDER_COUNT; i++) {
        if (bits & PLACEHOLDER_BIT(i))
            used += (size_t)snprintf(ret_text + used, PLACEHOLDERS_TEXT_SIZE - used, "%s{%s}",
                                     used ? " " : "", NAMES[i]);
    }
    return ret_text;
}
