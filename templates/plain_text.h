// plain_text.h - characters that have no business in what an operator writes for readers.
#ifndef TEMPLATES_PLAIN_TEXT_H
#define TEMPLATES_PLAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plain_text_marks {
    PLAIN_TEXT_JOINERS, // of what nobody sees ZWJ and ZWNJ alone, which shape words and emoji
    PLAIN_TEXT_MARKS,   // the marks and isolates too that set apart what is read the other way
};

// The first character that is not seen and not of those allowed (U+202E, a soft hyphen, a tag), or
// 0 where there is none. Such hide a word from who reads the file, or turn around the rest of a
// line.
uint32_t plain_text_hidden(const char *text, size_t size, enum plain_text_marks allowed);

// Does a reader see nothing of it at all?
bool plain_text_is_blank(const char *text, size_t size);

// The size of the character reference at text ("&nbsp;", "&#160;"), 0 where there is none.
size_t plain_text_reference(const char *text, size_t size);

#endif
