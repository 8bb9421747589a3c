// `courier-relay queue check`: whether a queue is one that this program could have written.
//
// Beside a running daemon a copy is looked at, which that one makes: a look at the queue itself
// would take one transaction as long as it lasts, and keep the log from being begun anew.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"

#define COPY_FILE "queue.check"

static void print_finding(void *context, const char *id, const char *what)
{
    const struct queue_command *command = context;
    if (command->json) {
        json_auto_t *line = json_pack("{s:s?, s:s}", "id", id, "finding", what);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    cli_print_safely(id ? id : "the file");
    fputs(": ", stdout);
    cli_print_safely(what);
    putchar('\n');
}

static void print_opened(const struct queue_check *result)
{
    if (!result->tried_bodies)
        fputs("not opened: there is no queue.key to open them with", stdout);
    else if (result->unknown_key == 0 && result->damaged == 0)
        fputs("each was opened", stdout);
    else
        printf("%lld were opened, %lld are sealed with an unknown key, %lld are damaged",
               (long long)(result->bodies - result->unknown_key - result->damaged),
               (long long)result->unknown_key, (long long)result->damaged);
}

static int print_result(const struct queue_command *command, const struct queue_check *result)
{
    if (command->json) {
        json_auto_t *line =
            json_pack("{s:I, s:I, s:b, s:I, s:I, s:I}", "messages", (json_int_t)result->messages,
                      "bodies", (json_int_t)result->bodies, "tried_bodies", result->tried_bodies,
                      "damaged", (json_int_t)result->damaged, "unknown_key",
                      (json_int_t)result->unknown_key, "findings", (json_int_t)result->findings);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("%lld messages, %lld bodies (", (long long)result->messages,
               (long long)result->bodies);
        print_opened(result);
        printf("), %lld findings\n", (long long)result->findings);
    }
    return result->findings == 0 ? CLI_DONE : CLI_FAILED;
}

// False: no daemon runs.
static bool check_copy(const struct queue_command *command, struct queue_check *result,
                       int *ret_status)
{
    AUTO_FREE char *dir = realpath(command->config->queue_dir, NULL);
    AUTO_FREE char *path = NULL;
    struct error err = {0};
    if (!dir) {
        cli_complain("open %s: %s", command->config->queue_dir, strerror(errno));
        *ret_status = CLI_FAILED;
        return true;
    }
    if (asprintf(&path, "%s/" COPY_FILE, dir) < 0)
        abort();
    unlink(path); // left by one that was killed
    if (!queue_command_ask_copy(dir, "check", path, ret_status))
        return false;
    if (*ret_status != CLI_DONE)
        return true;
    if (!queue_check_backup(path, dir, print_finding, (void *)(uintptr_t)command, result, &err)) {
        cli_complain("%s", err.message);
        *ret_status = CLI_FAILED;
    }
    unlink(path);
    return true;
}

int cli_queue_check(const struct queue_command *command)
{
    struct queue_check result = {0};
    struct error err = {0};
    int status;
    if (!check_copy(command, &result, &status)) {
        status = CLI_DONE;
        if (!queue_check_folder(command->config->queue_dir, print_finding,
                                (void *)(uintptr_t)command, &result, &err)) {
            cli_complain("%s", err.message);
            status = err.code == ERR_TEMPORARY || err.code == ERR_FULL ? CLI_TRY_AGAIN : CLI_FAILED;
        }
    }
    return status == CLI_DONE ? print_result(command, &result) : status;
}
