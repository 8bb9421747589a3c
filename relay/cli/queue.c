// `courier-relay queue`: looks into the queue, read-only, beside a running daemon or without one;
// what changes something is asked of the daemon (release.c).
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "relay/cli/cli.h"
#include "relay/cli/release.h"
#include "relay/message_view.h"
#include "relay/number.h"

enum { LIMIT_STANDARD = 50, LIMIT_MAX = 1000000 };

static const char help[] =
    "courier-relay queue list [FILTER...]\n"
    "courier-relay queue show ID\n"
    "courier-relay queue stats\n"
    "courier-relay queue release ID... | FILTER...\n"
    "\n"
    "Looks into the queue's folder, whether the daemon runs or not. Never shows a body. The "
    "folder\n"
    "is RELAY_QUEUE_DIR, else $STATE_DIRECTORY, else ./var: the same as the daemon's.\n"
    "\n"
    "release lets parked and held messages go once what was in their way is mended; the daemon "
    "must\n"
    "run. With a filter it takes those that are parked (--state held: those that are held).\n"
    "\n"
    "  --state S        received, queued, sending, sent, failed, expired, superseded, cancelled,\n"
    "                   unknown, held or parked\n"
    "  --lane L         code, notice or bulk\n"
    "  --recipient R    an address\n"
    "  --template T     a type, as in login_code_valid\n"
    "  --reason R       why it is where it is, as in no_recipient\n"
    "  --limit N        at most N messages, newest first; list: 50 unless told\n"
    "  --yes            release: do not ask\n"
    "  --json           one JSON object a line\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

enum {
    OPTION_STATE = 256,
    OPTION_RECIPIENT,
    OPTION_TEMPLATE,
    OPTION_LANE,
    OPTION_LIMIT,
    OPTION_REASON,
    OPTION_YES,
    OPTION_JSON
};

struct arguments {
    const char *config_file;
    bool json, yes;
    struct queue_filter filter; // limit 0: not told
};

// What is printed: one JSON object a line, or texts for people.
struct output {
    struct queue_reader *reader;
    bool json;
    bool failed;
    size_t count, parked;
};

