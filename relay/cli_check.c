// `courier-relay check`: is everything as it must be for `serve`? Says all that is wrong.
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/cli.h"
#include "relay/composer_session.h"

// The samples are not timed, unlike a payload in the daemon: a cold or sanitized composer is slow.
enum { LOAD_LIMIT_MS = 20000, COMPOSE_LIMIT_MS = 10000, SAMPLE_MAX = 1024 * 1024 };

#define SAMPLE_ID "00000000-0000-7000-8000-000000000000"

static const char help[] =
    "courier-relay check\n"
    "\n"
    "Checks the configuration, the templates and catalogs, and the normaliser against sample\n"
    "payloads of every shape, and names every fault with file and line, or key. Needs no running\n"
    "daemon and leaves one alone. Exit status 0: all is well.\n"
    "\n"
    "  -c, --config F   configuration file\n"
    "  -h, --help       this text, and all settings\n";

struct check {
    const struct config *config;
    struct composer_session *session;
    unsigned composed, faults;
};

static void fault(struct check *check, const char *where, const char *what)
{
    cli_complain("%s: %s", where, what);
    check->faults++;
}

static const char *text_of(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : otherwise;
}

// Starts a composer and has it load everything. False: there is nothing to compose with.
static bool load(struct check *check)
{
    struct error err = {0};
    json_auto_t *header = composer_init_header(check->config);
    json_auto_t *answer = NULL;
    struct frame frame;
    if (!header)
        error_set(&err, ERR_INPUT, "a setting is no UTF-8, or there is no memory");
    check->session = header ? composer_session_create(check->config->composer_path, &err) : NULL;
    if (!check->session || !composer_session_ask(check->session, header, NULL, 0, LOAD_LIMIT_MS,
                                                 &answer, &frame, &err)) {
        fault(check, check->config->composer_path, err.message);
        return false;
    }
    if (strcmp(text_of(answer, "op", ""), "ready") == 0)
        return true;
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(answer, "faults"), index, one)
        fault(check, config_place(check->config, text_of(one, "where", "composer")),
              text_of(one, "what", "is at fault"));
    if (index == 0)
        fault(check, check->config->composer_path, "is not ready, and does not say why");
    return false;
}

static bool read_sample(const char *path, struct buffer *bytes)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t count = fd < 0 ? -1 : 1; count != 0;) {
        void *to = count < 0 ? NULL : buffer_reserve(bytes, 16384);
        if (!to)
            return false;
        count = read(fd, to, 16384);
        if (count > 0)
            buffer_added(bytes, (size_t)count);
    }
    return true;
}

// With a detail it is the normaliser's result that is at fault, whatever the sample.
static void judge_parked(struct check *check, const char *path, const char *park,
                         const char *detail)
{
    char what[512];
    if (!detail) {
        fault(check, path, park);
        return;
    }
    snprintf(what, sizeof(what), "%s, for %s", detail, strrchr(path, '/') + 1);
    fault(check, check->config->normaliser, what);
}

static void judge(struct check *check, const char *path, const json_t *answer)
{
    if (strcmp(text_of(answer, "op", ""), "composed") != 0) {
        fault(check, path, text_of(answer, "detail", text_of(answer, "reason", "not composed")));
        return;
    }
    size_t index;
    json_t *mail;
    json_array_foreach(json_object_get(answer, "mails"), index, mail)
    {
        const char *park = text_of(mail, "park", NULL);
        // A text message is understood, and not for SMTP.
        if (park && strcmp(park, "unsupported_channel") != 0) {
            judge_parked(check, path, park, text_of(mail, "detail", NULL));
            continue;
        }
        printf("ok  %-44s %-28s %-6s %s\n", strrchr(path, '/') + 1, text_of(mail, "template", "-"),
               text_of(mail, "locale", "-"), park ? park : text_of(mail, "lane", "-"));
    }
    check->composed++;
}

// False: the composer is of no more use.
static bool compose(struct check *check, const char *path)
{
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, SAMPLE_MAX);
    if (!read_sample(path, &payload)) {
        fault(check, path, "cannot be read");
        return true;
    }
    json_auto_t *header = json_pack("{s:s, s:s, s:i, s:I}", "op", "compose", "id", SAMPLE_ID,
                                    "elapsed_ms", 0, "wall_ms", (json_int_t)clock_wall_ms());
    json_auto_t *answer = NULL;
    struct frame frame;
    struct error err = {0};
    if (!header || !composer_session_ask(check->session, header, payload.data ? payload.data : "",
                                         payload.size, COMPOSE_LIMIT_MS, &answer, &frame, &err)) {
        fault(check, path, header ? err.message : "no memory");
        return false;
    }
    judge(check, path, answer);
    return true;
}

static int is_sample(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name && strcmp(dot, ".json") == 0;
}

static void compose_samples(struct check *check)
{
    const char *dir = check->config->samples_dir;
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_sample, alphasort);
    if (count <= 0)
        fault(check, dir, "holds no sample payloads");
    bool goes_on = true;
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = NULL;
        if (asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
            path = NULL;
        goes_on = goes_on && path && compose(check, path);
        free(entries[i]);
    }
    free(entries);
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
    composer_session_destroy(check.session);
    config_destroy(config);
    printf("%u sample%s composed, %u fault%s\n", check.composed, check.composed == 1 ? "" : "s",
           check.faults, check.faults == 1 ? "" : "s");
    return check.faults == 0 && fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
}
