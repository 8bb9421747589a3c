// head.h - a request's head: what of it decides anything, and whether it can be trusted.
//
// libmicrohttpd is lax: of several equal headers it takes the first, it accepts a length together
// with a transfer encoding, joins folded lines, and ends every text at a NUL. Whatever proxy
// stands in front may read those otherwise, so what could be read in two ways is refused
// (RFC 9112 §11.2). What the library hides is looked for in the bytes it works on.
#ifndef RELAY_HTTP_HEAD_H
#define RELAY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The request line and where it lies: the library cuts the head as it was received into
// NUL-terminated texts. Where texts do not lie in these bytes, in order, the bytes are not judged.
struct http_request_line {
    const char *method, *version; // "POST", "HTTP/1.1"
    const char *target;           // with its query; NULL: not known
    size_t target_size;           // before the library has cut it
    bool target_is_odd;           // by http_head_is_odd_target(), before as well
    const char *bytes;            // the head, from the method on; NULL: not known
    size_t bytes_size;            // to behind the empty line
};

// Begun by http_head_begin(), filled by http_head_take(). Values are borrowed; NULL: absent.
struct http_head {
    const char *api_key;
    size_t api_key_size;
    const char *authorization;
    size_t authorization_size;
    const char *content_type;
    const char *content_encoding;
    const char *transfer_encoding;
    const char *host;
    const char *traceparent;
    bool has_two_traces; // so it is of none
    bool has_length;
    int64_t length;

    bool is_http_1_0;
    bool is_hostile;
    const char *at, *end; // what of the bytes was not accounted for yet; NULL: not judged
};

// Are there bytes in a request's target that no URI has, such as spaces and control characters?
bool http_head_is_odd_target(const char *target);

void http_head_begin(struct http_head *head, const struct http_request_line *line);

// Takes the next header in; name and value are NUL-terminated behind their sizes.
void http_head_take(struct http_head *head, const char *name, size_t name_size, const char *value,
                    size_t value_size);

// Once all are in: one Host, one way to tell where the body ends, nothing twice, names that are
// names, no control characters, nothing hidden.
bool http_head_is_sound(struct http_head *head);
// The key that whoever calls the admin API shows: X-Api-Key, or else what stands behind `Bearer` in
// Authorization. NULL: none.
const char *http_head_admin_key(const struct http_head *head, size_t *ret_size);
// Is the body said to be JSON as it stands, not compressed?
bool http_head_is_json(const struct http_head *head);

#endif
