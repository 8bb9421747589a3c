// `courier-relay render`: what mails look like, made by a composer of its own and sent to nobody.
#include <stdio.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/number.h"
#include "relay/cli/cli.h"
#include "relay/cli/example_mail.h"
#include "relay/cli/gallery.h"
#include "relay/cli/payload_mail.h"
#include "relay/cli/viewer.h"

enum { CANONICAL_MAX = 1024 * 1024, MAILS_MAX = 16 };
enum {
    OPTION_TYPE = 256,
    OPTION_LOCALE,
    OPTION_BRAND,
    OPTION_PART,
    OPTION_PAYLOAD,
    OPTION_ROUTE,
    OPTION_INDEX,
    OPTION_ALL
};

static const char help[] =
    "courier-relay render --type T [--locale L] [--brand B] [--part P]\n"
    "courier-relay render --payload FILE [--type T] [--locale L] [--brand B] [--part P]\n"
    "courier-relay render --all DIR [--brand B]\n"
    "\n"
    "Shows a mail as the relay would send it now, and sends nothing. Needs no running daemon, no\n"
    "API key and no smarthost; where RELAY_MAIL_FROM is not set the sender is made up.\n"
    "\n"
    "With a type alone the mail is an example, with a code or a link as the type needs it. A\n"
    "payload goes through the normaliser first, as if it had been posted. What would be parked is\n"
    "not shown: exit status 1, and the reason.\n"
    "\n"
    "  --type T         as in login_code_valid; with --payload: it must be of that type\n"
    "  --locale L       a language, as in hu, addressed as the brand does; or a variant, as in\n"
    "                   hu-x-formal; else what the mail itself would get\n"
    "  --brand B        its name; else what the mail itself would get\n"
    "  --part P         text, html, eml (the whole message) or subject; else text\n"
    "  --payload FILE   a payload (-: standard input)\n"
    "  --route R        with --payload: the route that it comes by; else kratos\n"
    "  --index N        with --payload: the Nth of several mails\n"
    "  --all DIR        every type in every locale and brand as DIR/BRAND/LOCALE/TYPE.html, .txt\n"
    "                   and .eml, and DIR/index.html that leads to them; a language as the brand\n"
    "                   addresses people in it. DIR must be new, empty, or of an earlier --all,\n"
    "                   whose files are replaced; none is deleted\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n"
    "\n"
    "courier-relay templates list shows the types, locales and brands.\n";

struct arguments {
    const char *config_file, *type, *locale, *brand, *payload_file, *route, *all_dir;
    const char *part_name;
    enum view_part part;
    int64_t index; // from 1; 0: not told
};

// ---- one mail -------------------------------------------------------------------------------

static bool make_example(const struct viewer *viewer, const struct arguments *arguments,
                         struct buffer *canonical)
{
    const json_t *type = viewer_find(viewer, VIEWER_TYPES, arguments->type);
    // The first brand is the default one.
    const json_t *brand = arguments->brand ? viewer_find(viewer, VIEWER_BRANDS, arguments->brand)
                                           : json_array_get(viewer_list(viewer, VIEWER_BRANDS), 0);
    if (!type || !brand)
        return false;
    if (example_mail(type, brand, clock_wall_ms(), canonical))
        return true;
    cli_complain("no memory");
    return false;
}