static void put_json(struct output *output, json_t *value)
{
    if (!value || json_dumpf(value, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        output->failed = true;
}

static const char *field(const json_t *view, const char *name)
{
    const char *text = json_string_value(json_object_get(view, name));
    return text ? text : "-";
}

static bool print_row(void *context, const struct queue_message *message)
{
    struct output *output = context;
    json_auto_t *view = message_view(output->reader, message);
    output->count++;
    output->parked += message->state == MESSAGE_PARKED;
    if (output->json) {
        put_json(output, view);
        return !output->failed;
    }
    if (output->count == 1)
        printf("%-36s  %-10s  %-24s  %-3s  %-29s  %-6s  %s\n", "ID", "STATE", "CREATED", "TRY",
               "TEMPLATE", "LOCALE", "RECIPIENT, REASON");
    printf("%-36s  %-10s  %-24s  %3d  %-29s  %-6s  ", message->id, field(view, "state"),
           field(view, "created_at"), message->attempts, field(view, "template"),
           field(view, "locale"));
    cli_print_safely(field(view, "recipient"));
    const char *why = *message->reason ? message->reason : message->last_reply;
    if (*why && message->state != MESSAGE_SENT) {
        fputs("  ", stdout);
        cli_print_safely(why);
    }
    putchar('\n');
    return true;
}

static int list(struct output *output, const struct queue_filter *filter)
{
    struct error err = {0};
    if (!queue_list(output->reader, filter, print_row, output, &err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    if (output->parked > 0 && !output->json)
        printf("\n%zu parked: mend what their reason names, then: courier-relay queue release ID\n"
               "(`courier-relay queue show ID` says more)\n",
               output->parked);
    return CLI_DONE;
}

static void print_fields(json_t *object, const char *indent)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        printf("%s%-14s ", indent, name);
        if (json_is_string(value))
            cli_print_safely(json_string_value(value));
        else if (json_is_integer(value))
            printf("%lld", (long long)json_integer_value(value));
        else
            putchar('-');
        putchar('\n');
    }
}

struct attempt_list {
    struct queue_reader *reader;
    json_t *views;
};

static bool add_attempt(void *context, const struct queue_attempt_row *attempt)
{
    struct attempt_list *attempts = context;
    return json_array_append_new(attempts->views,
                                 message_view_attempt(attempts->reader, attempt)) == 0;
}

static int show(struct output *output, const char *id)
{
    struct error err = {0};
    struct queue_message message;
    bool found = false;
    json_auto_t *history = json_array();
    struct attempt_list attempts = {output->reader, history};
    if (!queue_load(output->reader, id, &message, &found, NULL, NULL, &err) ||
        (found && !queue_attempts(output->reader, id, add_attempt, &attempts, &err))) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    if (!found) {
        cli_complain("there is no message %s", id);
        return CLI_FAILED;
    }
    json_auto_t *view = message_view(output->reader, &message);
    if (output->json) {
        json_object_set(view, "history", history);
        put_json(output, view);
        return CLI_DONE;
    }
    print_fields(view, "");
    size_t index;
    json_t *attempt;
    json_array_foreach(history, index, attempt)
    {
        printf("attempt %zu\n", index + 1);
        print_fields(attempt, "  ");
    }
    if (json_array_size(history) > (size_t)message.attempts)
        printf("%zu took place, %d charged: what is the smarthost's or the relay's own doing\n"
               "(session, cut) is not charged to the message\n",
               json_array_size(history), message.attempts);
    const char *advice = message_view_advice(&message);
    if (advice && message.has_body)
        printf("what to do: %s, then: courier-relay queue release %s\n", advice, message.id);
    else if (advice)
        printf("what to do: nothing, %s\n", advice);
    return CLI_DONE;
}

static int stats(struct output *output)
{
    struct error err = {0};
    struct queue_stats stats;
    if (!queue_stats(output->reader, &stats, &err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    json_auto_t *view = message_view_stats(output->reader, &stats);
    if (output->json) {
        put_json(output, view);
        return CLI_DONE;
    }
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++)
        printf("%-12s %lld\n", message_state_name((enum message_state)i),
               (long long)stats.count[i]);
    const json_t *lanes = json_object_get(view, "lanes");
    for (int i = 0; i < LANE_COUNT; i++) {
        const char *name = lane_name((enum lane)i);
        printf("lane %-7s %lld waiting, oldest %s\n", name, (long long)stats.waiting[i],
               field(json_object_get(lanes, name), "oldest_waiting_at"));
    }
    return CLI_DONE;
}

// CLI_DONE: go on. Else the status to end with; help was asked for where *ret_help.
static int parse_options(int argc, char **argv, struct arguments *arguments, bool *ret_help)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS,
        {"state", required_argument, NULL, OPTION_STATE},
        {"recipient", required_argument, NULL, OPTION_RECIPIENT},
        {"template", required_argument, NULL, OPTION_TEMPLATE},
        {"lane", required_argument, NULL, OPTION_LANE},
        {"limit", required_argument, NULL, OPTION_LIMIT},
        {"reason", required_argument, NULL, OPTION_REASON},
        {"yes", no_argument, NULL, OPTION_YES},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct queue_filter *filter = &arguments->filter;
    int64_t limit;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            arguments->config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            *ret_help = true;
            break;
        case OPTION_STATE:
            if (!message_state_parse(optarg, &filter->state))
                return cli_usage("queue", "%s is no state", optarg);
            filter->has_state = true;
            break;
        case OPTION_RECIPIENT:
            filter->recipient = optarg;
            break;
        case OPTION_TEMPLATE:
            filter->template = optarg;
            break;
        case OPTION_LANE:
            if (!lane_parse(optarg, &filter->lane))
                return cli_usage("queue", "%s is no lane", optarg);
            filter->has_lane = true;
            break;
        case OPTION_LIMIT:
            if (!number_parse(optarg, strlen(optarg), LIMIT_MAX, &limit) || limit == 0)
                return cli_usage("queue", "--limit is not from 1 to %d", LIMIT_MAX);
            filter->limit = (size_t)limit;
            break;
        case OPTION_REASON:
            filter->reason = optarg;
            break;
        case OPTION_YES:
            arguments->yes = true;
            break;
        case OPTION_JSON:
            arguments->json = true;
            break;
        default:
            return cli_show_help("queue");
        }
    }
    return CLI_DONE;
}

