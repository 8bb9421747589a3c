// `courier-relay queue backup FILE`: by the daemon where one runs, else by ourselves.
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/cli/queue_command.h"

// The daemon has another working directory. NULL on failure.
static char *absolute(const char *file)
{
    char *path = NULL;
    AUTO_FREE char *here = *file == '/' ? NULL : getcwd(NULL, 0);
    if (*file != '/' && !here) {
        cli_complain("the working directory: %s", strerror(errno));
        return NULL;
    }
    if (asprintf(&path, "%s%s%s", here ? here : "", here ? "/" : "", file) < 0)
        abort();
    return path;
}

// It has a user of its own, and with systemd or in a container folders of its own.
static bool is_out_of_its_reach(const char *path, const char *queue_dir, const char *message)
{
    static const int REASONS[] = {EACCES, EPERM, EROFS, ENOENT};
    size_t size = strlen(queue_dir);
    if (strncmp(path, queue_dir, size) == 0 && path[size] == '/')
        return false;
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
        if (strstr(message, strerror(REASONS[i])))
            return true;
    return false;
}

static int status_of(const struct cli_answer *answer)
{
    if (answer->status == 200)
        return CLI_DONE;
    return answer->status == 503 ? CLI_TRY_AGAIN : CLI_FAILED;
}

static bool give_order(struct cli_orders *orders, const char *act, const char *path,
                       const char *queue_dir, int *ret_status)
{
    struct cli_answer answer;
    json_auto_t *body = json_pack("{s:s}", "path", path);
    if (!body) {
        cli_complain("the file's name is no UTF-8");
        return true;
    }
    AUTO_FREE char *address = NULL;
    if (asprintf(&address, "/admin/queue/%s", act) < 0)
        abort();
    const struct cli_order order = {.path = address, .body = body, .may_take_long = true};
    switch (cli_give(orders, &order, &answer)) {
    case CLI_NO_RELAY:
        return false;
    case CLI_NOT_GIVEN:
        return true;
    case CLI_GIVEN:
        break;
    }
    *ret_status = status_of(&answer);
    if (*ret_status == CLI_DONE)
        return true;
    cli_complain("%s", *answer.message ? answer.message : "the relay refuses");
    if (is_out_of_its_reach(path, queue_dir, answer.message))
        cli_complain("the relay writes the file itself: where it may not, name one in %s",
                     queue_dir);
    return true;
}

bool queue_command_ask_copy(const char *queue_dir, const char *act, const char *path,
                            int *ret_status)
{
    *ret_status = CLI_FAILED;
    struct cli_orders *orders = cli_orders_open(queue_dir);
    if (!orders)
        return true;
    bool runs = give_order(orders, act, path, queue_dir, ret_status);
    cli_orders_close(orders);
    return runs;
}

static int back_up(const char *queue_dir, const char *path)
{
    struct error err = {0};
    int status;
    if (queue_command_ask_copy(queue_dir, "backup", path, &status))
        return status;
    if (queue_backup_folder(queue_dir, path, &err))
        return CLI_DONE;
    cli_complain("%s", err.message);
    return err.code == ERR_TEMPORARY || err.code == ERR_FULL ? CLI_TRY_AGAIN : CLI_FAILED;
}

int cli_queue_backup(const struct queue_command *command)
{
    AUTO_FREE char *path = absolute(command->words[0]);
    int status = path ? back_up(command->config->queue_dir, path) : CLI_FAILED;
    if (status == CLI_DONE && command->json) {
        json_auto_t *line = json_pack("{s:s}", "file", path);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (status == CLI_DONE) {
        printf("%s\nThe bodies in it are sealed: keep it with a copy of queue.key (or of what "
               "RELAY_QUEUE_KEY is), but not\nin the same place.\n",
               path);
    }
    return status;
}
