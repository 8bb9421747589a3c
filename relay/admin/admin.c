#include "relay/admin/admin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/admin/request.h"
#include "relay/base/log.h"

enum { BACKLOG = 16, BODY_LIMIT_BYTES = 32 * 1024 };

// ---- calls --------------------------------------------------------------------------------------

// Whoever has gone waits for nothing: not for a list, and an act that he gave up is not to be done
// behind his back.
static void run(struct admin_task *task)
{
    struct admin_request *request = (struct admin_request *)task;
    if (http_client_is_gone(request->exchange))
        admin_answer_error(request->exchange, request, 503, "try_again",
                           "the client has closed its end of the connection");
    else
        request->run(request);
}

typedef bool give_fn(struct admin_worker *worker, struct admin_task *task);

static void give(struct admin_request *request, give_fn *give_to, const struct admin_desk *desk,
                 void (*what)(struct admin_request *request))
{
    request->task.run = run;
    request->run = what;
    if (!give_to(desk->worker, &request->task))
        admin_answer_error(request->exchange, request, 503, "try_again",
                           "%d requests wait for their turn already", ADMIN_TASKS_MAX);
}

static void serve(struct admin_request *request, const struct http_call *call)
{
    const struct admin *admin = request->admin;
    switch (request->route.what) {
    case ADMIN_LIST:
        give(request, admin_worker_give, &admin->looking, admin_list);
        return;
    case ADMIN_SHOW:
        give(request, admin_worker_give, &admin->looking, admin_show);
        return;
    case ADMIN_STATS:
        give(request, admin_worker_give, &admin->counting, admin_stats);
        return;
    case ADMIN_METRICS:
        // A scrape has seconds, and people who have a large queue counted take that long each.
        give(request, admin_worker_give_first, &admin->counting, admin_metrics);
        return;
    case ADMIN_ACT:
        admin_act(request);
        return;
    case ADMIN_ACT_ON_ALL:
        give(request, admin_worker_give, &admin->acting, admin_act_on_all);
        return;
    case ADMIN_SMARTHOSTS:
    case ADMIN_PAUSE:
    case ADMIN_RESUME:
        admin_smarthosts(request);
        return;
    case ADMIN_REKEY:
        admin_rekey(request);
        return;
    case ADMIN_BACKUP:
    case ADMIN_CHECK:
        admin_back_up(request, call);
        return;
    }
}

static void answer_wrong_method(struct http_exchange *exchange, const char *allow)
{
    static const char BODY[] =
        "{\"error\":\"method_not_allowed\",\"message\":\"see the Allow header\"}\n";
    const struct http_answer answer = {.status = 405, .body = strdup(BODY), .allow = allow};
    http_answer_with(exchange, &answer);
}

// In the thread of that door.
static void on_call(struct admin *admin, struct http_exchange *exchange,
                    const struct http_call *call, bool by_owner)
{
    struct admin_route route;
    switch (admin_route_find(call->method, call->path, by_owner, &route)) {
    case ADMIN_NO_PATH:
        admin_answer_error(exchange, NULL, 404, "not_found", "nothing is served here");
        return;
    case ADMIN_NO_METHOD:
        answer_wrong_method(exchange, route.allow);
        return;
    case ADMIN_FOUND:
        break;
    }
    if (route.operates && !call->may_operate) {
        http_answer(exchange, HTTP_ROLE_NEEDED, NULL);
        return;
    }
    // Whoever writes dry_run=true into a body is not to have the act itself.
    if (route.operates && route.what != ADMIN_BACKUP && route.what != ADMIN_CHECK &&
        call->body_size > 0) {
        admin_answer_error(exchange, NULL, 400, "bad_order",
                           "a body is not read here: parameters stand in the path, behind a '?'");
        return;
    }
    struct admin_request *request = admin_request_create(admin, exchange, call, &route);
    if (request)
        serve(request, call);
}

