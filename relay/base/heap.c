// heap.c - whatever is freed is wiped, by whoever it was allocated: codes and links pass through
// JSON, MIME, templates and libraries, and none of those knows what in its memory was one.
//
// Nobody calls this: a program that is linked with it frees like this, and so do its libraries.
// Not with sanitizers, which have a heap of their own.
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/sanitized.h"

#if !SANITIZED

// What the C library's own free() is called beside its public name.
void __libc_free(void *memory);

void free(void *memory)
{
    if (!memory)
        return;
    explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
}

// The library's own would leave what it moves behind, in a block that it does not free by name.
void *realloc(void *memory, size_t size)
{
    if (!memory)
        return malloc(size);
    size_t room = malloc_usable_size(memory);
    if (size > 0 && size <= room && size >= room / 2)
        return memory;
    void *moved = size > 0 ? malloc(size) : NULL;
    if (size > 0 && !moved)
        return NULL;
    if (moved)
        memcpy(moved, memory, size < room ? size : room);
    free(memory);
    return moved;
}

#endif
