// error.h - what went wrong, and what the caller can do about it.
//
// A function that can fail takes `struct error *err` last and returns false or NULL; err is
// filled then, and only then. The struct lives on the caller's stack, so it cannot leak.
#ifndef RELAY_BASE_ERROR_H
#define RELAY_BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERR_NONE = 0,
    ERR_INPUT,     // what was given is wrong; the same again fails again
    ERR_TEMPORARY, // may work later
    ERR_FULL,      // the same, once a disk has space again
    ERR_PERMANENT, // will never work
    ERR_UNKNOWN,   // it may have happened
    ERR_IO,        // a file, disk or socket failed
    ERR_CORRUPT,   // what is on disk is not what was written
};

struct error {
    enum error_code code;
    char message[512]; // names the thing at fault; never a secret
};

// Fills *err (NULL is allowed) and returns false, so that `return error_set(...)` reads well.
// A message too long for the struct is cut.
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same, with ": " and the text of the current errno behind it. Leaves errno as it was.
bool error_errno(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "context: " before the message that *err already holds. Returns false.
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
