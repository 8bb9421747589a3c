// `courier-relay queue show` and `stats`: read-only, beside a running daemon or without one.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/timestamp.h"
#include "relay/cli/cli.h"
#include "relay/cli/queue_command.h"
#include "relay/cli/relative_time.h"
#include "relay/cli/table.h"
#include "relay/member_text.h"
#include "relay/message_view.h"

// A time is followed by how far away it is.
static void print_text(const char *text)
{
    int64_t wall_ms;
    char when[RELATIVE_TIME_SIZE];
    cli_print_safely(text);
    if (strlen(text) == strlen("2026-11-21T01:22:03.004Z") && strchr(text, 'T') &&
        timestamp_parse(text, strlen(text), &wall_ms))
        printf(" (%s)", relative_time(wall_ms - clock_wall_ms(), when));
}

static void print_fields(json_t *object, const char *indent)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        printf("%s%-14s ", indent, name);
        if (json_is_string(value))
            print_text(json_string_value(value));
        else if (json_is_integer(value))
            printf("%lld", (long long)json_integer_value(value));
        else
            putchar('-');
        putchar('\n');
    }
}

static void print_message(json_t *view, const json_t *history, const struct queue_message *message)
{
    size_t index;
    json_t *attempt;
    print_fields(view, "");
    json_array_foreach(history, index, attempt)
    {
        printf("attempt %zu\n", index + 1);
        print_fields(attempt, "  ");
    }
    if (json_array_size(history) > (size_t)message->attempts)
        printf("%zu took place, %d count: what is the smarthost's or the relay's own doing\n"
               "(session, cut; suspect, unless others are taken) does not count against the "
               "message\n",
               json_array_size(history), message->attempts);
    const char *advice = message_view_advice(message);
    if (advice && message->has_body && message_view_is_lost(message))
        printf("what to do: %s: courier-relay queue cancel %s\n", advice, message->id);
    else if (advice && message->has_body)
        printf("what to do: %s, then: courier-relay queue release %s\n", advice, message->id);
    else if (advice)
        printf("what to do: nothing, %s\n", advice);
}

static bool show(const struct queue_command *command, struct queue_reader *reader)
{
    struct queue_message message;
    json_auto_t *history = NULL;
    if (!queue_command_load(command, reader, &message, &history))
        return false;
    json_auto_t *view = message_view(reader, &message);
    if (!command->json) {
        print_message(view, history, &message);
        return true;
    }
    const char *advice = message_view_advice(&message);
    json_object_set(view, "history", history);
    json_object_set_new(view, "advice", advice ? json_string(advice) : json_null());
    return queue_command_print(view);
}

int cli_queue_show(const struct queue_command *command)
{
    struct queue_reader *reader = queue_command_reader(command);
    if (!reader)
        return CLI_FAILED;
    bool ok = show(command, reader);
    queue_reader_destroy(reader);
    return ok ? CLI_DONE : CLI_FAILED;
}

static void print_states(const struct queue_stats *stats)
{
    static const struct table_column columns[] = {{.title = "STATE"},
                                                  {.title = "MESSAGES", .is_number = true}};
    struct table *table = table_create(columns, 2);
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++) {
        enum message_state state = (enum message_state)i;
        char count[24];
        snprintf(count, sizeof(count), "%lld", (long long)stats->count[i]);
        const char *texts[] = {message_state_name(state), count};
        table_add(table, texts, 0,
                  stats->count[i] > 0 ? queue_command_colour(state) : TERMINAL_DIM);
    }
    table_end(table);
}

static void print_lanes(const struct queue_stats *stats, int64_t now_ms)
{
    static const struct table_column columns[] = {
        {.title = "LANE"}, {.title = "WAITING", .is_number = true}, {.title = "OLDEST"}};
    struct table *table = table_create(columns, 3);
    for (int i = 0; i < LANE_COUNT; i++) {
        char count[24], oldest[RELATIVE_TIME_SIZE] = "-";
        snprintf(count, sizeof(count), "%lld", (long long)stats->waiting[i]);
        if (stats->oldest_waiting_ms[i] > 0)
            relative_time(stats->oldest_waiting_ms[i] - now_ms, oldest);
        const char *texts[] = {lane_name((enum lane)i), count, oldest};
        table_add(table, texts, 0, TERMINAL_PLAIN);
    }
    table_end(table);
}

static bool tell_stats(const struct queue_command *command, struct queue_reader *reader)
{
    struct error err = {0};
    struct queue_stats stats;
    if (!queue_stats(reader, &stats, &err)) {
        cli_complain("%s", err.message);
        return false;
    }
    if (command->json) {
        json_auto_t *view = message_view_stats(reader, &stats);
        return queue_command_print(view);
    }
    print_states(&stats);
    putchar('\n');
    print_lanes(&stats, queue_reader_now_ms(reader));
    queue_command_tell_standstill(command);
    return true;
}

int cli_queue_stats(const struct queue_command *command)
{
    struct queue_reader *reader = queue_command_reader(command);
    if (!reader)
        return CLI_FAILED;
    bool ok = tell_stats(command, reader);
    queue_reader_destroy(reader);
    return ok ? CLI_DONE : CLI_FAILED;
}
