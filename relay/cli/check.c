// `courier-relay check`: is everything as it must be for `serve`? Says all that is wrong.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/children/confinement.h"
#include "relay/children/samples.h"
#include "relay/cli/cli.h"
#include "relay/member_text.h"

// The samples are not timed, unlike a payload in the daemon: a sanitized composer is slow.
enum { COMPOSE_LIMIT_MS = 10000, SAMPLE_MAX = 1024 * 1024 };

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

static void report(struct check *check, const json_t *faults)
{
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

static void print_composed(const struct sample *sample, const json_t *answer)
{
    size_t index;
    json_t *mail;
    json_array_foreach(json_object_get(answer, "mails"), index, mail)
        printf("ok  %-44s %-28s %-6s %s\n", sample->name, member_text_or(mail, "template", "-"),
               member_text_or(mail, "locale", "-"),
               member_text_or(mail, "park", member_text_or(mail, "lane", "-")));
    if (index == 0)
        printf("ok  %-44s nothing to send\n", sample->name);
}

// False: the composer is of no more use.
static bool compose(struct check *check, struct sample *sample)
{
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, SAMPLE_MAX);
    struct error err = {0};
    if (!sample_read(sample, &payload, &err)) {
        fault(check, sample->path, err.message);
        return true;
    }
    json_auto_t *header = sample_request(sample);
    json_auto_t *answer = NULL;
    json_auto_t *faults = json_array();
    struct frame frame;
    if (!header || !faults) {
        fault(check, sample->path, "no memory");
        return true;
    }
    bool is_answered =
        child_session_ask(check->session, header, payload.data ? payload.data : "", payload.size,
                             COMPOSE_LIMIT_MS, &answer, &frame, &err);
    if (!is_answered)
        sample_unanswered(sample, check->init, err.message, faults);
    else if (sample_judge(sample, check->init, answer, faults) == 0)
        print_composed(sample, answer);
    if (is_answered && strcmp(member_text_or(answer, "op", ""), "composed") == 0)
        check->composed++;
    report(check, faults);
    return is_answered;
}

// False: the composer is of no more use.
static bool compose_route(struct check *check, const struct config_route *route)
{
    struct sample_set set = {.route = route->name, .dir = route->samples_dir};
    if (!set.dir) {
        printf("route %s: compiles; it has no sample payloads to be tried on\n", route->name);
        return true;
    }
    printf("route %s: %s\n", route->name, route->normaliser);
    struct samples samples = {0};
    struct error err = {0};
    if (!samples_add(&samples, &set, &err))
        fault(check, set.dir, err.message);
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < samples.count; i++)
        goes_on = compose(check, &samples.items[i]);
    json_auto_t *faults = json_array();
    samples_judge_all(&samples, check->init, faults);
    report(check, faults);
    samples_finish(&samples);
    return goes_on;
}

static void compose_routes(struct check *check)
{
    for (size_t i = 0; i < check->config->route_count; i++)
        if (!compose_route(check, &check->config->routes[i])) {
            cli_complain("no composer is left: what comes after that sample was not tried");
            return;
        }
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
        compose_routes(&check);
    child_session_destroy(check.session);
    json_decref(check.init);
    config_destroy(config);
    printf("%u sample%s composed, %u fault%s\n", check.composed, check.composed == 1 ? "" : "s",
           check.faults, check.faults == 1 ? "" : "s");
    return check.faults == 0 && fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}
