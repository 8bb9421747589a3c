#include "relay/composer/evaluator.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jsonnet/normaliser.h"
#include "jsonnet/payload.h"
#include "jsonnet/table.h"
#include "relay/base/cleanup.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/composer/confine.h"

// The child's whole life: an answer, or none.
static void answer(const struct route_table *routes, pid_t parent, int fd)
{
    struct confinement confinement;
    struct error err;
    // The composer's own socket is closed by that, as whatever else it has open is by confine().
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        dup2(fd, PROCESS_SOCKET_FD) < 0 || !confine(&confinement, &err))
        return;
    json_auto_t *tables = normaliser_tables(routes->sources, routes->source_count);
    AUTO_FREE char *text = tables ? json_dumps(tables, JSON_COMPACT) : NULL;
    if (!text)
        return;
    const struct frame frame = {.blobs = {{text, strlen(text)}}, .blob_count = 1};
    (void)frame_write(PROCESS_SOCKET_FD, &frame, &err); // who asks sees the end
}

struct evaluator evaluator_start(const struct route_table *routes)
{
    struct evaluator evaluator = {.fd = -1, .count = routes->source_count};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return evaluator;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        answer(routes, parent, pair[1]);
        _exit(EXIT_SUCCESS);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return evaluator;
    }
    evaluator.pid = pid;
    evaluator.fd = pair[0];
    return evaluator;
}

static bool are_tables(json_t *tables, size_t count)
{
    size_t i;
    json_t *table;
    struct error err;
    if (json_array_size(tables) != count)
        return false;
    json_array_foreach(tables, i, table)
    {
        if (!table_check(table, &err))
            return false;
    }
    return true;
}

static json_t *read_answer(const struct evaluator *evaluator)
{
    struct frame_reader reader;
    struct frame frame;
    struct error err;
    json_t *tables = NULL;
    frame_reader_init(&reader);
    if (frame_read(&reader, evaluator->fd, &frame, &err) == FRAME_READY && frame.blob_count == 1)
        tables = payload_parse(frame.blobs[0].data, frame.blobs[0].size, &err);
    frame_reader_finish(&reader);
    if (tables && are_tables(tables, evaluator->count))
        return tables;
    json_decref(tables);
    return NULL;
}

json_t *evaluator_finish(struct evaluator *evaluator)
{
    if (evaluator->pid == 0)
        return NULL;
    json_t *tables = read_answer(evaluator);
    close(evaluator->fd);
    while (waitpid(evaluator->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *evaluator = (struct evaluator){.fd = -1};
    return tables;
}
