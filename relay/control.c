#include "relay/control.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/endpoint.h"
#include "relay/http/server.h"
#include "relay/member_text.h"

enum { BACKLOG = 16, BODY_LIMIT_BYTES = 32 * 1024 };

struct control {
    struct queue *queue;
    struct dispatcher *dispatcher;
    int dir_fd;
    struct http_server *http;
};

struct asked {
    struct control *control;
    struct http_exchange *exchange;
};

static enum http_outcome outcome_of(enum queue_result result)
{
    switch (result) {
    case QUEUE_DONE:
        return HTTP_DONE;
    case QUEUE_GONE:
        return HTTP_NO_MESSAGE;
    case QUEUE_WRONG_STATE:
        return HTTP_WRONG_STATE;
    case QUEUE_DUPLICATE:
    case QUEUE_REFUSED:
        break;
    }
    return HTTP_UNAVAILABLE;
}

// In the queue's writer thread.
static void on_released(void *context, enum queue_result result, const char *id)
{
    struct asked *asked = context;
    if (result == QUEUE_DONE) {
        // Who may open the socket is known; which of them it was is not.
        LOG(LOG_INFO, "released", LOG_STRING("id", id), LOG_STRING("by", "owner"));
        dispatcher_released(asked->control->dispatcher);
    }
    http_answer(asked->exchange, outcome_of(result), id);
    free(asked);
}

static void release(struct control *control, struct http_exchange *exchange, const char *id)
{
    struct asked *asked = malloc(sizeof(*asked));
    if (!asked) {
        http_answer(exchange, HTTP_UNAVAILABLE, NULL);
        return;
    }
    *asked = (struct asked){.control = control, .exchange = exchange};
    queue_release(control->queue, id, on_released, asked);
}

// Waits for the disk, and with it whoever gives another order: nobody else.
static void rekey(struct control *control, struct http_exchange *exchange)
{
    char key_id[QUEUE_KEY_ID_SIZE], text[160];
    bool made = false;
    struct error err = {0};
    if (!queue_rekey(control->queue, &made, key_id, &err)) {
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
        http_answer_text(exchange, HTTP_FAILED, err.message);
        return;
    }
    LOG(LOG_INFO, "rekeyed", LOG_STRING("key_id", key_id), LOG_STRING("by", "owner"));
    snprintf(text, sizeof(text),
             "%s (id %s) seals; what waits is being sealed with it, which the "
             "log tells as `resealed`",
             made ? "a new key" : "the first key of RELAY_QUEUE_KEY", key_id);
    http_answer_text(exchange, HTTP_DONE, text);
}

// ---- backup -------------------------------------------------------------------------------------

struct asked_backup {
    struct http_exchange *exchange;
    char *path;
    int64_t started_ms;
};

static void destroy_asked(struct asked_backup *asked)
{
    free(asked->path);
    free(asked);
}

static enum http_outcome outcome_of_backup(const struct error *err)
{
    if (!err)
        return HTTP_DONE;
    return err->code == ERR_TEMPORARY || err->code == ERR_FULL ? HTTP_TRY_AGAIN : HTTP_FAILED;
}

// In a thread of the backup's own.
static void on_backed_up(void *context, const struct error *err)
{
    struct asked_backup *asked = context;
    int64_t took_ms = clock_boot_ms() - asked->started_ms;
    if (err)
        LOG(LOG_ERROR, "backup_failed", LOG_STRING("error", err->message));
    else
        LOG(LOG_INFO, "backed_up", LOG_STRING("file", asked->path), LOG_INTEGER("ms", took_ms));
    http_answer_text(asked->exchange, outcome_of_backup(err), err ? err->message : NULL);
    destroy_asked(asked);
}

static void back_up(struct control *control, struct http_exchange *exchange,
                    const struct http_order *order)
{
    struct error err = {0};
    json_auto_t *body = json_loadb(order->body, order->body_size, 0, NULL);
    const char *path = json_string_value(json_object_get(body, "path"));
    struct asked_backup *asked = path ? calloc(1, sizeof(*asked)) : NULL;
    if (asked)
        *asked = (struct asked_backup){exchange, strdup(path), clock_boot_ms()};
    if (!path)
        http_answer_text(exchange, HTTP_BAD_ORDER, "the body does not say {\"path\": FILE}");
    else if (!asked || !asked->path)
        http_answer(exchange, HTTP_TRY_AGAIN, NULL);
    else if (!queue_backup(control->queue, path, on_backed_up, asked, &err))
        http_answer_text(exchange, outcome_of_backup(&err), err.message);
    else
        return; // it is on_backed_up()'s now
    if (asked)
        destroy_asked(asked);
}

