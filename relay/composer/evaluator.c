#include "relay/composer/evaluator.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jsonnet/normaliser.h"
#include "jsonnet/payload.h"
#include "jsonnet/table.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/composer/confine.h"

// What the child gives the normalisers: a sample, and no more.
struct trial {
    const struct route_table *routes;
    json_t *sample; // NULL: it was given
    json_t *given;
    _Atomic size_t *at_work;
};

static json_t *next_payload(void *context, size_t *ret_source)
{
    struct trial *trial = context;
    trial->given = trial->sample; // whatever is allocated here ends with the process
    trial->sample = NULL;
    *ret_source = trial->routes->routes[0].source;
    *trial->at_work = *ret_source;
    return trial->given;
}

static void drop_result(void *context, json_t *result)
{
    (void)context;
    json_decref(result);
}

static void note_begin(void *context, size_t source)
{
    *((struct trial *)context)->at_work = source;
}

// The child's whole life: an answer, or none.
static void answer(const struct evaluator *evaluator, const struct route_table *routes,
                   const char *sample, pid_t parent, int fd)
{
    struct confinement confinement;
    struct error err;
    // The composer's own socket is closed by that, as whatever else it has open is by confine().
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
        dup2(fd, PROCESS_SOCKET_FD) < 0 || !confine(&confinement, &err))
        return;
    struct trial trial = {.routes = routes,
                          .sample = payload_parse(sample, strlen(sample), &err),
                          .at_work = evaluator->at_work};
    const struct normaliser_io io = {
        .next = next_payload, .emit = drop_result, .begin = note_begin, .context = &trial};
    json_auto_t *tables = normaliser_tables(routes->sources, routes->source_count, &io);
    AUTO_FREE char *text = tables ? json_dumps(tables, JSON_COMPACT) : NULL;
    if (!text)
        return;
    const struct frame frame = {.blobs = {{text, strlen(text)}}, .blob_count = 1};
    (void)frame_write(PROCESS_SOCKET_FD, &frame, &err); // who asks sees the end
}

static void share_place(struct evaluator *evaluator)
{
    void *place = mmap(NULL, sizeof(*evaluator->at_work), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    evaluator->at_work = place == MAP_FAILED ? NULL : place;
}

struct evaluator evaluator_start(const struct route_table *routes, const char *sample, int limit_ms)
{
    struct evaluator evaluator = {
        .fd = -1, .count = routes->source_count, .until_ms = clock_boot_ms() + limit_ms};
    int pair[2];
    share_place(&evaluator);
    if (!evaluator.at_work || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return evaluator;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        answer(&evaluator, routes, sample, parent, pair[1]);
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

// Waits for its answer, or its end; false where neither came in time.
static bool wait_for_answer(const struct evaluator *evaluator)
{
    struct pollfd answer = {.fd = evaluator->fd, .events = POLLIN};
    int64_t left_ms = evaluator->until_ms - clock_boot_ms();
    return poll(&answer, 1, left_ms > 0 ? (int)left_ms : 0) != 0;
}

static void end(struct evaluator *evaluator)
{
    kill(evaluator->pid, SIGKILL); // it has nothing more to do
    while (waitpid(evaluator->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(evaluator->fd);
}

json_t *evaluator_finish(struct evaluator *evaluator, bool *ret_is_endless, size_t *ret_source)
{
    json_t *tables = NULL;
    *ret_is_endless = false;
    if (evaluator->pid > 0) {
        *ret_is_endless = !wait_for_answer(evaluator);
        if (*ret_is_endless)
            *ret_source = *evaluator->at_work;
        else
            tables = read_answer(evaluator);
        end(evaluator);
    }
    if (evaluator->at_work)
        munmap(evaluator->at_work, sizeof(*evaluator->at_work));
    *evaluator = (struct evaluator){.fd = -1};
    return tables;
}
