// Linked into the three programs with -Wl,--wrap: the n-th allocation of our own code fails, once.
//
// Which one is told by a file `allocations` in the working directory, which the core and its
// children share: a struct plan, mapped by each of them before it gives its files up. Libraries'
// own allocations are not touched: what they do without memory is theirs.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// allocations.py writes and reads this.
struct plan {
    struct {
        uint32_t fail_at;         // 0: none
        _Atomic uint32_t fired;   // so many have failed
        _Atomic uint32_t counted; // in the process of this program that made most of them
    } programs[3];
};
static const char *const programs[] = {"courier-relay", "composer", "deliverer"};

static struct plan *plan;
static int program;
static _Atomic uint32_t count;

__attribute__((constructor)) static void map_plan(void)
{
    while (program < 2 && strcmp(program_invocation_short_name, programs[program]) != 0)
        program++;
    int fd = open("allocations", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        plan = at;
}

static bool fails(void)
{
    if (!plan)
        return false;
    uint32_t nth = atomic_fetch_add(&count, 1) + 1;
    uint32_t most = atomic_load(&plan->programs[program].counted);
    while (nth > most &&
           !atomic_compare_exchange_weak(&plan->programs[program].counted, &most, nth)) {
    }
    uint32_t none = 0;
    if (nth != plan->programs[program].fail_at ||
        !atomic_compare_exchange_strong(&plan->programs[program].fired, &none, 1))
        return false;
    errno = ENOMEM;
    return true;
}

#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails() ? NULL : __real_##name arguments;                                           \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t number, size_t size), (number, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, (void *old, size_t number, size_t size), (old, number, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))
// Of the three the core alone has that library.
void *__real_sodium_malloc(size_t size) __attribute__((weak));
WRAP(void *, sodium_malloc, (size_t size), (size))

int __wrap_vasprintf(char **to, const char *format, va_list arguments);
int __wrap_asprintf(char **to, const char *format, ...);
int __wrap___vasprintf_chk(char **to, int flag, const char *format, va_list arguments);
int __wrap___asprintf_chk(char **to, int flag, const char *format, ...);
int __real_vasprintf(char **to, const char *format, va_list arguments);

// glibc says nothing of *to where it fails.
int __wrap_vasprintf(char **to, const char *format, va_list arguments)
{
    return fails() ? -1 : __real_vasprintf(to, format, arguments);
}

int __wrap___vasprintf_chk(char **to, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return __wrap_vasprintf(to, format, arguments);
}

int __wrap_asprintf(char **to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = __wrap_vasprintf(to, format, arguments);
    va_end(arguments);
    return size;
}

int __wrap___asprintf_chk(char **to, int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int size = __wrap_vasprintf(to, format, arguments);
    va_end(arguments);
    return size;
}
