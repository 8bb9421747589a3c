// heap.c - whatever is freed is wiped, by whoever it was allocated: codes and links pass through
// JSON, MIME, templates and libraries, and none of those knows what in its memory was one.
//
// Nobody calls this: a program that is linked with it frees like this, and so do its libraries.
// Not with sanitizers, which have a heap of their own.
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/sanitized.h"

#if !SANITIZED

enum { SMALL_BYTES = 128 };

// What the C library's own free() is called beside its public name.
void __libc_free(void *memory);

// Most blocks are small, and a mail is thousands of them: a call would take longer than the bytes.
static inline void wipe(char *memory, size_t size)
{
    if (size > SMALL_BYTES || size % sizeof(uint64_t) != 0) {
        explicit_bzero(memory, size);
        return;
    }
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        memcpy(memory + at, &(uint64_t){0}, sizeof(uint64_t));
        __asm__ volatile("" : : "r"(memory) : "memory"); // as if somebody read it
    }
}

void free(void *memory)
{
    if (!memory)
        return;
    wipe(memory, malloc_usable_size(memory));
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
