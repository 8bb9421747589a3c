#include "relay/composer/query.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool query_decode(const char *from, const char *end, char *to, size_t size)
{
    size_t used = 0;
    while (from < end) {
        unsigned char c = (unsigned char)*from++;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = end - from >= 2 ? hex_digit(from[0]) : -1;
            int low = high >= 0 ? hex_digit(from[1]) : -1;
            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            from += 2;
        }
        if (c < 0x20 || c == 0x7f || used + 1 >= size)
            return false;
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return used > 0;
}

bool query_value(const char *url, const char *name, char *ret_value, size_t size)
{
    size_t name_size = strlen(name);
    const char *query = url ? url + strcspn(url, "?#") : "";
    if (*query != '?')
        return false;
    for (const char *field = query + 1; *field && *field != '#';) {
        size_t field_size = strcspn(field, "&#");
        if (field_size > name_size + 1 && field[name_size] == '=' &&
            strncmp(field, name, name_size) == 0)
            return query_decode(field + name_size + 1, field + field_size, ret_value, size);
        field += field_size;
        if (*field == '&')
            field++;
    }
    return false;
}