static void on_listener_call(void *context, struct http_exchange *exchange,
                             const struct http_call *call)
{
    on_call(context, exchange, call, false);
}

static void on_control_call(void *context, struct http_exchange *exchange,
                            const struct http_call *call)
{
    on_call(context, exchange, call, true);
}

// ---- start and stop -----------------------------------------------------------------------------

static bool create_desk(const struct admin *admin, struct admin_desk *desk, struct error *err)
{
    desk->reader = queue_reader_create(admin->queue, err);
    desk->worker = desk->reader ? admin_worker_create(err) : NULL;
    return desk->worker != NULL;
}

static bool create_desks(struct admin *admin, const char *queue_dir, struct error *err)
{
    if (!create_desk(admin, &admin->looking, err) || !create_desk(admin, &admin->counting, err) ||
        !create_desk(admin, &admin->acting, err))
        return false;
    metrics_sources_init(&admin->metrics, admin->queue, admin->counting.reader, queue_dir);
    return true;
}

// Ends what it does first.
static void close_desk(struct admin_desk *desk)
{
    admin_worker_destroy(desk->worker);
    queue_reader_destroy(desk->reader);
}

static bool open_control(struct admin *admin, const char *queue_dir, struct error *err)
{
    admin->dir_fd = open(queue_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (admin->dir_fd < 0)
        return error_errno(err, ERR_IO, "open %s", queue_dir);
    int fd = endpoint_listen_unix(admin->dir_fd, CONTROL_SOCKET, BACKLOG, err);
    if (fd < 0)
        return false;
    const struct http_options options = {
        .service = HTTP_CONTROL, .listen_fd = fd, .body_limit_bytes = BODY_LIMIT_BYTES};
    const struct http_handlers handlers = {.call = on_control_call, .context = admin};
    admin->control = http_server_create(&options, &handlers, err);
    return admin->control != NULL;
}

static bool open_listener(struct admin *admin, const struct admin_options *from, struct error *err)
{
    if (from->is_off)
        return true;
    const struct http_options options = {.service = HTTP_ADMIN,
                                         .listen = from->listen,
                                         .listen_fd = from->listen_fd,
                                         .keys = from->keys,
                                         .body_limit_bytes = BODY_LIMIT_BYTES};
    const struct http_handlers handlers = {.call = on_listener_call, .context = admin};
    admin->listener = http_server_create(&options, &handlers, err);
    return admin->listener != NULL;
}

struct admin *admin_create(const struct admin_options *options, struct error *err)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    admin->queue = options->queue;
    admin->dispatcher = options->dispatcher;
    admin->dir_fd = -1;
    if (!create_desks(admin, options->queue_dir, err)) {
        if (options->listen_fd >= 0)
            close(options->listen_fd);
        admin_destroy(admin);
        return NULL;
    }
    // Mail is taken and sent without either, as on a file system that has no sockets.
    if (!open_control(admin, options->queue_dir, err))
        LOG(LOG_ERROR, "control_absent", LOG_STRING("error", err->message));
    if (!open_listener(admin, options, err))
        LOG(LOG_ERROR, "admin_absent", LOG_STRING("error", err->message));
    return admin;
}

void admin_set_keys(struct admin *admin, struct api_keys *keys)
{
    if (admin->listener)
        http_server_set_keys(admin->listener, keys);
}

void admin_destroy(struct admin *admin)
{
    if (!admin)
        return;
    atomic_store(&admin->stopping, true);
    queue_backup_stop(admin->queue); // answers whoever waits for one
    dispatcher_close_orders(admin->dispatcher);
    http_server_destroy(admin->listener);
    http_server_destroy(admin->control);
    close_desk(&admin->looking);
    close_desk(&admin->counting);
    close_desk(&admin->acting);
    if (admin->dir_fd >= 0) {
        unlinkat(admin->dir_fd, CONTROL_SOCKET, 0); // a refused connection says no more than none
        close(admin->dir_fd);
    }
    free(admin);
}
