#include "relay/cli/queue_command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/member_text.h"
#include "relay/message_view.h"

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

struct queue_filter queue_command_filter(const struct queue_command *command,
                                         struct queue_reader *reader, size_t limit)
{
    int64_t now_ms = queue_reader_now_ms(reader);
    struct queue_filter filter =
        message_filter_for_queue(&command->filter, queue_reader_wall_ms(reader, now_ms) - now_ms);
    if (filter.limit == 0)
        filter.limit = limit;
    return filter;
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

bool queue_command_load(const struct queue_command *command, struct queue_reader *reader,
                        struct queue_message *ret_message, json_t **ret_history)
{
    struct error err = {0};
    bool found = false;
    const char *id = command->words[0];
    json_auto_t *history = json_array();
    struct attempt_list attempts = {reader, history};
    if (!queue_load(reader, id, ret_message, &found, NULL, NULL, &err) ||
        (found && !queue_attempts(reader, id, add_attempt, &attempts, &err))) {
        cli_complain("%s", err.message);
        return false;
    }
    if (!found)
        cli_complain("there is no message %s", id);
    else
        *ret_history = json_incref(history);
    return found;
}

json_t *queue_command_smarthosts(const struct queue_command *command)
{
    struct error err = {0};
    struct cli_answer answer;
    json_t *smarthosts = NULL;
    const struct cli_order order = {
        .path = "/admin/smarthosts", .is_get = true, .ret_body = &smarthosts};
    struct cli_orders *orders = cli_orders_open(command->config->queue_dir);
    bool is_answered = orders && cli_ask(orders, &order, &answer, &err) && answer.status == 200;
    cli_orders_close(orders);
    if (is_answered)
        return smarthosts;
    json_decref(smarthosts);
    return NULL;
}

void queue_command_tell_standstill(const struct queue_command *command)
{
    size_t index, closed = 0;
    json_t *one;
    if (!isatty(STDOUT_FILENO))
        return;
    json_auto_t *smarthosts = queue_command_smarthosts(command);
    json_array_foreach(smarthosts, index, one)
    {
        closed += strcmp(member_text_or(one, "state", ""), "closed") == 0;
    }
    if (!smarthosts)
        printf("\nNo relay runs on this queue, or none that this user may ask.\n");
    else if (closed == 0)
        printf("\nNo smarthost takes mail now: `courier-relay smarthosts` says why.\n");
}

bool queue_command_print(const json_t *value)
{
    return value && json_dumpf(value, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
}

enum terminal_colour queue_command_colour(enum message_state state)
{
    switch (state) {
    case MESSAGE_SENT:
        return TERMINAL_GREEN;
    case MESSAGE_FAILED:
    case MESSAGE_UNKNOWN:
        return TERMINAL_RED;
    case MESSAGE_PARKED:
    case MESSAGE_HELD:
    case MESSAGE_EXPIRED:
        return TERMINAL_YELLOW;
    case MESSAGE_SUPERSEDED:
    case MESSAGE_CANCELLED:
        return TERMINAL_DIM;
    case MESSAGE_RECEIVED:
    case MESSAGE_QUEUED:
    case MESSAGE_SENDING:
        break;
    }
    return TERMINAL_PLAIN;
}
