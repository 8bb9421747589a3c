#include "relay/http/head.h"

#include <string.h>
#include <strings.h>

#include "relay/base/number.h"

// The library writes NUL over each byte of a line's end, CR LF.
enum { LINE_END_NULS = 2 };

static bool has_control(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

// RFC 9110 §5.6.2
static bool is_token(const char *text, size_t size)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && !memchr(marks, c, sizeof(marks) - 1))
            return false;
    }
    return size > 0;
}

// ---- what the library hides ---------------------------------------------------------------------

// Between two texts there may be what the library has cut away: white space and line ends, and
// no more NULs than it wrote. Anything else was hidden by a NUL that the client sent.
static bool is_cut_only(const char *from, const char *to, size_t nuls_max)
{
    size_t nuls = 0;
    for (; from < to; from++) {
        if (*from == '\0')
            nuls++;
        else if (*from != ' ' && *from != '\t' && *from != '\r' && *from != '\n')
            return false;
    }
    return nuls <= nuls_max;
}

static bool lies_ahead(const struct http_head *head, const char *text)
{
    return head->at && (uintptr_t)text >= (uintptr_t)head->at &&
           (uintptr_t)text < (uintptr_t)head->end;
}

static void account(struct http_head *head, const char *name, size_t name_size, const char *value,
                    size_t value_size)
{
    if (!head->at)
        return;
    if (!lies_ahead(head, value)) {
        head->at = NULL;
        return;
    }
    // A name is moved elsewhere where the library has joined a folded line to it.
    if (!lies_ahead(head, name) || name + name_size > value) {
        head->is_hostile = true;
        head->at = NULL;
        return;
    }
    if (!is_cut_only(head->at, name, LINE_END_NULS))
        head->is_hostile = true;
    head->at = value + value_size;
}

static void account_line(struct http_head *head, const struct http_request_line *line)
{
    if (!line->bytes)
        return;
    head->at = line->bytes;
    head->end = line->bytes + line->bytes_size;
    if (!lies_ahead(head, line->method) || !lies_ahead(head, line->version) ||
        line->version < line->method) {
        head->at = NULL;
        return;
    }
    // One space, or the NUL in its place, stands on either side of the target (RFC 9112 §3).
    if (line->target && lies_ahead(head, line->target) &&
        (line->target != line->method + strlen(line->method) + 1 ||
         line->version != line->target + line->target_size + 1))
        head->is_hostile = true;
    head->at = line->version + strlen(line->version);
}

// ---- headers ------------------------------------------------------------------------------------

bool http_head_is_odd_target(const char *target)
{
    return strchr(target, ' ') || strchr(target, '\t') || has_control(target, strlen(target));
}

void http_head_begin(struct http_head *head, const struct http_request_line *line)
{
    *head = (struct http_head){.is_http_1_0 = strcmp(line->version, "HTTP/1.0") == 0};
    if (!head->is_http_1_0 && strcmp(line->version, "HTTP/1.1") != 0)
        head->is_hostile = true;
    if (!is_token(line->method, strlen(line->method)) || line->target_is_odd)
        head->is_hostile = true;
    account_line(head, line);
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
    if (!is_token(name, name_size) || has_control(value, value_size))
        head->is_hostile = true;
    account(head, name, name_size, value, value_size);
    if (strcasecmp(name, "X-Api-Key") == 0) {
        take_once(head, &head->api_key, value);
        head->api_key_size = value_size;
    } else if (strcasecmp(name, "Authorization") == 0) {
        take_once(head, &head->authorization, value);
        head->authorization_size = value_size;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        take_once(head, &head->content_type, value);
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        take_once(head, &head->content_encoding, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        take_once(head, &head->transfer_encoding, value);
    } else if (strcasecmp(name, "traceparent") == 0) {
        head->has_two_traces = head->traceparent != NULL; // no reason to refuse a mail
        head->traceparent = value;
    } else if (strcasecmp(name, "Host") == 0) {
        take_once(head, &head->host, value);
    } else if (strcasecmp(name, "Content-Length") == 0) {
        take_length(head, value, value_size);
    }
}

bool http_head_is_sound(struct http_head *head)
{
    // The last line's end, and the empty line's.
    if (head->at && !is_cut_only(head->at, head->end, (size_t)2 * LINE_END_NULS))
        head->is_hostile = true;
    head->at = NULL;
    if (head->is_hostile || (!head->host && !head->is_http_1_0))
        return false;
    // HTTP/1.0 knows none: a proxy that speaks it would end the body elsewhere (RFC 9112 §6.1).
    return !head->transfer_encoding || (!head->is_http_1_0 && !head->has_length &&
                                        strcasecmp(head->transfer_encoding, "chunked") == 0);
}

const char *http_head_admin_key(const struct http_head *head, size_t *ret_size)
{
    static const char bearer[] = "Bearer ";
    if (head->api_key) {
        *ret_size = head->api_key_size;
        return head->api_key;
    }
    if (!head->authorization || strncasecmp(head->authorization, bearer, sizeof(bearer) - 1) != 0)
        return NULL;
    const char *key = head->authorization + sizeof(bearer) - 1;
    key += strspn(key, " ");
    *ret_size = (size_t)(head->authorization + head->authorization_size - key);
    return key;
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
