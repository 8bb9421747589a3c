#include "relay/cli.h"

#include <stdarg.h>
#include <stdio.h>

static void complain(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void complain(const char *format, va_list args)
{
    fputs("courier-relay: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    fprintf(stderr, "Try: courier-relay %s%s--help\n", command, *command ? " " : "");
    return CLI_USAGE;
}

int cli_next_option(int argc, char **argv, const struct option *options)
{
    // ':' first: a missing argument is told from an unknown option, and getopt itself is silent.
    int option = getopt_long(argc, argv, ":c:h", options, NULL);
    if (option == ':')
        cli_complain("%s needs a value", argv[optind - 1]);
    else if (option == '?')
        cli_complain("unknown option %s", argv[optind - 1]);
    return option == ':' ? '?' : option;
}

struct config *cli_load(const char *file, enum config_purpose purpose, bool show_warnings)
{
    struct config_report report;
    struct config *config = config_load(file, purpose, &report);
    for (size_t i = 0; i < report.count; i++) {
        const struct config_finding *finding = &report.findings[i];
        if (finding->fault || show_warnings)
            cli_complain("%s%s: %s", finding->fault ? "" : "warning: ", finding->where,
                         finding->what);
    }
    if (report.failed)
        cli_complain("no memory");
    config_report_finish(&report);
    return config;
}
