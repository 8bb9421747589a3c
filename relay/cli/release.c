// `courier-relay queue release`: asks the daemon to let messages go.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/cli/queue_command.h"
#include "relay/message_view.h"

enum { PATH_SIZE = 128 };

// ---- which ones ---------------------------------------------------------------------------------

typedef char queue_id[QUEUE_ID_SIZE];

struct id_list {
    queue_id *ids;
    size_t count, room;
};

static bool add_id(void *context, const struct queue_message *message)
{
    struct id_list *list = context;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        queue_id *ids = reallocarray(list->ids, room, sizeof(*ids));
        if (!ids)
            abort();
        list->ids = ids;
        list->room = room;
    }
    memcpy(list->ids[list->count++], message->id, QUEUE_ID_SIZE);
    return true;
}

// False: it has complained. *ret_some_unreadable: of rows that nobody can read as well; the others
// are in the list.
static bool find_ids(struct queue_reader *reader, const struct queue_filter *told,
                     struct id_list *list, bool *ret_some_unreadable)
{
    struct queue_filter filter = *told;
    struct error err = {0};
    if (!filter.has_state) {
        filter.has_state = true;
        filter.state = MESSAGE_PARKED;
    }
    if (filter.limit == 0)
        filter.limit = SIZE_MAX;
    if (queue_list(reader, &filter, add_id, list, &err))
        return true;
    cli_complain("%s", err.message);
    *ret_some_unreadable = err.code == ERR_CORRUPT;
    return *ret_some_unreadable;
}

// A filter may name more than was thought of.
static bool is_agreed(const struct queue_command *command, size_t count)
{
    if (command->yes || count <= 1)
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_complain("%zu messages are meant: say --yes", count);
        return false;
    }
    fprintf(stderr, "Release %zu messages? [y/N] ", count);
    char answer[8] = "";
    if (fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y'))
        return true;
    fputs("nothing was released\n", stderr);
    return false;
}

// ---- letting them go --------------------------------------------------------------------------

struct session {
    struct queue_reader *reader;
    struct cli_orders *orders;
    bool json;
    bool some_refused;
};

// An id comes from the command line, and may be anything.
static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdef-") == QUEUE_ID_SIZE - 1 &&
           text[QUEUE_ID_SIZE - 1] == '\0';
}

static void print(struct session *session, const char *id, const char *problem)
{
    if (problem)
        session->some_refused = true;
    if (session->json) {
        json_auto_t *line =
            json_pack("{s:s, s:b, s:s?}", "id", id, "released", problem == NULL, "error", problem);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (problem) {
        printf("%s: %s\n", id, problem);
    } else {
        printf("%s: released\n", id);
    }
}

// The daemon says only that it was not released; the row says why.
static void print_wrong_state(struct session *session, const char *id)
{
    struct queue_message message;
    struct error err = {0};
    bool found = false;
    char text[96];
    if (!queue_load(session->reader, id, &message, &found, NULL, NULL, &err) || !found) {
        print(session, id, "not parked or held");
        return;
    }
    const char *advice = message_view_advice(&message); // only of what was set aside
    if (advice && message.has_body) {
        print(session, id, "was just released by somebody else, and set aside again");
        return;
    }
    snprintf(text, sizeof(text), "is %s, not parked or held", message_state_name(message.state));
    print(session, id, advice ? advice : text);
}

// CLI_DONE: go on with the next.
static int release_one(struct session *session, const char *id)
{
    char path[PATH_SIZE];
    struct cli_answer answer;
    if (!is_id(id)) {
        print(session, id, "is no id");
        return CLI_DONE;
    }
    snprintf(path, sizeof(path), "/admin/messages/%s/release", id);
    switch (cli_give(session->orders, &(struct cli_order){.path = path}, &answer)) {
    case CLI_NO_RELAY:
        return cli_needs_relay();
    case CLI_NOT_GIVEN:
        return CLI_FAILED;
    case CLI_GIVEN:
        break;
    }
    if (answer.status == 200)
        print(session, id, NULL);
    else if (answer.status == 404)
        print(session, id, "no such message");
    else if (answer.status == 409)
        print_wrong_state(session, id);
    else
        print(session, id, *answer.message ? answer.message : "the relay refuses");
    return CLI_DONE;
}

static int release_all(struct session *session, const struct queue_command *command,
                       const struct id_list *found)
{
    int status = CLI_DONE;
    for (size_t i = 0; status == CLI_DONE && i < command->word_count; i++)
        status = release_one(session, command->words[i]);
    for (size_t i = 0; status == CLI_DONE && i < found->count; i++)
        status = release_one(session, found->ids[i]);
    return status == CLI_DONE && session->some_refused ? CLI_FAILED : status;
}

// By ids, or by a filter.
static int find_and_release(struct session *session, const struct queue_command *command)
{
    struct id_list found = {0};
    int status = CLI_FAILED;
    bool some_unreadable = false;
    if (command->word_count > 0 ||
        (find_ids(session->reader, &command->filter, &found, &some_unreadable) &&
         is_agreed(command, found.count)))
        status = CLI_DONE;
    if (status == CLI_DONE && command->word_count == 0 && found.count == 0 && !command->json)
        puts("nothing to release");
    if (status == CLI_DONE)
        status = release_all(session, command, &found);
    free(found.ids);
    return status == CLI_DONE && some_unreadable ? CLI_FAILED : status;
}

int cli_queue_release(const struct queue_command *command)
{
    const struct queue_filter *filter = &command->filter;
    if (filter->has_state && filter->state != MESSAGE_PARKED && filter->state != MESSAGE_HELD)
        return cli_usage("queue", "only parked and held messages are released");
    struct session session = {.reader = queue_command_reader(command), .json = command->json};
    if (session.reader)
        session.orders = cli_orders_open(command->config->queue_dir);
    int status = session.orders ? find_and_release(&session, command) : CLI_FAILED;
    cli_orders_close(session.orders);
    queue_reader_destroy(session.reader);
    return status;
}
