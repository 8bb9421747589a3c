// `courier-relay queue`: takes the command line apart and calls the command that it names.
#include <stdio.h>
#include <string.h>

#include "relay/base/number.h"
#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"

enum { LIMIT_MAX = 1000000 };

static const char help[] =
    "courier-relay queue list [FILTER...]\n"
    "courier-relay queue show ID\n"
    "courier-relay queue stats\n"
    "courier-relay queue release ID... | FILTER...\n"
    "courier-relay queue rekey\n"
    "courier-relay queue backup FILE\n"
    "courier-relay queue check\n"
    "courier-relay queue export --json [FILTER...]\n"
    "\n"
    "Looks into the queue's folder, whether the daemon runs or not. Never shows a body. The "
    "folder\n"
    "is RELAY_QUEUE_DIR, else $STATE_DIRECTORY, else ./var: the same as the daemon's.\n"
    "\n"
    "release lets parked and held messages go once what was in their way is mended; the daemon "
    "must\n"
    "run. With a filter it takes those that are parked (--state held: those that are held), and "
    "asks\n"
    "first where they are several.\n"
    "\n"
    "rekey puts a new key in front of queue.key, and has what waits sealed with it; the daemon "
    "must\n"
    "run, and goes on with its work. Where RELAY_QUEUE_KEY gives the keys, its first is the new "
    "one.\n"
    "\n"
    "backup copies the queue into a new file, consistent as of a moment, while the daemon goes "
    "on.\n"
    "The bodies in it are sealed; queue.key is not in it.\n"
    "\n"
    "check looks for what cannot be in a queue, and tries whether each body opens; the daemon may\n"
    "run, and then makes a copy for it in the queue's folder. Exit status 1: something was found.\n"
    "\n"
    "export prints every message with its attempts, never a body.\n"
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

// In the order in which they are named to whoever asks for none of them.
static const struct verb {
    const char *name;
    int (*run)(const struct queue_command *command);
    const char *word;  // what it needs behind its name; NULL: nothing
    bool takes_filter; // instead of words, where it takes such
    bool takes_more;   // any number of words
} VERBS[] = {
    {.name = "list", .run = cli_queue_list, .takes_filter = true},
    {.name = "show", .run = cli_queue_show, .word = "an id"},
    {.name = "stats", .run = cli_queue_stats},
    {.name = "release",
     .run = cli_queue_release,
     .word = "ids, or a filter such as --state parked",
     .takes_filter = true,
     .takes_more = true},
    {.name = "rekey", .run = cli_queue_rekey},
    {.name = "check", .run = cli_queue_check},
    {.name = "export", .run = cli_queue_export, .takes_filter = true},
    {.name = "backup", .run = cli_queue_backup, .word = "the name of a new file"},
};
enum { VERB_COUNT = sizeof(VERBS) / sizeof(VERBS[0]) };

// CLI_DONE: go on. Else the status to end with; help was asked for where *ret_help.
static int parse_options(int argc, char **argv, struct queue_command *command,
                         const char **ret_file, bool *ret_help)
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
    struct queue_filter *filter = &command->filter;
    int64_t limit;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            *ret_file = optarg;
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
            command->yes = true;
            break;
        case OPTION_JSON:
            command->json = true;
            break;
        default:
            return cli_show_help("queue");
        }
    }
    return CLI_DONE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(name, VERBS[i].name) == 0)
            return &VERBS[i];
    return NULL;
}

static int name_verbs(void)
{
    char names[128] = "";
    for (size_t i = 0; i < VERB_COUNT; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s",
                 i == 0               ? ""
                 : i + 1 < VERB_COUNT ? ", "
                                      : " and ",
                 VERBS[i].name);
    }
    return cli_usage("queue", "needs one of %s", names);
}

// CLI_DONE: that is a command with what it needs.
static int check_words(const struct verb *verb, const struct queue_command *command)
{
    const struct queue_filter *filter = &command->filter;
    bool has_filter = filter->has_state || filter->has_lane || filter->recipient ||
                      filter->template || filter->reason || filter->limit > 0;
    size_t most = verb->takes_more ? SIZE_MAX : verb->word ? 1 : 0;
    if (command->word_count > most)
        return cli_usage("queue", "%s is too much", command->words[most]);
    if (has_filter && !verb->takes_filter)
        return cli_usage("queue", "%s takes no filter", verb->name);
    if (verb->word && (command->word_count > 0) == has_filter)
        return cli_usage("queue", "%s needs %s", verb->name, verb->word);
    return CLI_DONE;
}

struct queue_reader *queue_command_reader(const struct queue_command *command)
{
    const struct config *config = command->config;
    struct error err = {0};
    struct queue_reader *reader = queue_reader_open(config->queue_dir, &err);
    if (!reader)
        cli_complain("%s (%s names the queue's folder)", err.message,
                     config_place(config, "queue_dir"));
    return reader;
}

static int run(const struct verb *verb, struct queue_command *command, const char *config_file)
{
    struct config *config = cli_load(config_file, CONFIG_FOR_QUEUE, CLI_WARNINGS_PRINT);
    if (!config)
        return CLI_FAILED;
    command->config = config;
    int status = verb->run(command);
    config_destroy(config);
    return cli_finish_output() ? status : CLI_FAILED;
}

int cli_queue(int argc, char **argv)
{
    struct queue_command command = {0};
    const char *config_file = NULL;
    bool wants_help = false;
    int status = parse_options(argc, argv, &command, &config_file, &wants_help);
    if (status != CLI_DONE)
        return status;
    if (wants_help) {
        fputs(help, stdout);
        return CLI_DONE;
    }
    const struct verb *verb = optind < argc ? find_verb(argv[optind++]) : NULL;
    if (!verb)
        return name_verbs();
    command.words = argv + optind;
    command.word_count = (size_t)(argc - optind);
    status = check_words(verb, &command);
    return status == CLI_DONE ? run(verb, &command, config_file) : status;
}
