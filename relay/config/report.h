// report.h - what an operator has to know about the configuration, in the order found.
#ifndef RELAY_CONFIG_REPORT_H
#define RELAY_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

struct config_finding {
    bool fault;  // else a warning
    char *where; // "api_key", "RELAY_API_KEY", "relay.jsonnet"
    char *what;  // never a secret
};
struct config_report {
    struct config_finding *findings;
    size_t count;
    bool failed; // memory ran out: the report is not whole
};

// Adds a finding; where and the text are copied. Without memory the report turns `failed`.
void config_report_add(struct config_report *report, bool fault, const char *where,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
// Is there a fault, or is the report not whole?
bool config_report_has_fault(const struct config_report *report);
void config_report_finish(struct config_report *report);

#endif
