#include "relay/http_head.h"

#include <string.h>
#include <strings.h>

#include "relay/number.h"

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

static void take_once(struct http_head *head, const char **member, const char *value)
{
    if (*member)
        head->is_hostile = true;
    *member = value;
}

static void take_length(struct http_head *head, const char *value, size_t size)
{
    if (head->has_length || !number_parse(value, size, INT64_MAX, &head->length))
        head->is_hostile = true;
    head->has_length = true;
}

void http_head_take(struct http_head *head, const char *name, size_t name_size, const char *value,
                    size_t value_size)
{
    if (has_control(name, name_size) || has_control(value, value_size))
        head->is_hostile = true;
    if (strcasecmp(name, "X-Api-Key") == 0) {
        take_once(head, &head->api_key, value);
        head->api_key_size = value_size;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        take_once(head, &head->content_type, value);
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        take_once(head, &head->content_encoding, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        take_once(head, &head->transfer_encoding, value);
    } else if (strcasecmp(name, "Host") == 0) {
        take_once(head, &head->host, value);
    } else if (strcasecmp(name, "Content-Length") == 0) {
        take_length(head, value, value_size);
    }
}

bool http_head_is_sound(const struct http_head *head)
{
    if (head->is_hostile || (!head->host && strcmp(head->version, "HTTP/1.0") != 0))
        return false;
    return !head->transfer_encoding ||
           (!head->has_length && strcasecmp(head->transfer_encoding, "chunked") == 0);
}

bool http_head_is_json(const struct http_head *head)
{
    static const char json[] = "application/json";
    if (!head->content_type || strncasecmp(head->content_type, json, sizeof(json) - 1) != 0)
        return false;
    const char *rest = head->content_type + sizeof(json) - 1;
    rest += strspn(rest, " \t");
    return (*rest == '\0' || *rest == ';') &&
           (!head->content_encoding || strcasecmp(head->content_encoding, "identity") == 0);
}
