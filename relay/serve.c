// serve.c - the daemon: starts its parts in order, runs until told to stop, stops in order.
#include "relay/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "queue/queue.h"
#include "relay/admin/admin.h"
#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/dots.h"
#include "relay/base/log.h"
#include "relay/base/process.h"
#include "relay/config/config.h"
#include "relay/dispatch/dispatch.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/dispatch/recovery.h"
#include "relay/event_loop.h"
#include "relay/http/server.h"
#include "relay/intake.h"
#include "relay/queue_log.h"
#include "relay/reload.h"
#include "relay/restart.h"
#include "relay/routes.h"
#include "relay/service_manager.h"
#include "relay/waiting_room.h"

enum {
    EXIT_TRY_AGAIN = 75, // EX_TEMPFAIL: another daemon has the queue
    OLD_DELIVERERS_MS = 5000,
    CUT_ANSWER_MS = 1000, // how long deliverers may take to report what was cut
};

struct relay {
    const struct config *config;
    struct event_loop *loop;
    struct event_source signals, broken;
    struct service_manager manager;
    int listen_fd; // of the mail listener, until that is there: see keep_port()
    struct queue *queue;
    struct dots *dots;
    char owner[QUEUE_ID_SIZE];
    struct dispatcher *dispatcher;
    struct admin *admin;
    struct intake intake;
    struct http_server *http;
    struct reload *reload;
    struct restart restart;
    bool queue_must_exist; // there has been one: a folder without it is a disk that is not mounted
    bool stopping, is_broken, reload_wanted, is_reloading;
};

static void log_fault(const char *event, const struct error *err)
{
    LOG(LOG_ERROR, event, LOG_STRING("error", err->message));
}

// ---- events -------------------------------------------------------------------------------------

