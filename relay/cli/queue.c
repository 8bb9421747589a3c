// `courier-relay queue`: takes the command line apart and calls the command that it names.
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/utf8.h"
#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"

static const char help[] =
    "courier-relay queue list [FILTER...]\n"
    "courier-relay queue show ID\n"
    "courier-relay queue explain ID\n"
    "courier-relay queue stats\n"
    "courier-relay queue retry|hold|release|cancel ID... | FILTER... | --all\n"
    "courier-relay queue rekey\n"
    "courier-relay queue backup FILE\n"
    "courier-relay queue check\n"
    "courier-relay queue export --json [FILTER...]\n"
    "\n"
    "Looks into the queue's folder, whether the daemon runs or not. Never shows a body. The "
    "folder\n"
    "is RELAY_QUEUE_DIR, else $STATE_DIRECTORY, else ./var: the same as the daemon's.\n"
    "\n"
    "explain says in sentences what happened to a message, why it is in its language, and what\n"
    "will happen next, and when.\n"
    "\n"
    "Acts; the daemon must run, and each is in its log (`audit`). With a filter they take all "
    "that\n"
    "it names, and ask first where those are several; ^C ends them, and what was done stays done:\n"
    "  retry    queued: is due at once, and a rate limit judges it anew; failed or unknown: once\n"
    "           more, while it has time left.\n"
    "           What is unknown may have arrived; so it asks first\n"
    "  hold     queued: waits until it is released\n"
    "  release  parked or held: goes, once what was in its way is mended, while it has time left\n"
    "  cancel   queued, held or parked: is never sent, and its body dropped\n"
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
    "FILTER, of which several narrow one another:\n"
    "  --state S        received, queued, sending, sent, failed, expired, superseded, cancelled,\n"
    "                   unknown, held or parked; several with commas between\n"
    "  --lane L         code, notice or bulk\n"
    "  --recipient R    an address\n"
    "  --template T     a type, as in login_code_valid\n"
    "  --smarthost S    of the last attempt, as in smtp.example.com:587\n"
    "  --reason R       why it is where it is, as in no_recipient\n"
    "  --older-than D, --newer-than D   created longer ago than D, or less long: 90s, 15m, 2h, 3d\n"
    "  --since T, --before T   created from then on, or before: 2027-01-31, 2027-01-31T18:00:00Z\n"
    "  --limit N        at most N messages, newest first; list: 50 unless told\n"
    "\n"
    "  --all            acts: every message that it can be done to, in place of a filter\n"
    "  --dry-run        acts: only say how many would be meant\n"
    "  --yes            acts: do not ask\n"
    "  --note TEXT      acts: why, for the log; at most 200 characters\n"
    "  --json           one JSON object a line\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

enum { OPTION_ALL = 256, OPTION_DRY_RUN, OPTION_JSON, OPTION_NOTE, OPTION_YES, OPTION_FILTER };
enum { NOTE_MAX = 200 };

#define FILTER_OPTION(name)                                                                        \
    {                                                                                              \
        name, required_argument, NULL, OPTION_FILTER                                               \
    }
static const struct option OPTIONS[] = {
    CLI_COMMON_OPTIONS,
    {"all", no_argument, NULL, OPTION_ALL},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"note", required_argument, NULL, OPTION_NOTE},
    {"yes", no_argument, NULL, OPTION_YES},
    FILTER_OPTION("state"),
    FILTER_OPTION("lane"),
    FILTER_OPTION("recipient"),
    FILTER_OPTION("template"),
    FILTER_OPTION("smarthost"),
    FILTER_OPTION("reason"),
    FILTER_OPTION("older-than"),
    FILTER_OPTION("newer-than"),
    FILTER_OPTION("since"),
    FILTER_OPTION("before"),
    FILTER_OPTION("limit"),
    {NULL, 0, NULL, 0},
};

// In the order in which they are named to whoever asks for none of them.
static const struct verb {
    const char *name;
    int (*run)(const struct queue_command *command);
    const char *word; // what it needs behind its name; NULL: nothing
    bool takes_filter;
    bool acts; // any number of ids, or a filter, or --all
} VERBS[] = {
    {.name = "list", .run = cli_queue_list, .takes_filter = true},
    {.name = "show", .run = cli_queue_show, .word = "an id"},
    {.name = "explain", .run = cli_queue_explain, .word = "an id"},
    {.name = "stats", .run = cli_queue_stats},
    {.name = "retry", .run = cli_queue_act, .takes_filter = true, .acts = true},
    {.name = "hold", .run = cli_queue_act, .takes_filter = true, .acts = true},
    {.name = "release", .run = cli_queue_act, .takes_filter = true, .acts = true},
    {.name = "cancel", .run = cli_queue_act, .takes_filter = true, .acts = true},
    {.name = "rekey", .run = cli_queue_rekey},
    {.name = "check", .run = cli_queue_check},
    {.name = "export", .run = cli_queue_export, .takes_filter = true},
    {.name = "backup", .run = cli_queue_backup, .word = "the name of a new file"},
};
enum { VERB_COUNT = sizeof(VERBS) / sizeof(VERBS[0]) };

