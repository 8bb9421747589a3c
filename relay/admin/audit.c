// audit.c - who did what: one line of the log for each act, whatever the level of the log is, and
// a count.
#include <stdio.h>
#include <string.h>

#include "relay/admin/request.h"
#include "relay/base/buffer.h"
#include "relay/base/log.h"
#include "relay/recipient_name.h"

enum { FILTER_MAX = 2048 };

static const char *name_of(const struct admin_request *request)
{
    switch (request->route.what) {
    case ADMIN_ACT:
    case ADMIN_ACT_ON_ALL:
        return queue_act_name(request->route.act);
    case ADMIN_PAUSE:
        return "pause";
    case ADMIN_RESUME:
        return "resume";
    case ADMIN_REKEY:
        return "rekey";
    case ADMIN_BACKUP:
        return "backup";
    case ADMIN_CHECK:
        return "check";
    case ADMIN_LIST:
    case ADMIN_SHOW:
    case ADMIN_STATS:
    case ADMIN_SMARTHOSTS:
    case ADMIN_METRICS:
        break;
    }
    return "look";
}

static const char *note_of(const struct admin_request *request)
{
    return *request->query.note ? request->query.note : NULL;
}

#define AUDIT(request, ...)                                                                        \
    do {                                                                                           \
        metrics_acted(name_of(request));                                                           \
        LOG(LOG_AUDIT, "audit", LOG_STRING("by", (request)->caller),                               \
            LOG_STRING("act", name_of(request)), __VA_ARGS__,                                      \
            LOG_STRING("note", note_of(request)));                                                 \
    } while (0)

void admin_audit_message(const struct admin_request *request, const char *id)
{
    AUDIT(request, LOG_STRING("id", id));
}

// As it was asked for, but a recipient as the log calls him everywhere.
static void put_filter(struct buffer *text, const struct admin_request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct http_parameter *parameter = &request->parameters[i];
        char recipient[RECIPIENT_NAME_SIZE];
        const char *value = parameter->value;
        if (strcmp(parameter->name, "note") == 0 || strcmp(parameter->name, "dry_run") == 0)
            continue;
        if (strcmp(parameter->name, "recipient") == 0) {
            value = recipient_name(request->admin->queue, value, recipient);
            value = value ? value : "?";
        }
        buffer_printf(text, "%s%s=%s", text->size > 0 ? " " : "", parameter->name, value);
    }
}

void admin_audit_filter(const struct admin_request *request, size_t done, size_t skipped)
{
    AUTO_BUFFER struct buffer filter;
    buffer_init(&filter, FILTER_MAX);
    put_filter(&filter, request);
    AUDIT(request, LOG_STRING("filter", filter.failed ? "?" : filter.data),
          LOG_INTEGER("messages", (int64_t)done), LOG_INTEGER("skipped", (int64_t)skipped));
}

void admin_audit_smarthost(const struct admin_request *request, const char *smarthost)
{
    AUDIT(request, LOG_STRING("smarthost", smarthost));
}

void admin_audit_key(const struct admin_request *request, const char *key_id)
{
    AUDIT(request, LOG_STRING("key_id", key_id));
}

void admin_audit_backup(const struct admin_request *request, const char *file)
{
    AUDIT(request, LOG_STRING("file", file));
}