static void on_signal(void *context, uint32_t events)
{
    (void)events;
    struct relay *relay = context;
    struct signalfd_siginfo info;
    while (read(relay->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            relay->reload_wanted = true;
        else
            relay->stopping = true;
    }
}

static void on_broken_event(void *context, uint32_t events)
{
    (void)events;
    struct relay *relay = context;
    eventfd_t count;
    relay->is_broken = eventfd_read(relay->broken.fd, &count) == 0;
}

// The queue's writer thread calls this.
static void on_queue_broken(void *context, const struct error *err)
{
    struct relay *relay = context;
    log_fault("queue_error", err);
    if (eventfd_write(relay->broken.fd, 1) < 0)
        abort(); // dying does what telling would have done: the relay is started anew
}

void serve_hold_reloads(void)
{
    sigset_t reloads;
    sigemptyset(&reloads);
    sigaddset(&reloads, SIGHUP);
    sigprocmask(SIG_SETMASK, &reloads, NULL); // fails for an unknown `how` only
}

// SIGPIPE and SIGXFSZ become errors of the calls that meet them. The others are read from a
// descriptor; they are blocked here, before threads are made, so that all threads inherit it.
static bool watch_events(struct relay *relay, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
        sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return error_errno(err, ERR_IO, "set signals");
    relay->signals = (struct event_source){
        .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal, .context = relay};
    relay->broken = (struct event_source){
        .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_broken_event, .context = relay};
    if (relay->signals.fd < 0 || relay->broken.fd < 0)
        return error_errno(err, ERR_IO, "signalfd");
    relay->loop = event_loop_create(err);
    return relay->loop && event_loop_add(relay->loop, &relay->signals, EPOLLIN, err) &&
           event_loop_add(relay->loop, &relay->broken, EPOLLIN, err);
}

// ---- start --------------------------------------------------------------------------------------

static void log_faults(const struct config *config, const json_t *faults)
{
    size_t index;
    const json_t *fault;
    json_array_foreach(faults, index, fault) // NOLINT: jansson's macro
        LOG(LOG_ERROR, "fault",
            LOG_STRING("where",
                       config_place(config, json_string_value(json_object_get(fault, "where")))),
            LOG_STRING("what", json_string_value(json_object_get(fault, "what"))));
}

static void close_queue(struct relay *relay)
{
    dots_close(relay->dots);
    relay->dots = NULL;
    queue_close(relay->queue);
    relay->queue = NULL;
}

// From here on who connects waits in the socket, and is not refused, until the relay has started.
// That the port cannot be had is told when the listener needs it. Not before the folder's lock: a
// second relay on the same folder is told of the first, not of its port.
static void keep_port(struct relay *relay)
{
    struct error err;
    if (!relay->http && relay->listen_fd < 0 && relay->manager.sockets[SERVICE_SOCKET_MAIL] < 0)
        relay->listen_fd = endpoint_listen(&relay->config->listen, HTTP_BACKLOG, &err);
}

// The folder's lock first, then what an earlier run left. All or nothing.
static bool open_queue(void *context, struct error *err)
{
    struct relay *relay = context;
    const struct config *config = relay->config;
    const struct queue_options options = {.dir = config->queue_dir,
                                          .key_hex = config->queue_key,
                                          .must_exist = relay->queue_must_exist,
                                          .marks_lost = relay->restart.marks_lost,
                                          .on_broken = on_queue_broken,
                                          .on_blocked = queue_log_blocked,
                                          .on_resealed = queue_log_resealed,
                                          .context = relay};
    relay->queue = queue_open(&options, err);
    if (!relay->queue)
        return false;
    keep_port(relay);
    queue_log_made(relay->queue, config->queue_dir);
    queue_new_id(relay->queue, relay->owner);
    relay->dots = dots_open(config->queue_dir, OLD_DELIVERERS_MS, err);
    if (relay->dots &&
        recovery_run(relay->queue, relay->dots, relay->owner, UNKNOWN_OUTCOMES_MAX, err))
        return true;
    close_queue(relay);
    return false;
}

static bool listen_for_mail(struct relay *relay, struct error *err)
{
    const struct config *config = relay->config;
    const struct http_handlers handlers = intake_handlers(&relay->intake);
    if (relay->listen_fd < 0 &&
        !service_manager_socket(&relay->manager, SERVICE_SOCKET_MAIL, &relay->listen_fd, err))
        return false;
    struct routes *routes = routes_create(config, err);
    const struct http_options http = {.service = HTTP_MAIL,
                                      .listen = config->listen,
                                      .listen_fd = relay->listen_fd,
                                      .routes = routes,
                                      .body_limit_bytes = (size_t)config->body_limit_bytes};
    relay->http = routes ? http_server_create(&http, &handlers, err) : NULL;
    if (routes)
        relay->listen_fd = -1; // the server's, even where it could not be created
    routes_unref(routes);
    return relay->http != NULL;
}

static void log_restart(const struct relay *relay)
{
    struct error err;
    LOG(LOG_WARNING, "started_anew", LOG_INTEGER("pause_ms", relay->restart.pause_ms));
    if (!relay->restart.by_page_fault)
        return;
    error_set(&err, ERR_IO, "a page of a mapped file in %s could not be had: its disk is gone",
              relay->config->queue_dir);
    log_fault("queue_error", &err);
}

// EXIT_SUCCESS: it is open, or the relay was told to stop meanwhile.
static int get_queue(struct relay *relay)
{
    struct error err = {0};
    relay->queue_must_exist = relay->restart.is_anew;
    if (relay->restart.is_anew)
        log_restart(relay);
    else if (open_queue(relay, &err))
        return EXIT_SUCCESS;
    else if (err.code == ERR_FULL && queue_exists(relay->config->queue_dir, NULL))
        relay->queue_must_exist = true; // the waiting room tells what is in the way
    else {
        log_fault("queue_error", &err);
        return err.code == ERR_TEMPORARY || err.code == ERR_FULL ? EXIT_TRY_AGAIN : EXIT_FAILURE;
    }
    if (!listen_for_mail(relay, &err)) {
        log_fault("start_failed", &err);
        return EXIT_FAILURE;
    }
    // It is up, answers, and goes on by itself: nothing that a manager could mend by starting it.
    service_manager_tell(&relay->manager, SERVICE_READY,
                         "takes no mail: waits until its queue can be opened, see the log");
    if (!waiting_room_stay(relay->loop, &relay->stopping, relay->restart.pause_ms, open_queue,
                           relay))
        return relay->stopping ? EXIT_SUCCESS : EXIT_FAILURE;
    relay->is_broken = false; // that was an attempt's
    return EXIT_SUCCESS;
}

static bool open_admin(struct relay *relay, struct error *err)
{
    const struct config *config = relay->config;
    int listen_fd = -1;
    if (!config->admin_off &&
        !service_manager_socket(&relay->manager, SERVICE_SOCKET_ADMIN, &listen_fd, err))
        return false;
    const struct admin_options options = {.queue_dir = config->queue_dir,
                                          .queue = relay->queue,
                                          .dispatcher = relay->dispatcher,
                                          .is_off = config->admin_off,
                                          .listen = config->admin_listen,
                                          .listen_fd = listen_fd,
                                          .keys = config->admin_keys};
    relay->admin = admin_create(&options, err);
    return relay->admin != NULL;
}

static int start_dispatching(struct relay *relay)
{
    const struct config *config = relay->config;
    struct error err = {0};
    json_auto_t *faults = NULL;
    relay->dispatcher = dispatcher_create(relay->loop, config, relay->queue, relay->dots,
                                          relay->owner, &faults, &err);
    if (!relay->dispatcher) {
        log_faults(config, faults);
        if (json_array_size(faults) > 0)
            error_set(&err, ERR_INPUT, "what is told as `fault`");
        log_fault("start_failed", &err);
        return EXIT_FAILURE;
    }
    intake_open(&relay->intake, relay->queue, relay->dispatcher);
    if (!open_admin(relay, &err) || (!relay->http && !listen_for_mail(relay, &err)) ||
        !(relay->reload =
              reload_create(config, relay->dispatcher, relay->http, relay->admin, &err))) {
        log_fault("start_failed", &err);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void tell_ready(const struct relay *relay)
{
    char status[ENDPOINT_TEXT_SIZE + 32];
    snprintf(status, sizeof(status), "takes mail on %s", http_server_address(relay->http));
    service_manager_tell(&relay->manager, SERVICE_READY, status);
}

// The order matters: the queue first, then the children, and only when a message could be stored
// and sent, the listener; but one that was executed anew listens at once, to answer 503.
static int start(struct relay *relay, char **argv)
{
    const struct config *config = relay->config;
    struct error err = {0};
    process_share_heap();
    restart_prepare(&relay->restart, config, argv);
    if (!process_forbid_dumps(&err) || !watch_events(relay, &err) ||
        !service_manager_init(&relay->manager, relay->loop, &err)) {
        log_fault("start_failed", &err);
        return EXIT_FAILURE;
    }
    bool is_locked = process_lock_memory();
    int status = get_queue(relay);
    if (status != EXIT_SUCCESS || relay->stopping)
        return status;
    queue_log_opened(relay->queue, config->queue_key != NULL);
    status = start_dispatching(relay);
    if (status != EXIT_SUCCESS)
        return status;
    process_forget_start();
    AUTO_FREE char *queue_dir = realpath(config->queue_dir, NULL); // for whoever runs `queue`
    LOG(LOG_INFO, "ready", LOG_STRING("queue_dir", queue_dir ? queue_dir : config->queue_dir),
        LOG_INTEGER("smarthosts", (int64_t)config->smarthost_count),
        LOG_STRING("memory", is_locked ? "locked" : "not locked: RLIMIT_MEMLOCK is limited"));
    tell_ready(relay);
    return EXIT_SUCCESS;
}

// ---- run and stop ------------------------------------------------------------------------------

// One beat: waits for events until the dispatcher or limit_ms (CLOCK_BOOTTIME) wants attention.
static bool beat(struct relay *relay, int64_t limit_ms)
{
    int64_t next_ms = dispatcher_next_ms(relay->dispatcher);
    if (limit_ms < next_ms)
        next_ms = limit_ms;
    int64_t wait_ms = next_ms - clock_boot_ms();
    int timeout_ms = next_ms == INT64_MAX ? -1
                     : wait_ms < 0        ? 0
                     : wait_ms > 60000    ? 60000
                                          : (int)wait_ms;
    struct error err = {0};
    log_hold(); // of several messages at once the log is told at once
    bool ok = event_loop_wait(relay->loop, timeout_ms, &err);
    if (ok)
        dispatcher_tick(relay->dispatcher);
    else
        log_fault("event_loop_failed", &err);
    log_release();
    return ok;
}

static void wait_drained(struct relay *relay, int64_t for_ms)
{
    int64_t limit_ms = clock_boot_ms() + for_ms;
    while (!dispatcher_is_drained(relay->dispatcher) && clock_boot_ms() < limit_ms)
        if (!beat(relay, limit_ms))
            return;
}

// A reload ends in some later beat, when a new composer has done well or not.
static void see_to_reload(struct relay *relay)
{
    if (relay->reload_wanted) {
        relay->reload_wanted = false;
        relay->is_reloading = true;
        service_manager_tell(&relay->manager, SERVICE_RELOADING, NULL);
        reload_begin(relay->reload);
    }
    if (relay->is_reloading && !reload_is_under_way(relay->reload)) {
        relay->is_reloading = false;
        tell_ready(relay);
    }
}

// Deliveries first, the listener last of all: until then Kratos is answered (design §6).
static void stop(struct relay *relay)
{
    LOG(LOG_INFO, "stopping");
    service_manager_tell(&relay->manager, SERVICE_STOPPING, NULL);
    dispatcher_drain(relay->dispatcher);
    wait_drained(relay, relay->config->shutdown_grace_ms);
    if (!dispatcher_is_drained(relay->dispatcher)) {
        dispatcher_cut(relay->dispatcher);
        wait_drained(relay, CUT_ANSWER_MS);
    }
}

static void release(struct relay *relay)
{
    http_server_destroy(relay->http);
    admin_destroy(relay->admin);
    if (relay->queue)
        queue_stop(relay->queue);
    dispatcher_destroy(relay->dispatcher);
    reload_destroy(relay->reload);
    close_queue(relay);
    service_manager_finish(&relay->manager);
    if (relay->listen_fd >= 0)
        close(relay->listen_fd);
    event_loop_destroy(relay->loop);
    close(relay->signals.fd);
    close(relay->broken.fd);
}

int serve_main(const struct config *config, char **argv)
{
    struct relay relay = {.config = config};
    relay.signals.fd = relay.broken.fd = -1;
    relay.manager = SERVICE_MANAGER_NONE;
    relay.listen_fd = -1;
    log_setup(config->log_format, config->log_level);
    int status = start(&relay, argv);
    if (status == EXIT_SUCCESS) {
        while (!relay.stopping && !relay.is_broken) {
            see_to_reload(&relay);
            if (!beat(&relay, INT64_MAX)) {
                status = EXIT_FAILURE;
                break;
            }
        }
        if (relay.dispatcher)
            stop(&relay);
    }
    bool starts_anew = relay.is_broken && !relay.stopping && status == EXIT_SUCCESS;
    // What a disk that is gone has not got is lost: then any lease may have been sent.
    bool marks_lost = starts_anew && !dots_sync(relay.dots);
    release(&relay);
    if (!starts_anew)
        return status;
    struct error err;
    LOG(LOG_ERROR, "starting_anew");
    restart_now(marks_lost, &err);
    log_fault("start_failed", &err);
    return EXIT_FAILURE;
}
