// `courier-relay templates`: what the templates folder holds, and whether it is in order.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/utf8.h"
#include "relay/cli/cli.h"
#include "relay/cli/viewer.h"
#include "relay/member_text.h"

enum { OPTION_JSON = 256 };

static const char help[] =
    "courier-relay templates list [--json]\n"
    "courier-relay templates check\n"
    "\n"
    "list shows what RELAY_TEMPLATES_DIR holds: each type of mail, what it needs, and the files "
    "of\n"
    "types/TYPE that go before the shared ones; each locale, and how many of all texts it has; "
    "each\n"
    "brand, and the OAuth2 clients whose mails get it.\n"
    "\n"
    "check loads all of it, as the relay does, with what else mails are made of (sender, headers,\n"
    "lifetimes), and names every fault with file and line, or key. Neither needs a running daemon, "
    "an\n"
    "API key or a smarthost. Exit status 0: all is well.\n"
    "\n"
    "  --json           list: one JSON object a line\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

static const char *shown(const json_t *object, const char *name)
{
    return member_text_or(object, name, "-");
}

// As many columns as letters, which marks above letters make a little more than there are.
static void print_column(const char *text, int width)
{
    cli_print_safely(text);
    for (const char *at = text; *at; at++)
        width -= !utf8_continues(*at);
    printf("%*s  ", width > 0 ? width : 0, "");
}

// ---- list, for people ---------------------------------------------------------------------------

static void print_type(const json_t *type)
{
    print_column(shown(type, "name"), 29);
    cli_print_safely(shown(type, "need"));
    putchar('\n');
    size_t index;
    const json_t *file;
    json_array_foreach(json_object_get(type, "overrides"), index, file)
    {
        fputs("    types/", stdout);
        cli_print_safely(shown(type, "name"));
        putchar('/');
        cli_print_safely(json_string_value(file));
        putchar('\n');
    }
}

static json_int_t count_texts(const json_t *locale)
{
    return json_integer_value(json_object_get(locale, "texts"));
}

// The most texts that a locale has: catalogs that are in order have all the same.
static json_int_t most_texts(const struct viewer *viewer)
{
    json_int_t most = 0;
    size_t index;
    const json_t *locale;
    json_array_foreach(viewer_list(viewer, VIEWER_LOCALES), index, locale)
    {
        if (count_texts(locale) > most)
            most = count_texts(locale);
    }
    return most;
}

static void print_locale(const struct viewer *viewer, const json_t *locale)
{
    const char *name = viewer_name(locale, VIEWER_LOCALES);
    bool is_default = strcmp(name, shown(viewer->known, "default_locale")) == 0;
    print_column(name, 14);
    print_column(shown(locale, "dir"), 9);
    printf("%4lld of %-4lld  ", (long long)count_texts(locale), (long long)most_texts(viewer));
    cli_print_safely(shown(locale, "name"));
    puts(is_default ? "  (where none is known)" : "");
}

static void print_brand(const json_t *brand)
{
    print_column(viewer_name(brand, VIEWER_BRANDS), 14);
    print_column(shown(brand, "address"), 9);
    print_column(shown(brand, "locale"), 12);
    cli_print_safely(shown(brand, "name"));
    putchar('\n');
    size_t index;
    const json_t *client;
    json_array_foreach(json_object_get(brand, "clients"), index, client)
    {
        fputs("    client ", stdout);
        cli_print_safely(json_string_value(client));
        putchar('\n');
    }
}

static void print_lists(const struct viewer *viewer)
{
    size_t index;
    const json_t *member;
    printf("%-29s  %s\n", "TYPE", "NEEDS");
    json_array_foreach(viewer_list(viewer, VIEWER_TYPES), index, member) print_type(member);
    printf("\n%-14s  %-9s  %-12s  %s\n", "LOCALE", "DIRECTION", "TEXTS", "NAME");
    json_array_foreach(viewer_list(viewer, VIEWER_LOCALES), index, member)
        print_locale(viewer, member);
    printf("\n%-14s  %-9s  %-12s  %s\n", "BRAND", "ADDRESS", "LOCALE", "NAME");
    json_array_foreach(viewer_list(viewer, VIEWER_BRANDS), index, member) print_brand(member);
}

// ---- list, for programs -------------------------------------------------------------------------

// {"kind": "type", ...what `described` says of it}. False: no memory, or it could not be written.
static bool print_json(const char *kind, json_t *member, const char *default_locale)
{
    json_auto_t *line = json_pack("{s:s}", "kind", kind);
    const char *locale = json_string_value(json_object_get(member, "locale"));
    bool is_made = line && json_object_update(line, member) == 0;
    if (is_made && default_locale)
        is_made =
            json_object_set_new(line, "default",
                                json_boolean(locale && strcmp(locale, default_locale) == 0)) == 0;
    return is_made && json_dumpf(line, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
}

static bool print_lines(const struct viewer *viewer)
{
    static const char *const kinds[] = {
        [VIEWER_TYPES] = "type", [VIEWER_LOCALES] = "locale", [VIEWER_BRANDS] = "brand"};
    for (int i = 0; i <= VIEWER_BRANDS; i++) {
        const char *standard = i == VIEWER_LOCALES ? shown(viewer->known, "default_locale") : NULL;
        size_t index;
        json_t *member;
        json_array_foreach(viewer_list(viewer, (enum viewer_list)i), index, member)
        {
            if (!print_json(kinds[i], member, standard))
                return false;
        }
    }
    return true;
}

// ---- the command --------------------------------------------------------------------------------

static void print_count(size_t count, const char *what, const char *behind)
{
    printf("%zu %s%s%s", count, what, count == 1 ? "" : "s", behind);
}

static void print_verdict(const struct viewer *viewer)
{
    fputs("ok: ", stdout);
    print_count(json_array_size(viewer_list(viewer, VIEWER_TYPES)), "type", ", ");
    print_count(json_array_size(viewer_list(viewer, VIEWER_LOCALES)), "locale", ", ");
    print_count(json_array_size(viewer_list(viewer, VIEWER_BRANDS)), "brand", "\n");
}

static int run(const char *config_file, bool is_check, bool json)
{
    struct config *config = cli_load(config_file, CONFIG_FOR_TEMPLATES, CLI_WARNINGS_NONE);
    if (!config)
        return CLI_FAILED;
    struct viewer viewer;
    bool done = viewer_open(&viewer, config);
    viewer_end(&viewer);
    if (done && is_check)
        print_verdict(&viewer);
    else if (done && json)
        done = print_lines(&viewer);
    else if (done)
        print_lists(&viewer);
    viewer_close(&viewer);
    config_destroy(config);
    return cli_finish_output() && done ? CLI_DONE : CLI_FAILED;
}

int cli_templates(int argc, char **argv)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS,
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    const char *config_file = NULL;
    bool json = false;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        if (option == CLI_OPTION_HELP) {
            fputs(help, stdout);
            return cli_finish_output() ? CLI_DONE : CLI_FAILED;
        }
        if (option == CLI_OPTION_CONFIG)
            config_file = optarg;
        else if (option == OPTION_JSON)
            json = true;
        else
            return cli_show_help("templates");
    }
    const char *verb = optind < argc ? argv[optind] : "";
    bool is_check = strcmp(verb, "check") == 0;
    if (!is_check && strcmp(verb, "list") != 0)
        return cli_usage("templates", "needs one of list and check");
    if (optind + 1 < argc)
        return cli_usage("templates", "%s is too much", argv[optind + 1]);
    if (is_check && json)
        return cli_usage("templates", "--json belongs to list");
    return run(config_file, is_check, json);
}
