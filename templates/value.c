#include "templates/value.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SIZE_MIN 4
#define URL_SIZE_MAX 4096

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
