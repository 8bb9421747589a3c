#include "relay/http/journal.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"

enum { REFUSAL_LOG_MS = 1000 };

void http_journal_refusal(struct http_journal *journal, const struct http_verdict *verdict)
{
    int64_t now_ms = clock_boot_ms();
    if (journal->refusal_logged_ms && now_ms < journal->refusal_logged_ms + REFUSAL_LOG_MS) {
        journal->refusals_kept_back++;
        return;
    }
    LOG(LOG_WARNING, verdict->reply == REPLY_UNAUTHORIZED ? "unauthorized" : "refused",
        LOG_INTEGER("status", http_reply_status(verdict->reply)),
        LOG_STRING("reason", verdict->reason),
        LOG_STRING("path", verdict->route ? verdict->route->path : NULL),
        LOG_STRING("key", verdict->key_name),
        LOG_INTEGER("kept_back", journal->refusals_kept_back));
    journal->refusal_logged_ms = now_ms;
    journal->refusals_kept_back = 0;
}

void http_journal_outcome(const struct http_journal_entry *entry)
{
    enum log_level level = LOG_INFO;
    const char *event = "accepted", *reason = NULL;
    switch (entry->outcome) {
    case HTTP_ACCEPTED:
        break;
    case HTTP_DUPLICATE:
        event = "duplicate";
        break;
    case HTTP_EMPTY: // somebody waits for a mail that will never come
        level = LOG_ERROR;
        event = "empty_payload";
        break;
    case HTTP_NOT_JSON:
        level = LOG_WARNING;
        event = "refused";
        reason = http_reply_name(REPLY_NOT_JSON);
        break;
    case HTTP_UNAVAILABLE:
        level = LOG_WARNING;
        event = "refused";
        reason = http_reply_name(REPLY_UNAVAILABLE);
        break;
    case HTTP_DONE:
    case HTTP_NO_MESSAGE:
    case HTTP_WRONG_STATE:
    case HTTP_BAD_ORDER:
    case HTTP_FAILED:
        return; // for whoever did it to log
    }
    LOG(level, event, LOG_STRING("id", *entry->id ? entry->id : NULL), LOG_STRING("reason", reason),
        LOG_STRING("route", entry->route), LOG_STRING("key", entry->key_name),
        LOG_INTEGER("size", (int64_t)entry->body_size), LOG_INTEGER("us", entry->took_us));
}
