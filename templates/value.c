#include "templates/value.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SIZE_MIN 4
#define URL_SIZE_MAX 4096
#define NAME_POINTS_MAX 64
#define NAME_DIGITS_MAX 3 // in a row; a code has more

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// ---- codes ----------------------------------------------------------------------------------

bool value_read_code(const json_t *value, char ret_code[VALUE_CODE_SIZE])
{
    char number[32];
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (json_is_integer(value)) {
        size =
            (size_t)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text = number[0] == '-' ? NULL : number;
    }
    if (!text || size < CODE_SIZE_MIN || size >= VALUE_CODE_SIZE || text[0] == '-')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]) && !is_letter(text[i]) && text[i] != '-')
            return false;
    }
    memcpy(ret_code, text, size);
    ret_code[size] = '\0';
    return true;
}

// ---- links ----------------------------------------------------------------------------------

static bool is_ipv6(const char *host)
{
    size_t size = strspn(host + 1, "0123456789abcdefABCDEF:.");
    return size >= 2 && memchr(host + 1, ':', size) && strcmp(host + 1 + size, "]") == 0;
}

bool value_is_host(const char *host)
{
    if (host[0] == '[')
        return is_ipv6(host);
    size_t label_size = 0;
    for (const char *at = host; *at; at++) {
        if (*at == '.' && label_size == 0)
            return false;
        if (*at != '.' && *at != '-' && *at != '_' && !is_digit(*at) && !is_letter(*at))
            return false;
        label_size = *at == '.' ? 0 : label_size + 1;
    }
    return host[0] != '\0';
}

// What stands behind a host: nothing, or the port that a browser would take.
static bool is_port(const char *text, size_t size)
{
    if (size == 0)
        return true;
    size_t digits = strspn(text + 1, "0123456789");
    return text[0] == ':' && digits == size - 1 && digits <= 5 &&
           strtol(text + 1, NULL, 10) <= UINT16_MAX;
}

bool value_read_url(const json_t *value, const char **ret_url, char ret_host[VALUE_HOST_SIZE])
{
    const char *url = json_string_value(value);
    size_t size = json_string_length(value);
    if (!url || size > URL_SIZE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"<>\\^`{|}", url[i]))
            return false;
    }

    const char *host;
    if (strncasecmp(url, "https://", 8) == 0)
        host = url + 8;
    else if (strncasecmp(url, "http://", 7) == 0)
        host = url + 7;
    else
        return false;
    // "https://bank.example@evil.example/" leads to evil.example: no user names.
    size_t authority_size = strcspn(host, "/?#");
    if (memchr(host, '@', authority_size))
        return false;
    size_t host_size = host[0] == '[' ? strcspn(host, "]/?#") + 1 : strcspn(host, ":/?#");
    char checked[VALUE_HOST_SIZE];
    if (host_size > authority_size || host_size >= VALUE_HOST_SIZE)
        return false;
    memcpy(checked, host, host_size);
    checked[host_size] = '\0';
    if (!value_is_host(checked) || !is_port(host + host_size, authority_size - host_size))
        return false;
    memcpy(ret_host, checked, host_size + 1);
    *ret_url = url;
    return true;
}

// ---- names ----------------------------------------------------------------------------------

// Ranges of code points that are not seen, or that turn the direction of what follows.
static const struct {
    uint32_t first, last;
} INVISIBLE[] =
    {
        {0x00ad, 0x00ad}, // soft hyphen
        {0x034f, 0x034f}, // combining grapheme joiner
        {0x061c, 0x061c}, // Arabic letter mark
        {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f},
        {0x200b, 0x200f}, // zero width, direction marks
        {0x2028, 0x202e}, // line and paragraph separators, embeddings, overrides
        {0x2060, 0x206f}, // word joiner, isolates
        {0x3164, 0x3164},   {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
        {0xe0000, 0xe0fff}, // tags
};

static bool is_invisible(uint32_t point)
{
    if (point < 0xad)
        return point < 0x20 || (point >= 0x7f && point < 0xa0);
    for (size_t i = 0; i < sizeof(INVISIBLE) / sizeof(INVISIBLE[0]); i++) {
        if (point >= INVISIBLE[i].first && point <= INVISIBLE[i].last)
            return true;
    }
    return false;
}

// text is valid UTF-8, as all strings of jansson are. Gives the size of its first code point.
static size_t decode(const unsigned char *text, uint32_t *ret_point)
{
    if (text[0] < 0x80) {
        *ret_point = text[0];
        return 1;
    }
    size_t size = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t point = text[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (text[i] & 0x3fu);
    *ret_point = point;
    return size;
}

// Digits of other scripts read as a code just as well.
static bool is_any_digit(uint32_t point)
{
    static const uint32_t zeros[] = {'0', 0x0660, 0x06f0, 0x0966, 0x09e6, 0xff10};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        if (point >= zeros[i] && point < zeros[i] + 10)
            return true;
    }
    return false;
}

// Mail programs make a link of "evil.example"; "J.R.R. Tolkien" is safe from them.
static bool has_domain(const char *name)
{
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (dot > name && dot[-1] != ' ' && is_letter(dot[1]) && is_letter(dot[2]))
            return true;
    }
    return false;
}

// What programs write where they have no name: nobody is to be greeted with "Hello null".
static bool is_placeholder(const char *name)
{
    static const char *const words[] = {"null", "undefined", "None", "NaN", "<nil>", "[object"};
    size_t letters = 0;
    for (const char *at = name; *at; at++)
        letters += is_letter(*at) || (unsigned char)*at >= 0x80;
    // "{}", "42", "-"; an object or array that was made a string; bytes that were no UTF-8, or a
    // NUL.
    if (letters == 0 || strstr(name, "\ufffd") || (name[0] == '{' && name[1] == '"') ||
        name[0] == '[')
        return true;
    for (const char *word = name; *word; word += strspn(word, " ")) {
        size_t size = strcspn(word, " ");
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (strlen(words[i]) == size && memcmp(word, words[i], size) == 0)
                return true;
        }
        word += size;
    }
    return false;
}

bool value_read_name(const json_t *value, char ret_name[VALUE_NAME_SIZE])
{
    const unsigned char *text = (const unsigned char *)json_string_value(value);
    const unsigned char *end = text + json_string_length(value);
    char name[VALUE_NAME_SIZE];
    size_t size = 0;
    size_t digits = 0;
    // Nothing behind the cut is looked at, so that it cannot hide what is before it.
    for (size_t points = 0; text < end && points < NAME_POINTS_MAX;) {
        uint32_t point;
        const unsigned char *from = text;
        text += decode(text, &point);
        bool is_space = point == ' ' || (point >= '\t' && point <= '\r') || point == 0xa0;
        if (is_space && (size == 0 || name[size - 1] == ' '))
            continue;
        if (!is_space && is_invisible(point))
            continue;
        digits = is_any_digit(point) ? digits + 1 : 0;
        if (digits > NAME_DIGITS_MAX)
            return false;
        if (is_space)
            name[size++] = ' ';
        else
            size = (size_t)((char *)mempcpy(name + size, from, (size_t)(text - from)) - name);
        points++;
    }
    while (size > 0 && name[size - 1] == ' ')
        size--;
    name[size] = '\0';
    if (size == 0 || strstr(name, "://") || strcasestr(name, "www.") || strchr(name, '@') ||
        has_domain(name) || is_placeholder(name))
        return false;
    memcpy(ret_name, name, size + 1);
    return true;
}
