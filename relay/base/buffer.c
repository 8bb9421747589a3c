#include "relay/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t limit_bytes)
{
    *buffer = (struct buffer){.limit_bytes = limit_bytes};
}

void buffer_finish(struct buffer *buffer)
{
    if (!buffer || !buffer->data)
        return;
    explicit_bzero(buffer->data, buffer->capacity);
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
}

// realloc() would leave a copy of the old bytes behind, so the old block is wiped here.
static bool grow(struct buffer *buffer, size_t capacity)
{
    char *data = malloc(capacity);
    if (!data)
        return false;
    if (buffer->data) {
        memcpy(data, buffer->data, buffer->size);
        explicit_bzero(buffer->data, buffer->capacity);
        free(buffer->data);
    }
    data[buffer->size] = '\0';
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->failed || size > buffer->limit_bytes || buffer->size > buffer->limit_bytes - size) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed = buffer->size + size + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity < needed)
            capacity *= 2;
        if (!grow(buffer, capacity)) {
            buffer->failed = buffer->no_memory = true;
            return NULL;
        }
    }
    return buffer->data + buffer->size;
}

void buffer_added(struct buffer *buffer, size_t size)
{
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    void *to = buffer_reserve(buffer, size);
    if (!to)
        return;
    if (size)
        memcpy(to, data, size);
    buffer_added(buffer, size);
}

void buffer_puts(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_putc(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    // Most of what is printed has room already.
    size_t room = buffer->failed ? 0 : buffer->capacity - buffer->size;
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(room > 0 ? buffer->data + buffer->size : NULL, room, format, args);
    va_end(args);
    char *to = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size);
    if (to) {
        if ((size_t)size >= room)
            vsnprintf(to, (size_t)size + 1, format, again);
        buffer_added(buffer, (size_t)size);
    } else {
        buffer->failed = true;
        if (room > 0)
            buffer->data[buffer->size] = '\0';
    }
    va_end(again);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    if (size == 0)
        return;
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
    explicit_bzero(buffer->data + buffer->size, size);
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->size);
    buffer->size = 0;
    buffer->failed = buffer->no_memory = false;
}

char *buffer_take(struct buffer *buffer)
{
    buffer_append(buffer, "", 0);
    if (buffer->failed) {
        buffer_finish(buffer);
        return NULL;
    }
    char *data = buffer->data;
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
    return data;
}
