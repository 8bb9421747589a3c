#include "templates/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/utf8.h"

// Of a longer text the middle is left out: what a fault quotes may be long, what it says of that
// stands before or behind.
#define HEAD_SIZE 320
#define TAIL_SIZE 160

// The first of the bytes from at on that does not go on with a character.
static size_t character_start(const char *text, size_t at)
{
    while (utf8_continues(text[at]))
        at++;
    return at;
}

// A copy of text that JSON can hold and that stays on one line: bytes that are no UTF-8, and
// control characters, are replaced. The caller owns it.
static char *create_clean(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t left = strlen(text);
    char *clean = calloc(left + 1, strlen(replacement));
    if (!clean)
        abort();
    char *end = clean;
    while (left > 0) {
        uint32_t point;
        size_t size = utf8_decode(text, left, &point);
        bool is_good = point != 0xfffd && point >= ' ' && (point < 0x7f || point >= 0xa0);
        end = mempcpy(end, is_good ? text : replacement, is_good ? size : strlen(replacement));
        text += size;
        left -= size;
    }
    *end = '\0';
    return clean;
}

static json_t *create_what(const char *text)
{
    AUTO_FREE char *clean = create_clean(text);
    size_t size = strlen(clean);
    if (size <= HEAD_SIZE + TAIL_SIZE)
        return json_string(clean);
    return json_sprintf("%.*s…%s", (int)character_start(clean, HEAD_SIZE), clean,
                        clean + character_start(clean, size - TAIL_SIZE));
}

bool fault_at(json_t *faults, const char *file, size_t line, const char *format, ...)
{
    AUTO_FREE char *what = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&what, format, args);
    va_end(args);
    if (size < 0)
        abort();

    AUTO_FREE char *where = create_clean(file);
    json_t *fault = json_object();
    if (json_object_set_new(fault, "where",
                            line ? json_sprintf("%s:%zu", where, line) : json_string(where)) != 0 ||
        json_object_set_new(fault, "what", create_what(what)) != 0 ||
        json_array_append_new(faults, fault) != 0)
        abort();
    return false;
}
