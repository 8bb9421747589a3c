// `courier-relay check`: is everything as it must be for `serve`? Says all that is wrong.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/children/confinement.h"
#include "relay/cli/cli.h"
#include "relay/cli/sample_trial.h"
#include "relay/member_text.h"

static const char help[] =
    "courier-relay check\n"
    "\n"
    "Checks the configuration, the templates and catalogs, and each route's normaliser against\n"
    "sample payloads, prints what it makes of each, and names every fault with file and line, or\n"
    "key. Needs no running daemon and leaves one alone. Exit status 0: all is well.\n"
    "\n"
    "A route's normaliser is tried on the payloads (*.json) of its folder `samples`, here and on\n"
    "SIGHUP; without one it is only compiled. Kratos' own route has samples already.\n"
    "A normaliser that makes nothing of every sample is at fault.\n"
    "\n"
    "A route without `keys` takes every key; so does Kratos' own path, unless `keys` of the route\n"
    "kratos names those that may post there.\n"
    "\n"
    "  -c, --config F   configuration file\n"
    "  -h, --help       this text, and all settings\n";

struct check {
    const struct config *config;
    struct child_session *session;
    json_t *init; // what it was started with
    unsigned composed, faults;
};

static void fault(struct check *check, const char *where, const char *what)
{
    cli_complain("%s: %s", where, what);
    check->faults++;
}

static void report(void *context, const json_t *faults)
{
    struct check *check = context;
    cli_complain_of(check->config, faults);
    check->faults += (unsigned)json_array_size(faults);
}

static void print_confinement(const json_t *ready)
{
    char text[CONFINEMENT_TEXT_SIZE];
    const json_t *missing = json_object_get(ready, "unconfined");
    printf("confined: %s\n", confinement_text(json_object_get(ready, "confinement"), text));
    if (json_array_size(missing) > 0)
        printf("not confined: %s\n", confinement_text(missing, text));
}

// Starts a composer and has it load everything. False: there is nothing to compose with.
static bool load(struct check *check)
{
    json_auto_t *ready = NULL;
    unsigned faults;
    check->init = composer_init_header(check->config);
    check->session = cli_start_composer(check->config, check->init, &ready, &faults);
    check->faults += faults;
    if (!check->session)
        return false;
    print_confinement(ready);
    return true;
}

static void print_route(void *context, const struct config_route *route)
{
    (void)context;
    if (route->samples_dir)
        printf("route %s: %s\n", route->name, route->normaliser);
    else
        printf("route %s: compiles; it has no sample payloads to be tried on\n", route->name);
}

static void print_composed(void *context, const struct sample *sample, const json_t *answer)
{
    size_t index;
    json_t *mail;
    (void)context;
    json_array_foreach(json_object_get(answer, "mails"), index, mail)
        printf("ok  %-44s %-28s %-6s %s\n", sample->name, member_text_or(mail, "template", "-"),
               member_text_or(mail, "locale", "-"),
               member_text_or(mail, "park", member_text_or(mail, "lane", "-")));
    if (index == 0)
        printf("ok  %-44s nothing to send\n", sample->name);
}

static void compose_samples(struct check *check)
{
    struct sample_trial trial = {.config = check->config,
                                 .session = check->session,
                                 .init = check->init,
                                 .context = check,
                                 .on_route = print_route,
                                 .on_composed = print_composed,
                                 .on_faults = report};
    if (!sample_trial_run(&trial))
        cli_complain("no composer is left: what comes after that sample was not tried");
    check->composed = trial.composed;
}

int cli_check(int argc, char **argv)
{
    const char *config_file = NULL;
    int status = CLI_DONE;
    if (!cli_take_config(argc, argv, "check", help, &config_file, &status))
        return status;

    struct config *config = cli_load(config_file, CONFIG_FOR_RELAY, CLI_WARNINGS_PRINT);
    if (!config)
        return CLI_FAILED;
    struct check check = {.config = config};
    if (access(config->deliverer_path, X_OK) < 0)
        fault(&check, config->deliverer_path, "cannot be executed");
    if (load(&check))
        compose_samples(&check);
    child_session_destroy(check.session);
    json_decref(check.init);
    config_destroy(config);
    printf("%u sample%s composed, %u fault%s\n", check.composed, check.composed == 1 ? "" : "s",
           check.faults, check.faults == 1 ? "" : "s");
    return check.faults == 0 && fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}
