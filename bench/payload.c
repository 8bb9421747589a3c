#include "bench/payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *payload_read(const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        error_errno(err, ERR_INPUT, "open %s", path);
        return NULL;
    }
    char *pattern = calloc(1, PAYLOAD_BYTES_MAX + 1);
    size_t size = pattern ? fread(pattern, 1, PAYLOAD_BYTES_MAX, file) : 0;
    if (size == 0) {
        error_set(err, ERR_INPUT, "%s is empty or cannot be read", path);
        free(pattern);
        pattern = NULL;
    }
    fclose(file);
    return pattern;
}

void payload_put(struct buffer *out, const char *pattern, unsigned run, size_t number)
{
    const char *at = pattern;
    for (const char *mark; (mark = strchr(at, '@')) != NULL;) {
        buffer_append(out, at, (size_t)(mark - at));
        if (strncmp(mark, "@ID@", 4) == 0) {
            buffer_printf(out, "b%08zu", number);
            at = mark + 4;
        } else if (strncmp(mark, "@CODE@", 6) == 0) {
            buffer_printf(out, "%06zu", (number * 7919 + run * 104729u) % 1000000);
            at = mark + 6;
        } else if (strncmp(mark, "@RUN@", 5) == 0) {
            buffer_printf(out, "%u", run);
            at = mark + 5;
        } else {
            buffer_putc(out, '@');
            at = mark + 1;
        }
    }
    buffer_puts(out, at);
}
