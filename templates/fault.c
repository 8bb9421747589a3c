#include "templates/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool fault_at(json_t *faults, const char *file, size_t line, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);

    // A cut text may end within a character; such an ending is replaced, not the fault lost.
    json_t *text = json_string(what);
    if (!text)
        text = json_string("a fault whose text is not UTF-8");
    json_t *where = line ? json_sprintf("%s:%zu", file, line) : json_string(file);
    if (!where)
        where = json_string("a file whose name is not UTF-8");
    json_t *fault = json_object();
    if (json_object_set_new(fault, "where", where) != 0 ||
        json_object_set_new(fault, "what", text) != 0 || json_array_append_new(faults, fault) != 0)
        abort();
    return false;
}
