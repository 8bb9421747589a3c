// `courier-relay smarthosts`: which smarthosts the running relay uses, and to pause or resume one.
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/member_text.h"

enum { OPTION_JSON = 256 };

static const char help[] =
    "courier-relay smarthosts [--json]\n"
    "courier-relay smarthosts pause NAME\n"
    "courier-relay smarthosts resume NAME\n"
    "\n"
    "Without a word: the smarthosts of the running relay, in order of preference. STATE is a\n"
    "circuit's: closed (mail flows), open (it failed; it is asked again after a pause), probing "
    "(it is\n"
    "being asked) or paused; REASON is why it is not used: session, suspicious or paused. IN WORDS "
    "is\n"
    "the same, said plainly.\n"
    "\n"
    "pause sends nothing new there, and lets end what is under way; the next smarthost is used, "
    "and\n"
    "without one mail waits. It holds until resume, or until the relay is started again. resume "
    "asks a\n"
    "smarthost whose circuit is open at once.\n"
    "\n"
    "  --json           one JSON object a line\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

struct command {
    const char *act;  // "pause", "resume"; NULL: list them
    const char *name; // of the one that is meant
    bool json;
};

// What its circuit means for mail: `closed` and `open` are easily read the wrong way round.
static void put_words(const json_t *row, bool *is_one_used)
{
    const char *state = member_text_or(row, "state", "-");
    json_int_t wait_ms = json_integer_value(json_object_get(row, "probe_in_ms"));
    if (strcmp(state, "closed") == 0) {
        fputs(*is_one_used ? "ready" : "in use", stdout);
        *is_one_used = true;
    } else if (strcmp(state, "probing") == 0) {
        fputs("down, being asked", stdout);
    } else if (strcmp(state, "open") != 0) {
        fputs(state, stdout);
    } else if (wait_ms > 0) {
        printf("down, asked again in %lld s", (long long)(wait_ms + 999) / 1000);
    } else {
        fputs("down, asked again with the next mail", stdout);
    }
    if (member_text(row, "error")) {
        fputs(": ", stdout);
        cli_print_safely(member_text(row, "error"));
    }
    putchar('\n');
}

static void print_row(const json_t *row, bool *is_one_used)
{
    printf("%-32s %-8s %-10s %-24s %9d %11d  ", member_text_or(row, "name", "-"),
           member_text_or(row, "state", "-"), member_text_or(row, "reason", "-"),
           member_text_or(row, "since", "-"),
           (int)json_integer_value(json_object_get(row, "under_way")),
           (int)json_integer_value(json_object_get(row, "connections")));
    put_words(row, is_one_used);
}

static void print(const struct command *command, const json_t *smarthosts)
{
    size_t index;
    const json_t *row;
    // Of one alone, as an act is answered, it is not known whether another comes before it.
    bool is_one_used = command->act != NULL, has_error = false;
    if (!command->json)
        printf("%-32s %-8s %-10s %-24s %9s %11s  %s\n", "NAME", "STATE", "REASON", "SINCE",
               "UNDER WAY", "CONNECTIONS", "IN WORDS");
    json_array_foreach(smarthosts, index, row)
    {
        if (!command->json) {
            print_row(row, &is_one_used);
            has_error = has_error || member_text(row, "error");
            continue;
        }
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
    }
    if (has_error && isatty(STDOUT_FILENO))
        printf("\n`courier-relay doctor` says what to do about each.\n");
}

// A name may hold a ':', and whatever else somebody types. The caller frees it.
static char *make_path(const struct command *command)
{
    struct buffer path;
    buffer_init(&path, PATH_MAX);
    buffer_puts(&path, "/admin/smarthosts");
    if (command->act) {
        buffer_putc(&path, '/');
        cli_put_encoded(&path, command->name);
        buffer_printf(&path, "/%s", command->act);
    }
    if (path.no_memory)
        abort();
    return buffer_take(&path);
}

static int give(struct cli_orders *orders, const struct command *command)
{
    json_auto_t *smarthosts = NULL;
    struct cli_answer answer;
    AUTO_FREE char *path = make_path(command);
    if (!path)
        return cli_usage("smarthosts", "the name is too long");
    const struct cli_order order = {.path = path, .is_get = !command->act, .ret_body = &smarthosts};
    switch (cli_give(orders, &order, &answer)) {
    case CLI_NO_RELAY:
        return cli_needs_relay();
    case CLI_NOT_GIVEN:
        return CLI_FAILED;
    case CLI_GIVEN:
        break;
    }
    if (answer.status == 404 && command->name) {
        cli_complain("%s: no smarthost of the running relay has that name", command->name);
        return CLI_FAILED;
    }
    if (answer.status != 200 || !json_is_array(smarthosts)) {
        cli_complain("%s", *answer.message ? answer.message : "the relay refuses");
        return CLI_FAILED;
    }
    print(command, smarthosts);
    return CLI_DONE;
}

static int run(const struct command *command, const char *config_file)
{
    struct config *config = cli_load(config_file, CONFIG_FOR_QUEUE, CLI_WARNINGS_PRINT);
    if (!config)
        return CLI_FAILED;
    struct cli_orders *orders = cli_orders_open(config->queue_dir);
    int status = orders ? give(orders, command) : cli_no_orders(config->queue_dir);
    cli_orders_close(orders);
    config_destroy(config);
    return cli_finish_output() ? status : CLI_FAILED;
}

// CLI_DONE: that is a command.
static int parse_words(int count, char **words, struct command *command)
{
    if (count == 0)
        return CLI_DONE;
    if (strcmp(words[0], "pause") == 0 || strcmp(words[0], "resume") == 0)
        command->act = words[0];
    else
        return cli_usage("smarthosts", "%s is neither pause nor resume", words[0]);
    if (count == 1)
        return cli_usage("smarthosts", "%s needs the name of a smarthost", words[0]);
    if (count > 2)
        return cli_usage("smarthosts", "%s is too much", words[2]);
    command->name = words[1];
    return CLI_DONE;
}

int cli_smarthosts(int argc, char **argv)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS, {"json", no_argument, NULL, OPTION_JSON}, {NULL, 0, NULL, 0}};
    struct command command = {0};
    const char *config_file = NULL;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            fputs(help, stdout);
            return CLI_DONE;
        case OPTION_JSON:
            command.json = true;
            break;
        default:
            return cli_show_help("smarthosts");
        }
    }
    int status = parse_words(argc - optind, argv + optind, &command);
    return status == CLI_DONE ? run(&command, config_file) : status;
}
