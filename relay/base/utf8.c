#include "relay/base/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *ret_point)
{
    // The least code point for which a sequence of so many bytes is needed.
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    *ret_point = bytes[0];
    if (bytes[0] < 0x80)
        return 1;
    *ret_point = 0xfffd;
    size_t count = bytes[0] < 0xc0 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (count == 0 || bytes[0] > 0xf4 || count > size)
        return 1;
    uint32_t point = bytes[0] & (0xffu >> (count + 1));
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 1;
        point = point << 6 | (bytes[i] & 0x3fu);
    }
    if (point < least[count] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 1;
    *ret_point = point;
    return count;
}