// By what is asked for, with as many ids as were named.
static int act(struct output *output, const char *queue_dir, const struct arguments *arguments,
               const char *verb, char **ids, size_t id_count)
{
    struct queue_filter filter = arguments->filter;
    if (strcmp(verb, "release") == 0) {
        const struct release_order order = {.queue_dir = queue_dir,
                                            .filter = &filter,
                                            .ids = ids,
                                            .id_count = id_count,
                                            .yes = arguments->yes,
                                            .json = arguments->json};
        return cli_release(output->reader, &order);
    }
    if (strcmp(verb, "show") == 0)
        return show(output, ids[0]);
    if (strcmp(verb, "stats") == 0)
        return stats(output);
    if (filter.limit == 0)
        filter.limit = LIMIT_STANDARD;
    return list(output, &filter);
}

static int run(const struct arguments *arguments, const char *verb, char **ids, size_t id_count)
{
    struct config *config = cli_load(arguments->config_file, CONFIG_FOR_QUEUE, CLI_WARNINGS_PRINT);
    if (!config)
        return CLI_FAILED;
    struct error err = {0};
    struct output output = {.reader = queue_reader_open(config->queue_dir, &err),
                            .json = arguments->json};
    int status = CLI_FAILED;
    if (output.reader)
        status = act(&output, config->queue_dir, arguments, verb, ids, id_count);
    else
        cli_complain("%s (%s names the queue's folder)", err.message,
                     config_place(config, "queue_dir"));
    queue_reader_destroy(output.reader);
    config_destroy(config);
    if (output.failed || fflush(stdout) != 0) {
        cli_complain("cannot write the list");
        return CLI_FAILED;
    }
    return status;
}

// CLI_DONE: that is a command with what it needs.
static int check_words(const char *verb, const struct arguments *arguments, char **ids,
                       size_t id_count)
{
    const struct queue_filter *filter = &arguments->filter;
    bool is_show = strcmp(verb, "show") == 0, is_release = strcmp(verb, "release") == 0;
    bool has_filter = filter->has_state || filter->has_lane || filter->recipient ||
                      filter->template || filter->reason || filter->limit > 0;
    if (!is_show && !is_release && strcmp(verb, "list") != 0 && strcmp(verb, "stats") != 0)
        return cli_usage("queue", "needs one of list, show, stats and release");
    if (is_show && id_count == 0)
        return cli_usage("queue", "show needs an id");
    if (!is_release && id_count > is_show)
        return cli_usage("queue", "%s is too much", ids[is_show]);
    if (is_release && (id_count > 0) == has_filter)
        return cli_usage("queue", "release needs ids, or a filter such as --state parked");
    if (is_release && filter->has_state && filter->state != MESSAGE_PARKED &&
        filter->state != MESSAGE_HELD)
        return cli_usage("queue", "only parked and held messages are released");
    return CLI_DONE;
}

int cli_queue(int argc, char **argv)
{
    struct arguments arguments = {0};
    bool wants_help = false;
    int status = parse_options(argc, argv, &arguments, &wants_help);
    if (status != CLI_DONE)
        return status;
    if (wants_help) {
        fputs(help, stdout);
        return CLI_DONE;
    }
    const char *verb = optind < argc ? argv[optind++] : "";
    char **ids = argv + optind;
    size_t id_count = (size_t)(argc - optind);
    status = check_words(verb, &arguments, ids, id_count);
    return status == CLI_DONE ? run(&arguments, verb, ids, id_count) : status;
}
