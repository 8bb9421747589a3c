// `courier-relay queue list`, `show` and `stats`: look into the queue, read-only, beside a running
// daemon or without one.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"
#include "relay/message_view.h"

enum { LIMIT_STANDARD = 50 };

// What is printed: one JSON object a line, or texts for people.
struct output {
    struct queue_reader *reader;
    bool json;
    bool failed;
    size_t count, parked;
};

static void put_json(struct output *output, json_t *value)
{
    if (!value || json_dumpf(value, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        output->failed = true;
}

static const char *field(const json_t *view, const char *name)
{
    const char *text = json_string_value(json_object_get(view, name));
    return text ? text : "-";
}

static bool print_row(void *context, const struct queue_message *message)
{
    struct output *output = context;
    json_auto_t *view = message_view(output->reader, message);
    output->count++;
    output->parked += message->state == MESSAGE_PARKED;
    if (output->json) {
        put_json(output, view);
        return !output->failed;
    }
    if (output->count == 1)
        printf("%-36s  %-10s  %-24s  %-3s  %-29s  %-6s  %s\n", "ID", "STATE", "CREATED", "TRY",
               "TEMPLATE", "LOCALE", "RECIPIENT, REASON");
    printf("%-36s  %-10s  %-24s  %3d  %-29s  %-6s  ", message->id, field(view, "state"),
           field(view, "created_at"), message->attempts, field(view, "template"),
           field(view, "locale"));
    cli_print_safely(field(view, "recipient"));
    const char *why = *message->reason ? message->reason : message->last_reply;
    if (*why && message->state != MESSAGE_SENT) {
        fputs("  ", stdout);
        cli_print_safely(why);
    }
    putchar('\n');
    return true;
}

static int list(struct output *output, const struct queue_filter *told)
{
    struct error err = {0};
    struct queue_filter filter = *told;
    if (filter.limit == 0)
        filter.limit = LIMIT_STANDARD;
    if (!queue_list(output->reader, &filter, print_row, output, &err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    if (output->parked > 0 && !output->json)
        printf("\n%zu of these parked: mend what their reason names, then: courier-relay queue "
               "release "
               "ID\n"
               "(`courier-relay queue show ID` says more)\n",
               output->parked);
    return CLI_DONE;
}

static void print_fields(json_t *object, const char *indent)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        printf("%s%-14s ", indent, name);
        if (json_is_string(value))
            cli_print_safely(json_string_value(value));
        else if (json_is_integer(value))
            printf("%lld", (long long)json_integer_value(value));
        else
            putchar('-');
        putchar('\n');
    }
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

static int show(struct output *output, const char *id)
{
    struct error err = {0};
    struct queue_message message;
    bool found = false;
    json_auto_t *history = json_array();
    struct attempt_list attempts = {output->reader, history};
    if (!queue_load(output->reader, id, &message, &found, NULL, NULL, &err) ||
        (found && !queue_attempts(output->reader, id, add_attempt, &attempts, &err))) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    if (!found) {
        cli_complain("there is no message %s", id);
        return CLI_FAILED;
    }
    json_auto_t *view = message_view(output->reader, &message);
    if (output->json) {
        json_object_set(view, "history", history);
        put_json(output, view);
        return CLI_DONE;
    }
    print_fields(view, "");
    size_t index;
    json_t *attempt;
    json_array_foreach(history, index, attempt)
    {
        printf("attempt %zu\n", index + 1);
        print_fields(attempt, "  ");
    }
    if (json_array_size(history) > (size_t)message.attempts)
        printf("%zu took place, %d charged: what is the smarthost's or the relay's own doing\n"
               "(session, suspect, cut) is not charged to the message\n",
               json_array_size(history), message.attempts);
    const char *advice = message_view_advice(&message);
    if (advice && message.has_body)
        printf("what to do: %s, then: courier-relay queue release %s\n", advice, message.id);
    else if (advice)
        printf("what to do: nothing, %s\n", advice);
    return CLI_DONE;
}

static int stats(struct output *output)
{
    struct error err = {0};
    struct queue_stats stats;
    if (!queue_stats(output->reader, &stats, &err)) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    json_auto_t *view = message_view_stats(output->reader, &stats);
    if (output->json) {
        put_json(output, view);
        return CLI_DONE;
    }
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++)
        printf("%-12s %lld\n", message_state_name((enum message_state)i),
               (long long)stats.count[i]);
    const json_t *lanes = json_object_get(view, "lanes");
    for (int i = 0; i < LANE_COUNT; i++) {
        const char *name = lane_name((enum lane)i);
        printf("lane %-7s %lld waiting, oldest %s\n", name, (long long)stats.waiting[i],
               field(json_object_get(lanes, name), "oldest_waiting_at"));
    }
    return CLI_DONE;
}

static int finish(struct output *output, int status)
{
    queue_reader_destroy(output->reader);
    if (output->failed)
        cli_complain("cannot write what was asked for");
    return output->failed ? CLI_FAILED : status;
}

static struct output start(const struct queue_command *command)
{
    return (struct output){.reader = queue_command_reader(command), .json = command->json};
}

int cli_queue_list(const struct queue_command *command)
{
    struct output output = start(command);
    return finish(&output, output.reader ? list(&output, &command->filter) : CLI_FAILED);
}

int cli_queue_show(const struct queue_command *command)
{
    struct output output = start(command);
    return finish(&output, output.reader ? show(&output, command->words[0]) : CLI_FAILED);
}

int cli_queue_stats(const struct queue_command *command)
{
    struct output output = start(command);
    return finish(&output, output.reader ? stats(&output) : CLI_FAILED);
}
