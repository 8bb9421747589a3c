// courier-relay: which subcommand is meant.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/process.h"
#include "relay/cli/cli.h"
#include "relay/metrics.h"
#include "relay/serve.h"

static const char help[] =
    "courier-relay COMMAND [OPTION...]\n"
    "\n"
    "Takes the mail that Ory Kratos wants sent, and does not lose it.\n"
    "\n"
    "  serve             run the relay\n"
    "  health            is a relay up, and could it take mail now?\n"
    "  check             check configuration, templates and normaliser; lists all settings\n"
    "                    with --help\n"
    "  doctor            see whether mail would arrive, and what is in its way\n"
    "  send FILE         post a payload to a running relay\n"
    "  queue list|show|explain|stats|check|export   look into the queue\n"
    "  queue retry|hold|release|cancel   act on messages\n"
    "  queue rekey       seal the queue with a new key\n"
    "  queue backup FILE copy the queue while the relay runs\n"
    "  smarthosts        list smarthosts, or pause and resume one\n"
    "  render            show what mails look like, one or all of them\n"
    "  templates list|check    show or check types, locales and brands\n"
    "\n"
    "  --help            this text; COMMAND --help: more\n"
    "  --version\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 75 another daemon has the queue, or none has.\n";

static const char serve_help[] =
    "courier-relay serve\n"
    "\n"
    "Runs the relay until SIGTERM. Needs RELAY_API_KEY, RELAY_SMTP_URI and RELAY_MAIL_FROM.\n"
    "\n"
    "  -c, --config F   configuration file (Jsonnet); else RELAY_CONFIG\n"
    "  -h, --help       this text, and all settings\n";

static int serve(int argc, char **argv, char **program_argv)
{
    serve_hold_reloads();
    const char *config_file = NULL;
    int status = CLI_DONE;
    if (!cli_take_config(argc, argv, "serve", serve_help, &config_file, &status))
        return status;
    struct config *config = cli_load(config_file, CONFIG_FOR_RELAY, CLI_WARNINGS_LOG);
    if (!config)
        return CLI_FAILED;
    metrics_start(RELAY_VERSION);
    status = serve_main(config, program_argv);
    config_destroy(config);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    argc--;
    argv++;
    if (strcmp(command, "serve") == 0)
        return serve(argc, argv, argv - 1);
    if (strcmp(command, "check") == 0)
        return cli_check(argc, argv);
    if (strcmp(command, "doctor") == 0)
        return cli_doctor(argc, argv);
    if (strcmp(command, "health") == 0)
        return cli_health(argc, argv);
    if (strcmp(command, "send") == 0)
        return cli_send(argc, argv);
    if (strcmp(command, "queue") == 0)
        return cli_queue(argc, argv);
    if (strcmp(command, "render") == 0)
        return cli_render(argc, argv);
    if (strcmp(command, "templates") == 0)
        return cli_templates(argc, argv);
    if (strcmp(command, "smarthosts") == 0)
        return cli_smarthosts(argc, argv);
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        fputs(help, stdout);
        return CLI_DONE;
    }
    if (strcmp(command, "--version") == 0) {
        puts("courier-relay " RELAY_VERSION);
        return CLI_DONE;
    }
    if (!*command)
        return cli_usage("", "needs a command");
    return cli_usage("", "%s is no command", command);
}

int main(int argc, char **argv)
{
    // Every command reads keys and passwords.
    struct error err;
    if (!process_forbid_dumps(&err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    return dispatch(argc, argv);
}
