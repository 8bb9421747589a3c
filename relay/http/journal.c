#include "relay/http/journal.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/metrics.h"

enum { REFUSAL_LOG_MS = 1000 };

// False: not now. Else the caller logs, with how many were kept back, and that count begins anew.
static bool may_log(struct http_journal_limit *limit, int64_t *ret_kept_back)
{
    int64_t now_ms = clock_boot_ms();
    if (limit->logged_ms && now_ms < limit->logged_ms + REFUSAL_LOG_MS) {
        limit->kept_back++;
        return false;
    }
    *ret_kept_back = limit->kept_back;
    *limit = (struct http_journal_limit){.logged_ms = now_ms};
    return true;
}

void http_journal_refusal(struct http_journal *journal, const struct http_verdict *verdict)
{
    int64_t kept_back;
    metrics_refused(journal->listener, verdict->reason);
    if (!may_log(&journal->before, &kept_back))
        return;
    LOG(LOG_WARNING, verdict->reply == REPLY_UNAUTHORIZED ? "unauthorized" : "refused",
        LOG_INTEGER("status", http_reply_status(verdict->reply)),
        LOG_STRING("reason", verdict->reason),
        LOG_STRING("path", verdict->route ? verdict->route->path : NULL),
        LOG_STRING("key", verdict->key_name), LOG_INTEGER("kept_back", kept_back));
}

static void count_payload(const struct http_journal_entry *entry, enum metrics_payload outcome)
{
    metrics_payload(entry->route, outcome, entry->took_us);
}

static void log_refused_outcome(struct http_journal *journal, enum http_reply reply,
                                const struct http_journal_entry *entry)
{
    int64_t kept_back;
    if (!may_log(&journal->after, &kept_back))
        return;
    LOG(LOG_WARNING, "refused", LOG_STRING("id", *entry->id ? entry->id : NULL),
        LOG_STRING("trace_id", entry->trace_id), LOG_STRING("reason", http_reply_name(reply)),
        LOG_STRING("route", entry->route), LOG_STRING("key", entry->key_name),
        LOG_INTEGER("size", (int64_t)entry->body_size), LOG_INTEGER("us", entry->took_us),
        LOG_INTEGER("kept_back", kept_back));
}

static void log_refused_call(struct http_journal *journal, const struct http_journal_entry *entry)
{
    int64_t kept_back;
    metrics_refused(journal->listener, http_reply_name(REPLY_ROLE_NEEDED));
    if (may_log(&journal->before, &kept_back))
        LOG(LOG_WARNING, "unauthorized",
            LOG_INTEGER("status", http_reply_status(REPLY_ROLE_NEEDED)),
            LOG_STRING("reason", http_reply_name(REPLY_ROLE_NEEDED)),
            LOG_STRING("key", entry->key_name), LOG_INTEGER("kept_back", kept_back));
}

void http_journal_outcome(struct http_journal *journal, const struct http_journal_entry *entry)
{
    enum log_level level = LOG_INFO;
    const char *event = "accepted";
    switch (entry->outcome) {
    case HTTP_ACCEPTED:
        count_payload(entry, METRICS_ACCEPTED);
        break;
    case HTTP_DUPLICATE:
        count_payload(entry, METRICS_DUPLICATE);
        event = "duplicate";
        break;
    case HTTP_EMPTY: // somebody waits for a mail that will never come
        count_payload(entry, METRICS_EMPTY);
        level = LOG_ERROR;
        event = "empty_payload";
        break;
    case HTTP_NOT_JSON:
        count_payload(entry, METRICS_NOT_JSON);
        log_refused_outcome(journal, REPLY_NOT_JSON, entry);
        return;
    case HTTP_UNAVAILABLE:
        count_payload(entry, METRICS_UNAVAILABLE);
        log_refused_outcome(journal, REPLY_UNAVAILABLE, entry);
        return;
    case HTTP_ROLE_NEEDED:
        log_refused_call(journal, entry);
        return;
    case HTTP_ANSWERED:
        return; // for whoever did it to log
    }
    LOG(level, event, LOG_STRING("id", *entry->id ? entry->id : NULL),
        LOG_STRING("trace_id", entry->trace_id), LOG_STRING("route", entry->route),
        LOG_STRING("key", entry->key_name), LOG_INTEGER("size", (int64_t)entry->body_size),
        LOG_INTEGER("us", entry->took_us));
}
