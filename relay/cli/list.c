// `courier-relay queue list`: read-only, beside a running daemon or without one.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"
#include "relay/cli/relative_time.h"
#include "relay/cli/table.h"
#include "relay/message_view.h"

enum { LIMIT_STANDARD = 50, STATE_COLUMN = 1 };

static const struct table_column COLUMNS[] = {
    {.title = "ID"},
    {.title = "STATE"},
    {.title = "CREATED"},
    {.title = "TRY", .is_number = true},
    {.title = "TEMPLATE", .may_shrink = 8},
    {.title = "LOCALE"},
    {.title = "RECIPIENT", .may_shrink = 10},
    {.title = "NEXT, WHY", .may_shrink = 6},
};
enum { COLUMN_COUNT = sizeof(COLUMNS) / sizeof(COLUMNS[0]) };

struct output {
    struct queue_reader *reader;
    struct table *table; // NULL: JSON
    int64_t now_ms;
    bool failed;
    size_t count, parked;
};

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

// When it goes on, where that is known, and why it is where it is.
static void tell_next(const struct output *output, const struct queue_message *message, char *text,
                      size_t size)
{
    char when[RELATIVE_TIME_SIZE] = "";
    const char *why = *message->reason ? message->reason : message->last_reply;
    if (message->state == MESSAGE_QUEUED && message->not_before_ms > output->now_ms)
        relative_time(message->not_before_ms - output->now_ms, when);
    else if (message->state == MESSAGE_QUEUED)
        snprintf(when, sizeof(when), "due");
    if (message->state == MESSAGE_SENT)
        why = "";
    snprintf(text, size, "%s%s%s", when, *when && *why ? ", " : "", why);
}

static void add_row(struct output *output, const struct queue_message *message)
{
    char age[RELATIVE_TIME_SIZE], tries[16], next[RELATIVE_TIME_SIZE + QUEUE_REPLY_SIZE + 8];
    snprintf(tries, sizeof(tries), "%d", message->attempts);
    tell_next(output, message, next, sizeof(next));
    const char *texts[COLUMN_COUNT] = {
        message->id,
        message_state_name(message->state),
        relative_time(message->created_ms - output->now_ms, age),
        tries,
        or_dash(message->template),
        or_dash(message->locale),
        or_dash(message->recipient),
        next,
    };
    table_add(output->table, texts, STATE_COLUMN, queue_command_colour(message->state));
}

static bool print_row(void *context, const struct queue_message *message)
{
    struct output *output = context;
    output->count++;
    output->parked += message->state == MESSAGE_PARKED;
    if (output->table) {
        add_row(output, message);
        return true;
    }
    json_auto_t *view = message_view(output->reader, message);
    output->failed = output->failed || !queue_command_print(view);
    return !output->failed;
}

static void print_end(const struct output *output, const struct queue_command *command)
{
    bool has_reader = isatty(STDOUT_FILENO); // who pipes it wants rows
    if (has_reader && output->count == LIMIT_STANDARD && command->filter.limit == 0)
        printf("\nThe newest %d; --limit N shows more, and a filter others.\n", LIMIT_STANDARD);
    if (has_reader && output->parked > 0)
        printf("\n%zu of these parked: mend what their reason names, then: courier-relay queue "
               "release ID\n(`courier-relay queue explain ID` says more)\n",
               output->parked);
    const struct message_filter *filter = &command->filter;
    bool is_compared = *filter->reason || *filter->template || *filter->smarthost;
    if (output->count == 0)
        cli_complain("there is no such message%s",
                     is_compared
                         ? "; --reason, --template and --smarthost take the whole word that "
                           "`queue show` has there"
                         : "");
    queue_command_tell_standstill(command);
}

int cli_queue_list(const struct queue_command *command)
{
    struct error err = {0};
    struct output output = {.reader = queue_command_reader(command)};
    if (!output.reader)
        return CLI_FAILED;
    struct queue_filter filter = queue_command_filter(command, output.reader, LIMIT_STANDARD);
    output.now_ms = queue_reader_now_ms(output.reader);
    if (!command->json)
        output.table = table_create(COLUMNS, COLUMN_COUNT);
    bool is_whole = queue_list(output.reader, &filter, print_row, &output, &err);
    table_end(output.table);
    if (!is_whole)
        cli_complain("%s", err.message);
    else if (!command->json)
        print_end(&output, command);
    queue_reader_destroy(output.reader);
    if (output.failed)
        cli_complain("cannot write what was asked for");
    return is_whole && !output.failed ? CLI_DONE : CLI_FAILED;
}
