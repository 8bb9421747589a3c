#include "templates/plain_text.h"

#include <ctype.h>
#include <unicode/uchar.h>

#include "relay/base/utf8.h"

#define REFERENCE_SIZE_MAX 34 // the longest name that HTML has is of 31 letters
#define REFERENCE_SIZE_MIN 4  // "&lt;"; so "AT&T;" is none

static bool is_unseen(uint32_t point)
{
    // Variation selectors say how the character before them is drawn ("❤️").
    return u_hasBinaryProperty((UChar32)point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) &&
           !(point >= 0xfe00 && point <= 0xfe0f);
}

static bool is_allowed(uint32_t point, enum plain_text_marks allowed)
{
    if (point == 0x200c || point == 0x200d)
        return true;
    // LRM, RLM, ALM, the isolates, and the word joiner, which is a no-break space without width.
    return allowed == PLAIN_TEXT_MARKS && (point == 0x200e || point == 0x200f || point == 0x61c ||
                                           (point >= 0x2066 && point <= 0x2069) || point == 0x2060);
}

uint32_t plain_text_hidden(const char *text, size_t size, enum plain_text_marks allowed)
{
    uint32_t point;
    for (size_t at = 0; at < size;) {
        at += utf8_decode(text + at, size - at, &point);
        if (is_unseen(point) && !is_allowed(point, allowed))
            return point;
    }
    return 0;
}

bool plain_text_is_blank(const char *text, size_t size)
{
    uint32_t point;
    for (size_t at = 0; at < size;) {
        at += utf8_decode(text + at, size - at, &point);
        if (!is_unseen(point) && !u_isUWhiteSpace((UChar32)point))
            return false;
    }
    return true;
}

size_t plain_text_reference(const char *text, size_t size)
{
    size_t at = 1;
    if (size < REFERENCE_SIZE_MIN || text[0] != '&')
        return 0;
    at += text[1] == '#';
    while (at < size && at < REFERENCE_SIZE_MAX && isalnum((unsigned char)text[at]))
        at++;
    return at < size && text[at] == ';' && at + 1 >= REFERENCE_SIZE_MIN ? at + 1 : 0;
}
