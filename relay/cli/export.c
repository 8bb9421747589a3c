// `courier-relay queue export --json`: every message with its history, an object a line.
#include <jansson.h>
#include <stdio.h>

#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"
#include "relay/message_view.h"

struct export
{
    struct queue_reader *reader;
    bool failed;
    struct error err;
};

struct history {
    struct queue_reader *reader;
    json_t *views;
};

static bool add_attempt(void *context, const struct queue_attempt_row *attempt)
{
    struct history *history = context;
    return json_array_append_new(history->views, message_view_attempt(history->reader, attempt)) ==
           0;
}

static bool print_message(void *context, const struct queue_message *message)
{
    struct export *export = context;
    json_auto_t *view = message_view(export->reader, message);
    json_auto_t *views = json_array();
    const char *advice = message_view_advice(message);
    struct history history = {export->reader, views};
    bool ok = queue_attempts(export->reader, message->id, add_attempt, &history, &export->err);
    if (!ok || json_object_set(view, "history", views) < 0 ||
        json_object_set_new(view, "advice", advice ? json_string(advice) : json_null()) < 0 ||
        json_dumpf(view, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
        export->failed = true;
    return !export->failed;
}

int cli_queue_export(const struct queue_command *command)
{
    struct error err = {0};
    if (!command->json)
        return cli_usage("queue", "export needs --json: there is no other form yet");
    struct export export = {.reader = queue_command_reader(command)};
    if (!export.reader)
        return CLI_FAILED;
    struct queue_filter filter = queue_command_filter(command, export.reader, SIZE_MAX);
    bool ok = queue_list(export.reader, &filter, print_message, &export, &err);
    if (!ok || export.err.code != ERR_NONE)
        cli_complain("%s", ok ? export.err.message : err.message);
    queue_reader_destroy(export.reader);
    return ok && !export.failed ? CLI_DONE : CLI_FAILED;
}
