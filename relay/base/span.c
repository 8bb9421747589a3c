#include "relay/base/span.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

struct span span_cut(struct span *span, char stop)
{
    const char *at = memchr(span->at, stop, span->size);
    size_t size = at ? (size_t)(at - span->at) : span->size;
    struct span head = {span->at, size};
    size_t skipped = at ? size + 1 : size;
    span->at += skipped;
    span->size -= skipped;
    return head;
}

bool span_skip(struct span *span, const char *prefix)
{
    size_t size = strlen(prefix);
    if (span->size < size || strncasecmp(span->at, prefix, size) != 0)
        return false;
    span->at += size;
    span->size -= size;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *span_decode(struct span span, const char *what, struct error *err)
{
    char *text = malloc(span.size + 1);
    if (!text) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < span.size; i++) {
        char c = span.at[i];
        if (c == '%') {
            bool whole = i + 2 < span.size;
            int high = whole ? hex_digit(span.at[i + 1]) : -1;
            int low = whole ? hex_digit(span.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                goto bad;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            goto bad;
        text[used++] = c;
    }
    text[used] = '\0';
    return text;
bad:
    explicit_bzero(text, used);
    free(text);
    error_set(err, ERR_INPUT,
              "the %s is not percent-encoded rightly: a '%%' is written %%25, '@' %%40, '/' %%2F",
              what);
    return NULL;
}
