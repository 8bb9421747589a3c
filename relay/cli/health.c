// `courier-relay health`: asks a running relay whether it could take mail, for containers and
// scripts that have no HTTP client.
#include <stdio.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/request.h"

enum { OPTION_URL = 256 };

#define READY_PATH "/health/ready"

static const char help[] =
    "courier-relay health\n"
    "\n"
    "Asks the running relay whether it could take mail now. Exit status: 0 it could, 1 it could\n"
    "not, or nobody answers.\n"
    "\n"
    "  --url URL        what to ask; else " READY_PATH " at RELAY_LISTEN. /health/live: does the\n"
    "                   process answer at all?\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

static char *find_url(const char *config_file)
{
    struct config *config = cli_load(config_file, CONFIG_FOR_HEALTH, CLI_WARNINGS_NONE);
    char *url = config ? cli_listener_url(config, READY_PATH) : NULL;
    config_destroy(config);
    return url;
}

static int ask(const char *url)
{
    const struct cli_request request = {.url = url, .is_get = true};
    struct cli_answer answer;
    struct error err = {0};
    struct cli_client *client = cli_client_create(NULL, &err);
    int status = CLI_FAILED;
    if (!client || !cli_request(client, &request, &answer, &err))
        cli_complain("%s%s", err.message,
                     err.code == ERR_TEMPORARY
                         ? ": no relay runs there; RELAY_LISTEN, or --url, says where it listens"
                         : "");
    else if (answer.status == 200)
        status = CLI_DONE;
    else
        cli_complain("%s: %ld%s%s", url, answer.status, *answer.message ? ": " : "",
                     answer.message);
    cli_client_destroy(client);
    return status;
}

int cli_health(int argc, char **argv)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS,
        {"url", required_argument, NULL, OPTION_URL},
        {NULL, 0, NULL, 0},
    };
    const char *config_file = NULL, *given_url = NULL;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            fputs(help, stdout);
            return CLI_DONE;
        case OPTION_URL:
            given_url = optarg;
            break;
        default:
            return cli_show_help("health");
        }
    }
    if (optind != argc)
        return cli_usage("health", "%s is too much", argv[optind]);
    AUTO_FREE char *url = given_url ? strdup(given_url) : find_url(config_file);
    return url ? ask(url) : CLI_FAILED;
}