// ---- smarthosts ---------------------------------------------------------------------------------

struct asked_smarthosts {
    struct http_exchange *exchange;
    enum smarthost_act act;
};

// In the dispatcher's thread, or (NULL) in the listener's own.
static void on_ordered(void *context, const json_t *smarthosts)
{
    struct asked_smarthosts *asked = context;
    if (!smarthosts) {
        http_answer(asked->exchange, HTTP_UNAVAILABLE, NULL);
    } else if (json_array_size(smarthosts) == 0) {
        http_answer(asked->exchange, HTTP_NO_SMARTHOST, NULL);
    } else {
        if (asked->act != SMARTHOSTS_LIST)
            LOG(LOG_INFO, asked->act == SMARTHOST_PAUSE ? "paused" : "resumed",
                LOG_STRING("smarthost", member_text(json_array_get(smarthosts, 0), "name")),
                LOG_STRING("by", "owner"));
        http_answer_body(asked->exchange, HTTP_DONE, json_dumps(smarthosts, JSON_COMPACT));
    }
    free(asked);
}

static void order_smarthosts(struct control *control, struct http_exchange *exchange,
                             const struct http_order *order, enum smarthost_act act)
{
    json_auto_t *body = json_loadb(order->body, order->body_size, 0, NULL);
    const char *name = member_text(body, "smarthost");
    if (act != SMARTHOSTS_LIST && !name) {
        http_answer_text(exchange, HTTP_BAD_ORDER, "the body does not say {\"smarthost\": NAME}");
        return;
    }
    struct asked_smarthosts *asked = malloc(sizeof(*asked));
    if (!asked) {
        http_answer(exchange, HTTP_UNAVAILABLE, NULL);
        return;
    }
    *asked = (struct asked_smarthosts){.exchange = exchange, .act = act};
    dispatcher_order(control->dispatcher, act, name, on_ordered, asked);
}

static void obey(void *context, struct http_exchange *exchange, const struct http_order *order)
{
    struct control *control = context;
    switch (order->act) {
    case HTTP_RELEASE:
        release(control, exchange, order->id);
        return;
    case HTTP_REKEY:
        rekey(control, exchange);
        return;
    case HTTP_BACKUP:
        back_up(control, exchange, order);
        return;
    case HTTP_SMARTHOSTS:
        order_smarthosts(control, exchange, order, SMARTHOSTS_LIST);
        return;
    case HTTP_PAUSE:
        order_smarthosts(control, exchange, order, SMARTHOST_PAUSE);
        return;
    case HTTP_RESUME:
        order_smarthosts(control, exchange, order, SMARTHOST_RESUME);
        return;
    }
}

static bool listen_there(struct control *control, const char *queue_dir, struct error *err)
{
    control->dir_fd = open(queue_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (control->dir_fd < 0)
        return error_errno(err, ERR_IO, "open %s", queue_dir);
    int fd = endpoint_listen_unix(control->dir_fd, CONTROL_SOCKET, BACKLOG, err);
    if (fd < 0)
        return false;
    const struct http_options options = {
        .service = HTTP_CONTROL, .listen_fd = fd, .body_limit_bytes = BODY_LIMIT_BYTES};
    const struct http_handlers handlers = {.obey = obey, .context = control};
    control->http = http_server_create(&options, &handlers, err);
    return control->http != NULL;
}

struct control *control_create(const char *queue_dir, struct queue *queue,
                               struct dispatcher *dispatcher, struct error *err)
{
    struct control *control = malloc(sizeof(*control));
    if (!control) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    *control = (struct control){.queue = queue, .dispatcher = dispatcher, .dir_fd = -1};
    if (listen_there(control, queue_dir, err))
        return control;
    control_destroy(control);
    return NULL;
}

void control_destroy(struct control *control)
{
    if (!control)
        return;
    queue_backup_stop(control->queue); // answers whoever waits for one
    dispatcher_close_orders(control->dispatcher);
    http_server_destroy(control->http);
    if (control->dir_fd >= 0) {
        unlinkat(control->dir_fd, CONTROL_SOCKET, 0); // a refused connection says no more than none
        close(control->dir_fd);
    }
    free(control);
}
