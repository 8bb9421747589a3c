#include "relay/cli/release.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/post.h"
#include "relay/control.h"
#include "relay/endpoint.h"
#include "relay/message_view.h"

enum { URL_SIZE = 128 };

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

static bool find_ids(struct queue_reader *reader, const struct queue_filter *told,
                     struct id_list *list)
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
    return false;
}

// A filter may name more than was thought of.
static bool is_agreed(const struct release_order *order, size_t count)
{
    if (order->yes || count <= 1)
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_complain("%zu messages are meant: say --yes", count);
        return false;
    }
    fprintf(stderr, "Release %zu messages? [y/N] ", count);
    char answer[8] = "";
    return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

// ---- letting them go --------------------------------------------------------------------------

struct session {
    struct queue_reader *reader;
    struct cli_poster *poster;
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
    char url[URL_SIZE];
    struct cli_answer answer;
    struct error err = {0};
    if (!is_id(id)) {
        print(session, id, "is no id");
        return CLI_DONE;
    }
    snprintf(url, sizeof(url), "http://localhost/admin/messages/%s/release", id);
    if (!cli_post(session->poster, &(struct cli_post){.url = url}, &answer, &err)) {
        if (err.code == ERR_TEMPORARY)
            cli_complain("no relay runs on this queue: start it with `courier-relay serve`, or "
                         "look whether the queue's folder is the daemon's");
        else if (err.code == ERR_PERMANENT)
            cli_complain("the relay runs as another user: only that one may release");
        else
            cli_complain("%s", err.message);
        return err.code == ERR_TEMPORARY ? CLI_TRY_AGAIN : CLI_FAILED;
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

static int release_all(struct session *session, const struct release_order *order,
                       const struct id_list *found)
{
    int status = CLI_DONE;
    for (size_t i = 0; status == CLI_DONE && i < order->id_count; i++)
        status = release_one(session, order->ids[i]);
    for (size_t i = 0; status == CLI_DONE && i < found->count; i++)
        status = release_one(session, found->ids[i]);
    return status == CLI_DONE && session->some_refused ? CLI_FAILED : status;
}

int cli_release(struct queue_reader *reader, const struct release_order *order)
{
    struct id_list found = {0};
    if (order->id_count == 0 &&
        (!find_ids(reader, order->filter, &found) || !is_agreed(order, found.count))) {
        free(found.ids);
        return CLI_FAILED;
    }
    if (order->id_count == 0 && found.count == 0 && !order->json)
        puts("nothing to release");
    AUTO_CLOSE int dir_fd = open(order->queue_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char path[ENDPOINT_UNIX_PATH_SIZE];
    endpoint_unix_path(dir_fd, CONTROL_SOCKET, path);
    struct error err = {0};
    struct session session = {
        .reader = reader, .poster = cli_poster_create(path, &err), .json = order->json};
    int status = CLI_FAILED;
    if (dir_fd < 0)
        cli_complain("open %s: %s", order->queue_dir, strerror(errno));
    else if (!session.poster)
        cli_complain("%s", err.message);
    else
        status = release_all(&session, order, &found);
    cli_poster_destroy(session.poster);
    free(found.ids);
    return status;
}
