// `courier-relay queue retry`, `hold`, `release` and `cancel`: has the daemon do it, to ids or to
// all that a filter names.
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"
#include "relay/cli/cli.h"
#include "relay/cli/order.h"
#include "relay/cli/queue_command.h"
#include "relay/member_text.h"

enum { PATH_BYTES_MAX = 8192 };

struct session {
    const struct queue_command *command;
    struct cli_orders *orders;
    bool some_refused;
};

// "released"
static const char *past(const char *act)
{
    static const char *const words[][2] = {
        {"retry", "retried"}, {"hold", "held"}, {"release", "released"}, {"cancel", "cancelled"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], act) == 0)
            return words[i][1];
    return act;
}

static long long count_in(const json_t *body, const char *name)
{
    return json_integer_value(json_object_get(body, name));
}

// fact: what is to be thought of. Where nobody can be asked, it takes --yes.
static bool is_confirmed(const char *fact, const char *question)
{
    if (!isatty(STDIN_FILENO)) {
        cli_complain("%s: say --yes", fact);
        return false;
    }
    fprintf(stderr, "%s. %s [y/N] ", fact, question);
    char answer[8] = "";
    return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

// ---- the address --------------------------------------------------------------------------------

struct address {
    struct buffer path;
    bool has_query;
};

static void put(struct address *address, const char *name, const char *value)
{
    buffer_printf(&address->path, "%c%s=", address->has_query ? '&' : '?', name);
    cli_put_encoded(&address->path, value);
    address->has_query = true;
}

static void put_time(struct address *address, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (wall_ms == 0)
        return;
    clock_rfc3339(wall_ms, text);
    put(address, name, text);
}

static void put_states(struct address *address, unsigned states)
{
    char text[256] = "";
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++) {
        enum message_state state = (enum message_state)i;
        size_t used = strlen(text);
        if (states & QUEUE_STATE_BIT(state))
            snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "",
                     message_state_name(state));
    }
    if (*text)
        put(address, "state", text);
}

// Ages go as the moments that they were when the command began: what was counted is what is meant.
static void put_filter(struct address *address, const struct message_filter *filter)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"recipient", filter->recipient},
                 {"template", filter->template},
                 {"reason", filter->reason},
                 {"smarthost", filter->smarthost},
                 {"lane", filter->has_lane ? lane_name(filter->lane) : ""}};
    put_states(address, filter->states);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (*texts[i].value)
            put(address, texts[i].name, texts[i].value);
    put_time(address, "since", filter->since_ms);
    put_time(address, "before", filter->before_ms);
    if (filter->limit > 0) {
        char limit[24];
        snprintf(limit, sizeof(limit), "%zu", filter->limit);
        put(address, "limit", limit);
    }
}

// Ends the address by the note.
static enum cli_given give(struct session *session, struct address *address,
                           struct cli_answer *ret_answer, json_t **ret_body)
{
    if (session->command->note)
        put(address, "note", session->command->note);
    if (address->path.failed) {
        cli_complain("an id or a filter is too long");
        return CLI_NOT_GIVEN;
    }
    const struct cli_order order = {
        .path = address->path.data, .may_take_long = true, .ret_body = ret_body};
    return cli_give(session->orders, &order, ret_answer);
}

// ---- ids ----------------------------------------------------------------------------------------

struct result {
    const char *problem;  // NULL: it was done
    const char *state;    // what the message is in now
    int unknown_outcomes; // so many copies of it may have arrived
};

static void print_one(struct session *session, const char *id, const struct result *result)
{
    const char *act = session->command->name;
    session->some_refused = session->some_refused || result->problem;
    if (session->command->json) {
        json_auto_t *line =
            json_pack("{s:s, s:s, s:b, s:s?, s:i, s:s?}", "id", id, "act", act, "done",
                      result->problem == NULL, "state", result->state, "unknown_outcomes",
                      result->unknown_outcomes, "error", result->problem);
        queue_command_print(line);
        return;
    }
    cli_print_safely(id);
    printf(": %s", result->problem ? result->problem : past(act));
    if (!result->problem && result->unknown_outcomes > 0 && strcmp(act, "retry") == 0)
        printf("; it may have arrived %d time%s already", result->unknown_outcomes,
               result->unknown_outcomes == 1 ? "" : "s");
    putchar('\n');
}

static void print_problem(struct session *session, const char *id, const char *problem)
{
    print_one(session, id, &(struct result){.problem = problem});
}

// An id comes from the command line, and may be anything.
static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdef-") == QUEUE_ID_SIZE - 1 &&
           text[QUEUE_ID_SIZE - 1] == '\0';
}

// CLI_DONE: go on with the next.
static int act_on_one(struct session *session, const char *id)
{
    struct address address = {.has_query = false};
    struct cli_answer answer;
    json_auto_t *body = NULL;
    buffer_init(&address.path, PATH_BYTES_MAX);
    buffer_printf(&address.path, "/admin/messages/%s/%s", id, session->command->name);
    enum cli_given given = give(session, &address, &answer, &body);
    buffer_finish(&address.path);
    if (given != CLI_GIVEN)
        return given == CLI_NO_RELAY ? cli_needs_relay() : CLI_FAILED;
    if (answer.status == 200)
        print_one(session, id,
                  &(struct result){.state = member_text(body, "state"),
                                   .unknown_outcomes = (int)count_in(body, "unknown_outcomes")});
    else
        print_problem(session, id, *answer.message ? answer.message : "the relay refuses");
    return CLI_DONE;
}