// --older-than is the filter's older_than. CLI_DONE: go on.
static int set_filter(struct queue_command *command, const char *option, const char *value)
{
    char name[32];
    struct error err = {0};
    snprintf(name, sizeof(name), "%s", option);
    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : *at;
    if (message_filter_set(&command->filter, name, value, clock_wall_ms(), &err))
        return CLI_DONE;
    return cli_usage("queue", "--%s %s", option, err.message);
}

// CLI_DONE: go on. Else the status to end with; help was asked for where *ret_help.
static int parse_options(int argc, char **argv, struct queue_command *command,
                         const char **ret_file, bool *ret_help)
{
    int status = CLI_DONE, at = 0;
    for (int option;
         status == CLI_DONE && (option = cli_next_option_at(argc, argv, OPTIONS, &at)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            *ret_file = optarg;
            break;
        case CLI_OPTION_HELP:
            *ret_help = true;
            break;
        case OPTION_ALL:
            command->all = true;
            break;
        case OPTION_DRY_RUN:
            command->dry_run = true;
            break;
        case OPTION_JSON:
            command->json = true;
            break;
        case OPTION_NOTE:
            command->note = optarg;
            break;
        case OPTION_YES:
            command->yes = true;
            break;
        case OPTION_FILTER:
            status = set_filter(command, OPTIONS[at].name, optarg);
            break;
        default:
            return cli_show_help("queue");
        }
    }
    return status;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(name, VERBS[i].name) == 0)
            return &VERBS[i];
    return NULL;
}

// NULL: none was asked for.
static int name_verbs(const char *unknown)
{
    char names[160] = "";
    for (size_t i = 0; i < VERB_COUNT; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s",
                 i == 0               ? ""
                 : i + 1 < VERB_COUNT ? ", "
                                      : " and ",
                 VERBS[i].name);
    }
    return unknown ? cli_usage("queue", "queue has no %s: it needs one of %s", unknown, names)
                   : cli_usage("queue", "needs one of %s", names);
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += !utf8_continues(*text);
    return count;
}

// The states that a verb starts from; 0: it is no act.
static unsigned states_of(const char *verb)
{
    for (int i = 0; i < QUEUE_ACT_COUNT; i++)
        if (strcmp(queue_act_name((enum queue_act)i), verb) == 0)
            return queue_act_states((enum queue_act)i);
    return 0;
}

// CLI_DONE: ids, or a filter, or --all.
static int check_act(const struct verb *verb, const struct queue_command *command)
{
    bool is_narrow = message_filter_is_narrow(&command->filter);
    if (command->word_count > 0 && (is_narrow || command->filter.limit > 0 || command->all))
        return cli_usage("queue", "%s takes ids or a filter, not both", verb->name);
    if (command->all && is_narrow)
        return cli_usage("queue", "%s takes a filter or --all, not both", verb->name);
    if (command->word_count == 0 && !is_narrow && !command->all)
        return cli_usage("queue", "%s needs ids, or a filter such as --state %s, or --all",
                         verb->name, strcmp(verb->name, "release") == 0 ? "parked" : "queued");
    if (command->filter.states && !(command->filter.states & states_of(verb->name)))
        return cli_usage("queue", "%s is not done to messages in that state", verb->name);
    if (command->dry_run && command->word_count > 0)
        return cli_usage("queue", "--dry-run goes with a filter or --all, not with ids");
    if (command->note && count_characters(command->note) > NOTE_MAX)
        return cli_usage("queue", "--note is longer than %d characters", NOTE_MAX);
    return CLI_DONE;
}

// CLI_DONE: that is a command with what it needs.
static int check_words(const struct verb *verb, const struct queue_command *command)
{
    bool has_filter = message_filter_is_narrow(&command->filter) || command->filter.limit > 0;
    if (verb->acts)
        return check_act(verb, command);
    size_t most = verb->word ? 1 : 0;
    if (command->word_count > most)
        return cli_usage("queue", "%s is too much", command->words[most]);
    if (has_filter && !verb->takes_filter)
        return cli_usage("queue", "%s takes no filter", verb->name);
    if (verb->word && command->word_count == 0)
        return cli_usage("queue", "%s needs %s", verb->name, verb->word);
    if (command->all || command->yes || command->dry_run || command->note)
        return cli_usage("queue", "--all, --yes, --dry-run and --note are of acts, not of %s",
                         verb->name);
    return CLI_DONE;
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
    const char *word = optind < argc ? argv[optind++] : NULL;
    const struct verb *verb = word ? find_verb(word) : NULL;
    if (!verb)
        return name_verbs(word);
    command.name = verb->name;
    command.words = argv + optind;
    command.word_count = (size_t)(argc - optind);
    status = check_words(verb, &command);
    return status == CLI_DONE ? run(verb, &command, config_file) : status;
}