// Appends the part that is wanted to out.
static int show(struct viewer *viewer, const struct arguments *arguments,
                const struct buffer *canonical, struct buffer *out)
{
    struct error err = {0};
    AUTO_VIEW struct view view = {0};
    if (!viewer_show(viewer, canonical, arguments->locale, arguments->brand, &view, &err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    if (view.park) {
        cli_complain("%s would be parked: %s",
                     arguments->payload_file ? arguments->payload_file : arguments->type,
                     view.park);
        return CLI_FAILED;
    }
    const struct frame_blob *part = &view.parts[arguments->part];
    buffer_append(out, part->data, part->size);
    if (arguments->part == VIEW_SUBJECT)
        buffer_putc(out, '\n');
    if (!out->failed)
        return CLI_DONE;
    cli_complain("no memory");
    return CLI_FAILED;
}

static int render_one(struct viewer *viewer, const struct arguments *arguments, const char *route)
{
    AUTO_BUFFER struct buffer canonical, out;
    buffer_init(&canonical, CANONICAL_MAX);
    buffer_init(&out, FRAME_TOTAL_MAX);
    int status = CLI_DONE;
    const struct payload_choice choice = {arguments->payload_file, route, arguments->type,
                                          (size_t)arguments->index};
    if (choice.file)
        status = payload_mail(viewer, &choice, &canonical);
    else if (!make_example(viewer, arguments, &canonical))
        status = CLI_FAILED;
    if (status == CLI_DONE)
        status = show(viewer, arguments, &canonical, &out);
    viewer_end(viewer);
    if (status == CLI_DONE && out.size > 0)
        fwrite(out.data, 1, out.size, stdout);
    return status;
}

static const char *find_route(const struct config *config, const char *name)
{
    if (!name)
        return config->routes[0].name;
    for (size_t i = 0; i < config->route_count; i++)
        if (strcmp(config->routes[i].name, name) == 0)
            return config->routes[i].name;
    AUTO_BUFFER struct buffer names;
    buffer_init(&names, CANONICAL_MAX);
    for (size_t i = 0; i < config->route_count; i++)
        buffer_printf(&names, "%s%s", i > 0 ? ", " : "", config->routes[i].name);
    cli_complain("there is no route %s; there are: %s", name, names.data ? names.data : "");
    return NULL;
}

// What was named is known; else complained of.
static bool knows(const struct viewer *viewer, const struct arguments *arguments)
{
    bool locale = !arguments->locale || viewer_find(viewer, VIEWER_LOCALES, arguments->locale);
    bool brand = !arguments->brand || viewer_find(viewer, VIEWER_BRANDS, arguments->brand);
    return locale && brand;
}

static int run(const struct arguments *arguments)
{
    enum config_purpose purpose = arguments->payload_file ? CONFIG_FOR_MAILS : CONFIG_FOR_TEMPLATES;
    struct config *config = cli_load(arguments->config_file, purpose, CLI_WARNINGS_NONE);
    if (!config)
        return CLI_FAILED;
    int status = CLI_FAILED;
    struct viewer viewer = {0};
    const char *route = find_route(config, arguments->route);
    if (route && viewer_open(&viewer, config) && knows(&viewer, arguments))
        status = arguments->all_dir ? gallery_write(&viewer, arguments->all_dir, arguments->brand)
                                    : render_one(&viewer, arguments, route);
    viewer_close(&viewer);
    config_destroy(config);
    return cli_finish_output() ? status : CLI_FAILED;
}

// ---- the command line ---------------------------------------------------------------------------

static bool find_part(const char *name, enum view_part *ret_part)
{
    static const char *const names[] = {
        [VIEW_SUBJECT] = "subject", [VIEW_TEXT] = "text", [VIEW_HTML] = "html", [VIEW_EML] = "eml"};
    for (int i = 0; i < VIEW_PARTS; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_part = (enum view_part)i;
            return true;
        }
    return false;
}

static int check_words(struct arguments *arguments)
{
    const struct {
        const char *name;
        bool is_given, needs_payload;
    } others[] = {
        {"--type", arguments->type != NULL, false},
        {"--locale", arguments->locale != NULL, false},
        {"--part", arguments->part_name != NULL, false},
        {"--payload", arguments->payload_file != NULL, false},
        {"--route", arguments->route != NULL, true},
        {"--index", arguments->index > 0, true},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (arguments->all_dir && others[i].is_given)
            return cli_usage("render", "--all and %s do not go together", others[i].name);
        if (!arguments->payload_file && others[i].is_given && others[i].needs_payload)
            return cli_usage("render", "%s needs --payload", others[i].name);
    }
    if (!arguments->all_dir && !arguments->type && !arguments->payload_file)
        return cli_usage("render", "needs one of --type, --payload and --all");
    arguments->part = VIEW_TEXT;
    if (arguments->part_name && !find_part(arguments->part_name, &arguments->part))
        return cli_usage("render", "--part is none of text, html, eml and subject");
    return CLI_DONE;
}

// CLI_DONE: go on. Else the status to end with; help was asked for where *ret_help.
static int parse_options(int argc, char **argv, struct arguments *arguments, bool *ret_help)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS,
        {"type", required_argument, NULL, OPTION_TYPE},
        {"locale", required_argument, NULL, OPTION_LOCALE},
        {"brand", required_argument, NULL, OPTION_BRAND},
        {"part", required_argument, NULL, OPTION_PART},
        {"payload", required_argument, NULL, OPTION_PAYLOAD},
        {"route", required_argument, NULL, OPTION_ROUTE},
        {"index", required_argument, NULL, OPTION_INDEX},
        {"all", required_argument, NULL, OPTION_ALL},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            arguments->config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            *ret_help = true;
            break;
        case OPTION_TYPE:
            arguments->type = optarg;
            break;
        case OPTION_LOCALE:
            arguments->locale = optarg;
            break;
        case OPTION_BRAND:
            arguments->brand = optarg;
            break;
        case OPTION_PART:
            arguments->part_name = optarg;
            break;
        case OPTION_PAYLOAD:
            arguments->payload_file = optarg;
            break;
        case OPTION_ROUTE:
            arguments->route = optarg;
            break;
        case OPTION_INDEX:
            if (!number_parse(optarg, strlen(optarg), MAILS_MAX, &arguments->index) ||
                arguments->index == 0)
                return cli_usage("render", "--index is not from 1 to %d", MAILS_MAX);
            break;
        case OPTION_ALL:
            arguments->all_dir = optarg;
            break;
        default:
            return cli_show_help("render");
        }
    }
    return CLI_DONE;
}

int cli_render(int argc, char **argv)
{
    struct arguments arguments = {0};
    bool wants_help = false;
    int status = parse_options(argc, argv, &arguments, &wants_help);
    if (status != CLI_DONE)
        return status;
    if (wants_help) {
        fputs(help, stdout);
        return cli_finish_output() ? CLI_DONE : CLI_FAILED;
    }
    if (optind < argc)
        return cli_usage("render", "%s is too much", argv[optind]);
    status = check_words(&arguments);
    return status == CLI_DONE ? run(&arguments) : status;
}
