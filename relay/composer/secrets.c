#include "relay/composer/secrets.h"

#include <string.h>

#include "relay/composer/query.h"
#include "templates/value.h"

enum {
    SECRET_MIN = 4,   // shorter ones are in every reply
    SEGMENT_MIN = 16, // of a path: the words there are shorter, tokens are not
    SECRET_MAX = 4096,
};

static void add(struct buffer *out, const char *text, size_t size)
{
    if (size < SECRET_MIN || size > SECRET_MAX || out->limit_bytes - out->size < size + 1)
        return;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ')
            return;
    buffer_append(out, text, size);
    buffer_putc(out, '\n');
}

static void add_encoded(struct buffer *out, const char *text, size_t size)
{
    char decoded[SECRET_MAX];
    add(out, text, size);
    if (memchr(text, '%', size) && query_decode(text, text + size, decoded, sizeof(decoded)))
        add(out, decoded, strlen(decoded));
}

// rest: what stands behind the link's "://". Values of its query and its fragment may be tokens,
// and segments of its path that are long.
static void add_link(struct buffer *out, const char *rest, size_t size)
{
    const char *end = rest + size;
    const char *at = rest;
    while (at < end && !strchr("/?#", *at))
        at++;
    for (bool is_value = false; at < end;) {
        const char *piece = at;
        while (at < end && !strchr("/?#&;=", *at))
            at++;
        if (at - piece >= (is_value ? SECRET_MIN : SEGMENT_MIN))
            add_encoded(out, piece, (size_t)(at - piece));
        is_value = at < end && *at == '=';
        at++;
    }
}

static void add_links(struct buffer *out, const char *text)
{
    while (text && (text = strstr(text, "://"))) {
        text += strlen("://");
        size_t size = strcspn(text, " \t\r\n\"'<>()");
        add_link(out, text, size);
        text += size;
    }
}

void secrets_write(const struct mail *mail, struct buffer *out)
{
    const json_t *code = json_object_get(mail->data, "code");
    const char *text = json_string_value(code);
    char digits[VALUE_CODE_SIZE];
    if (text)
        add(out, text, strlen(text));
    else if (value_read_code(code, digits))
        add(out, digits, strlen(digits));
    add_links(out, mail_data_text(mail, "url"));
    add_links(out, mail->text);
    add_links(out, mail->html);
}
