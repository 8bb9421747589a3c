// fault.h - what is wrong with the operator's files, collected so that one look shows all of it.
//
// A fault is {"where": "hu.json:12", "what": "..."} in a JSON array, the form that the composer
// hands to the core and `courier-relay check` prints.
#ifndef TEMPLATES_FAULT_H
#define TEMPLATES_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

// Appends a fault; line 0 means that it has none, and where is then the file alone. Bytes that are
// no UTF-8 and control characters are replaced, and the middle of a long text is left out. Returns
// false, so that `return fault_at(...)` reads well. Out of memory ends the process: a fault that
// got lost would let a bad file pass.
bool fault_at(json_t *faults, const char *file, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
