// http_head.h - a request's headers: those that decide anything, and whether they can be trusted.
//
// libmicrohttpd is lax: of several equal headers it takes the first, and it accepts a length
// together with a transfer encoding. Whatever proxy stands in front may read those otherwise,
// so what could be read in two ways is refused (RFC 9112 §11.2).
#ifndef RELAY_HTTP_HEAD_H
#define RELAY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Values are borrowed; NULL: absent.
struct http_head {
    const char *version; // "HTTP/1.1": set by the caller, the rest 0
    const char *api_key;
    size_t api_key_size;
    const char *content_type;
    const char *content_encoding;
    const char *transfer_encoding;
    const char *host;
    bool has_length;
    int64_t length;
    bool is_hostile;
};

// Takes the next header in; value is NUL-terminated behind value_size.
void http_head_take(struct http_head *head, const char *name, size_t name_size, const char *value,
                    size_t value_size);

// Once all are in: one Host, one way to tell where the body ends, nothing twice, no control
// characters.
bool http_head_is_sound(const struct http_head *head);
// Is the body said to be JSON as it stands, not compressed?
bool http_head_is_json(const struct http_head *head);

#endif
