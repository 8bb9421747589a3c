#include "relay/cli/findings.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/utf8.h"
#include "relay/cli/cli.h"
#include "relay/cli/terminal.h"

static const struct {
    const char *name, *label;
    enum terminal_colour colour;
} severities[] = {
    [SEVERITY_FINE] = {"fine", "ok", TERMINAL_GREEN},
    [SEVERITY_WARNING] = {"warning", "warning", TERMINAL_YELLOW},
    [SEVERITY_ERROR] = {"error", "ERROR", TERMINAL_RED},
};

static void print_json(struct findings *findings, enum severity severity, const char *subject,
                       const struct advice *advice, const char *what)
{
    json_auto_t *line =
        json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "severity", severities[severity].name, "subject",
                  subject, "what", what, "why", advice ? advice->why : NULL, "what_to_do",
                  advice ? advice->what_to_do : NULL);
    if (!line || json_dumpf(line, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        findings->failed = true;
}

static void print_text(const struct findings *findings, enum severity severity, const char *subject,
                       const struct advice *advice, const char *what)
{
    enum terminal_colour colour = severities[severity].colour;
    printf("%s%-8s%s ", terminal_begin(colour, findings->has_colour), severities[severity].label,
           terminal_end(colour, findings->has_colour));
    cli_print_safely(subject);
    fputs(": ", stdout);
    cli_print_safely(what);
    putchar('\n');
    if (advice)
        printf("         why: %s\n         do:  %s\n", advice->why, advice->what_to_do);
}

// The name of a file may be any bytes, which JSON may not.
static void keep_utf8(char *text)
{
    uint32_t point;
    for (size_t size; *text; text += size) {
        size = utf8_decode(text, strlen(text), &point);
        if (size == 1 && point > 0x7F)
            *text = '?';
    }
}

void findings_tell(struct findings *findings, enum severity severity, const char *subject,
                   const struct advice *advice, const char *format, ...)
{
    AUTO_FREE char *what = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        abort();
    va_end(args);
    keep_utf8(what);
    findings->counts[severity]++;
    if (findings->json)
        print_json(findings, severity, subject, advice, what);
    else
        print_text(findings, severity, subject, advice, what);
    fflush(stdout); // the next one may take a while
}
