#include "relay/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/log.h"
#include "relay/base/utf8.h"
#include "relay/config/look.h"
#include "relay/member_text.h"

// A composer is not timed when it loads, unlike in the daemon: a cold or sanitized one is slow.
enum { LOAD_LIMIT_MS = 20000 };

// Those that move the cursor, and those that turn the writing around.
static bool drives_terminal(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) ||
           (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_safe(const char *text, size_t *ret_size)
{
    uint32_t point;
    *ret_size = utf8_decode(text, strlen(text), &point);
    return !drives_terminal(point) && !(*ret_size == 1 && point > 0x7F);
}

// In place: a '?' is never longer than what it stands for.
static void make_safe(char *text)
{
    size_t size;
    char *to = text;
    for (const char *at = text; *at; at += size) {
        if (!is_safe(at, &size)) {
            *to++ = '?';
            continue;
        }
        memmove(to, at, size);
        to += size;
    }
    *to = '\0';
}

static void complain(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void complain(const char *format, va_list args)
{
    AUTO_FREE char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    make_safe(text);
    fprintf(stderr, "courier-relay: %s\n", text);
}

void cli_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
}

int cli_show_help(const char *command)
{
    fprintf(stderr, "Try: courier-relay %s%s--help\n", command, *command ? " " : "");
    return CLI_USAGE;
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return cli_show_help(command);
}

int cli_next_option(int argc, char **argv, const struct option *options)
{
    return cli_next_option_at(argc, argv, options, NULL);
}

int cli_next_option_at(int argc, char **argv, const struct option *options, int *ret_index)
{
    // ':' first: a missing argument is told from an unknown option, and getopt itself is silent.
    int option = getopt_long(argc, argv, ":c:h", options, ret_index);
    if (option == ':')
        cli_complain("%s needs a value", argv[optind - 1]);
    else if (option == '?')
        cli_complain("unknown option %s", argv[optind - 1]);
    return option == ':' ? '?' : option;
}

bool cli_take_config(int argc, char **argv, const char *command, const char *help,
                     const char **ret_file, int *ret_status)
{
    static const struct option options[] = {CLI_COMMON_OPTIONS, {NULL, 0, NULL, 0}};
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        if (option == CLI_OPTION_CONFIG) {
            *ret_file = optarg;
            continue;
        }
        *ret_status = CLI_DONE;
        if (option != CLI_OPTION_HELP) {
            *ret_status = cli_show_help(command);
            return false;
        }
        fputs(help, stdout);
        putchar('\n');
        config_print_settings();
        return false;
    }
    if (optind == argc)
        return true;
    *ret_status = cli_usage(command, "%s is too much", argv[optind]);
    return false;
}

struct config *cli_load(const char *file, enum config_purpose purpose, enum cli_warnings warnings)
{
    struct config_report report;
    struct config *config = config_load(file, purpose, &report);
    if (config && purpose != CONFIG_FOR_QUEUE && purpose != CONFIG_FOR_HEALTH &&
        purpose != CONFIG_FOR_COMMAND)
        config_look(config, false, &report);
    if (config && warnings == CLI_WARNINGS_LOG)
        log_setup(config->log_format, config->log_level);
    for (size_t i = 0; i < report.count; i++) {
        const struct config_finding *finding = &report.findings[i];
        if (finding->fault)
            cli_complain("%s: %s", finding->where, finding->what);
        else if (warnings == CLI_WARNINGS_PRINT)
            cli_complain("warning: %s: %s", finding->where, finding->what);
        else if (warnings == CLI_WARNINGS_LOG)
            LOG(LOG_WARNING, "setting", LOG_STRING("where", finding->where),
                LOG_STRING("what", finding->what));
    }
    if (report.failed)
        cli_complain("no memory");
    if (config && config_report_has_fault(&report)) {
        config_destroy(config);
        config = NULL;
    }
    config_report_finish(&report);
    return config;
}

void cli_complain_of(const struct config *config, const json_t *faults)
{
    size_t index;
    json_t *one;
    json_array_foreach(faults, index, one)
        cli_complain("%s: %s", config_place(config, member_text_or(one, "where", "composer")),
                     member_text_or(one, "what", "is at fault"));
}

// What a composer that is not ready has found; gives how many faults that are.
static unsigned complain_of_answer(const struct config *config, const json_t *answer)
{
    const json_t *faults = json_object_get(answer, "faults");
    cli_complain_of(config, faults);
    if (json_array_size(faults) > 0)
        return (unsigned)json_array_size(faults);
    cli_complain("%s: is not ready, and does not say why", config->composer_path);
    return 1;
}

struct child_session *cli_start_composer(const struct config *config, const json_t *init,
                                         json_t **ret_ready, unsigned *ret_faults)
{
    struct error err = {0};
    json_t *answer = NULL;
    struct frame frame;
    struct child_session *session = NULL;
    if (init)
        session = composer_session_create(config->composer_path, &err);
    else
        error_set(&err, ERR_INPUT, "a setting is no UTF-8, or there is no memory");
    *ret_faults = 0;
    if (!session ||
        !child_session_ask(session, init, NULL, 0, LOAD_LIMIT_MS, &answer, &frame, &err)) {
        cli_complain("%s: %s", config->composer_path, err.message);
        *ret_faults = 1;
    } else if (strcmp(member_text_or(answer, "op", ""), "ready") != 0) {
        *ret_faults = complain_of_answer(config, answer);
    }
    if (*ret_faults == 0) {
        *ret_ready = answer;
        return session;
    }
    json_decref(answer);
    child_session_destroy(session);
    return NULL;
}

size_t cli_print_character(const char *text)
{
    size_t size;
    if (is_safe(text, &size))
        fwrite(text, 1, size, stdout);
    else
        putchar('?');
    return size;
}

void cli_print_safely(const char *text)
{
    while (*text)
        text += cli_print_character(text);
}

char *cli_endpoint_url(const struct endpoint *endpoint, const char *path)
{
    // An address to listen on at every interface is none to connect to.
    const char *host = endpoint->host;
    if (!*host || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    bool is_ipv6 = strchr(host, ':') != NULL;
    char *url;
    if (endpoint->port == 0)
        return NULL;
    if (asprintf(&url, "http://%s%s%s:%u%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                 (unsigned)endpoint->port, path) < 0)
        abort();
    return url;
}

char *cli_listener_url(const struct config *config, const char *path)
{
    char *url = cli_endpoint_url(&config->listen, path);
    if (!url)
        cli_complain("RELAY_LISTEN takes any free port: say which with --url");
    return url;
}

bool cli_finish_output(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    cli_complain("standard output: %s", errno ? strerror(errno) : "cannot be written");
    return false;
}
