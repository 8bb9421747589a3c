// buffer.h - bytes that grow up to a limit.
//
// Appending cannot fail where it stands: past the limit, or without memory, the buffer turns
// `failed` and takes nothing more. Whoever reads the result checks `failed` once.
// What it holds may be a code or a link, so it is wiped when it is dropped, and before its memory
// is given back.
#ifndef RELAY_BASE_BUFFER_H
#define RELAY_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data; // always NUL-terminated behind size once something was appended; else NULL
    size_t size;
    size_t capacity;
    size_t limit_bytes;
    bool failed;
    bool no_memory; // that is why it failed: not for its limit
};

void buffer_init(struct buffer *buffer, size_t limit_bytes);
void buffer_finish(struct buffer *buffer); // usable again only after buffer_init()

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Makes room for size more bytes and returns where they go, or NULL (and failed). The caller
// writes there and then calls buffer_added() with how many bytes it wrote.
void *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_added(struct buffer *buffer, size_t size);

// Drops the first size bytes, keeping the rest.
void buffer_consume(struct buffer *buffer, size_t size);
// Empties it, keeping its memory, and clears failed.
void buffer_clear(struct buffer *buffer);
// Hands the bytes (NUL-terminated, never NULL unless failed) to the caller, who frees them.
char *buffer_take(struct buffer *buffer);

#define AUTO_BUFFER __attribute__((cleanup(buffer_finish)))

#endif