// What nobody has answered for may have arrived, and one more copy is somebody's to decide. That is
// asked once for each; it is in the database, where the relay finds it as well.
static bool is_retry_meant(struct session *session, struct queue_reader *reader, const char *id)
{
    struct queue_message message;
    struct error err = {0};
    bool found = false;
    if (session->command->yes || !queue_load(reader, id, &message, &found, NULL, NULL, &err) ||
        !found || message.unknown_outcomes == 0 ||
        (message.state != MESSAGE_UNKNOWN && message.state != MESSAGE_FAILED))
        return true; // or it is the relay's to say what is wrong
    char question[128];
    snprintf(question, sizeof(question), "%s may have arrived %d time%s already", id,
             message.unknown_outcomes, message.unknown_outcomes == 1 ? "" : "s");
    return is_confirmed(question, "Retry it?");
}

static int act_on_id(struct session *session, struct queue_reader *reader, const char *id)
{
    if (!is_id(id))
        print_problem(session, id, "is no id");
    else if (reader && !is_retry_meant(session, reader, id))
        print_problem(session, id, "not retried: it may have arrived already");
    else
        return act_on_one(session, id);
    return CLI_DONE;
}

static int act_on_ids(struct session *session)
{
    const struct queue_command *command = session->command;
    struct queue_reader *reader = NULL;
    if (strcmp(command->name, "retry") == 0 && !(reader = queue_command_reader(command)))
        return CLI_FAILED;
    int status = CLI_DONE;
    for (size_t i = 0; status == CLI_DONE && i < command->word_count; i++)
        status = act_on_id(session, reader, command->words[i]);
    queue_reader_destroy(reader);
    return status;
}

// ---- a filter -----------------------------------------------------------------------------------

// CLI_DONE: *ret_body is what was answered.
static int ask(struct session *session, bool dry_run, json_t **ret_body)
{
    const struct queue_command *command = session->command;
    struct address address = {.has_query = false};
    struct cli_answer answer;
    buffer_init(&address.path, PATH_BYTES_MAX);
    buffer_printf(&address.path, "/admin/messages/%s", command->name);
    put_filter(&address, &command->filter);
    if (command->all)
        put(&address, "all", "true");
    if (dry_run)
        put(&address, "dry_run", "true");
    enum cli_given given = give(session, &address, &answer, ret_body);
    buffer_finish(&address.path);
    if (given != CLI_GIVEN)
        return given == CLI_NO_RELAY ? cli_needs_relay() : CLI_FAILED;
    if (answer.status == 200)
        return CLI_DONE;
    cli_complain("%s", *answer.message ? answer.message : "the relay refuses");
    return CLI_FAILED;
}

// A filter may name more than was thought of, and what nobody has answered for may have arrived.
static bool is_agreed(const struct queue_command *command, const json_t *counted)
{
    long long count = count_in(counted, "messages");
    bool retries = strcmp(command->name, "retry") == 0;
    long long arrived = retries ? count_in(counted, "may_have_arrived") : 0;
    char fact[160], question[32];
    if (command->yes || count == 0 || (count == 1 && arrived == 0))
        return true;
    int used =
        snprintf(fact, sizeof(fact), "%lld message%s meant", count, count == 1 ? " is" : "s are");
    if (arrived > 0)
        snprintf(fact + used, sizeof(fact) - (size_t)used,
                 ", %lld of which may have arrived already", arrived);
    snprintf(question, sizeof(question), "%c%s %s?", command->name[0] - 'a' + 'A',
             command->name + 1, count == 1 ? "it" : "them");
    if (is_confirmed(fact, question))
        return true;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "nothing was %s\n", past(command->name));
    return false;
}

static void print_left_out(const json_t *body)
{
    static const struct {
        const char *name, *words;
    } reasons[] = {{"expired", "past the deadline"},
                   {"no_body", "without a body any more"},
                   {"wrong_state", "in another state by then"}};
    const json_t *left_out = json_object_get(body, "left_out");
    const char *before = "left out: ";
    if (count_in(body, "skipped") == 0)
        return;
    printf("; ");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        long long count = count_in(left_out, reasons[i].name);
        if (count > 0)
            printf("%s%lld %s", before, count, reasons[i].words);
        before = count > 0 ? ", " : before;
    }
}

static void print_all(const struct queue_command *command, const json_t *body)
{
    long long count = count_in(body, "messages");
    if (command->json) {
        queue_command_print(body);
        return;
    }
    if (count == 0 && !command->dry_run)
        printf("nothing to %s", command->name);
    else
        printf("%lld message%s %s%s", count, count == 1 ? "" : "s",
               command->dry_run ? "would be " : "", past(command->name));
    print_left_out(body);
    putchar('\n');
}

static int act_on_all(struct session *session)
{
    const struct queue_command *command = session->command;
    json_auto_t *counted = NULL;
    json_auto_t *done = NULL;
    int status = ask(session, true, &counted);
    if (status == CLI_DONE && !command->dry_run && !is_agreed(command, counted))
        return CLI_FAILED;
    if (status == CLI_DONE && !command->dry_run)
        status = ask(session, false, &done);
    if (status == CLI_DONE)
        print_all(command, command->dry_run ? counted : done);
    return status;
}

int cli_queue_act(const struct queue_command *command)
{
    struct session session = {.command = command,
                              .orders = cli_orders_open(command->config->queue_dir)};
    if (!session.orders)
        return cli_no_orders(command->config->queue_dir);
    int status = command->word_count > 0 ? act_on_ids(&session) : act_on_all(&session);
    cli_orders_close(session.orders);
    return status == CLI_DONE && session.some_refused ? CLI_FAILED : status;
}
