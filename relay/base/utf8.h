// utf8.h - reading texts code point by code point.
#ifndef RELAY_BASE_UTF8_H
#define RELAY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The size of the first code point of a text that is not empty, which goes to *ret_point. Where
// it is no UTF-8, or cut off, that is one byte and U+FFFD.
size_t utf8_decode(const char *text, size_t size, uint32_t *ret_point);

// True where c is a byte of a code point that began before it.
static inline bool utf8_continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

#endif
