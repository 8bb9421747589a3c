// orders.c - what is asked of the relay itself: its smarthosts, a new key, a backup.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/admin/request.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/member_text.h"

// ---- smarthosts ---------------------------------------------------------------------------------

// In the dispatcher's thread, or (NULL) in the listener's own.
static void on_ordered(void *context, const json_t *smarthosts)
{
    struct admin_request *request = context;
    bool is_list = request->route.what == ADMIN_SMARTHOSTS;
    if (!smarthosts) {
        admin_answer_error(request->exchange, request, 503, "unavailable",
                           "the relay is stopping, or has no memory");
        return;
    }
    if (!is_list && json_array_size(smarthosts) == 0) {
        admin_answer_error(request->exchange, request, 404, "no_smarthost",
                           "there is no smarthost of that name");
        return;
    }
    if (!is_list)
        admin_audit_smarthost(request, member_text(json_array_get(smarthosts, 0), "name"));
    admin_answer_json(request->exchange, request, json_deep_copy(smarthosts), NULL);
}

void admin_smarthosts(struct admin_request *request)
{
    enum smarthost_act act = request->route.what == ADMIN_PAUSE    ? SMARTHOST_PAUSE
                             : request->route.what == ADMIN_RESUME ? SMARTHOST_RESUME
                                                                   : SMARTHOSTS_LIST;
    dispatcher_order(request->admin->dispatcher, act, act == SMARTHOSTS_LIST ? NULL : request->name,
                     on_ordered, request);
}

// ---- a new key ----------------------------------------------------------------------------------

// Waits for the disk, and with it whoever else comes by this door: nobody else.
void admin_rekey(struct admin_request *request)
{
    char key_id[QUEUE_KEY_ID_SIZE], text[160];
    bool made = false;
    struct error err = {0};
    if (!queue_rekey(request->admin->queue, &made, key_id, &err)) {
        LOG(LOG_ERROR, "queue_error", LOG_STRING("error", err.message));
        admin_answer_error(request->exchange, request, 500, "failed", "%s", err.message);
        return;
    }
    admin_audit_key(request, key_id);
    snprintf(text, sizeof(text),
             "%s (id %s) seals; what waits is being sealed with it, which the log tells as "
             "`resealed`",
             made ? "a new key" : "the first key of RELAY_QUEUE_KEY", key_id);
    admin_answer_json(
        request->exchange, request,
        json_pack("{s:s, s:s, s:s}", "act", "rekey", "key_id", key_id, "message", text), NULL);
}

// ---- a backup -----------------------------------------------------------------------------------

struct backup {
    struct admin_request *request;
    char *path;
    int64_t started_ms;
};

// A check's copy is no backup: whoever looks when the last one was made must not find it.
static bool is_check(const struct admin_request *request)
{
    return request->route.what == ADMIN_CHECK;
}

static void answer_backup(struct admin_request *request, const struct error *err)
{
    const char *act = is_check(request) ? "check" : "backup";
    bool may_work_later = err && (err->code == ERR_TEMPORARY || err->code == ERR_FULL);
    if (!err)
        admin_answer_json(request->exchange, request, json_pack("{s:s}", "act", act), NULL);
    else
        admin_answer_error(request->exchange, request, may_work_later ? 503 : 500,
                           may_work_later ? "try_again" : "failed", "%s", err->message);
}

static void destroy(struct backup *backup)
{
    if (backup)
        free(backup->path);
    free(backup);
}

// In a thread of the backup's own.
static void on_backed_up(void *context, const struct error *err)
{
    struct backup *backup = context;
    int64_t took_ms = clock_boot_ms() - backup->started_ms;
    if (err)
        LOG(LOG_ERROR, is_check(backup->request) ? "check_failed" : "backup_failed",
            LOG_STRING("error", err->message));
    else
        admin_audit_backup(backup->request, backup->path);
    if (!err && !is_check(backup->request))
        LOG(LOG_INFO, "backed_up", LOG_STRING("file", backup->path), LOG_INTEGER("ms", took_ms));
    answer_backup(backup->request, err);
    destroy(backup);
}

void admin_back_up(struct admin_request *request, const struct http_call *call)
{
    struct error err = {0};
    json_auto_t *body = json_loadb(call->body, call->body_size, 0, NULL);
    const char *path = member_text(body, "path");
    if (!path) {
        admin_answer_error(request->exchange, request, 400, "bad_order",
                           "the body does not say {\"path\": FILE}");
        return;
    }
    struct backup *backup = calloc(1, sizeof(*backup));
    if (backup)
        *backup = (struct backup){request, strdup(path), clock_boot_ms()};
    if (!backup || !backup->path)
        admin_answer_json(request->exchange, request, NULL, NULL);
    else if (!queue_backup(request->admin->queue, path, on_backed_up, backup, &err))
        answer_backup(request, &err);
    else
        return; // it is on_backed_up()'s now
    destroy(backup);
}
