// findings.h - what a look has found: counted, and printed at once. Knows nothing of what is looked
// at.
#ifndef RELAY_CLI_FINDINGS_H
#define RELAY_CLI_FINDINGS_H

#include <stdbool.h>

enum severity { SEVERITY_FINE, SEVERITY_WARNING, SEVERITY_ERROR };

struct findings {
    bool json, has_colour;
    bool failed; // not all could be told
    unsigned counts[SEVERITY_ERROR + 1];
};

// Why a finding matters, and what to do about it.
struct advice {
    const char *why, *what_to_do;
};

// Prints a finding: never a secret, or anybody's address. subject: what was looked at, as in
// "smarthost smtp.example.com:587". advice is NULL exactly where it is SEVERITY_FINE.
void findings_tell(struct findings *findings, enum severity severity, const char *subject,
                   const struct advice *advice, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
