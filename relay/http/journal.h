// journal.h - what the mail listener writes into the log about requests.
//
// Nothing of a request but the names that the configuration gave its route and its key.
#ifndef RELAY_HTTP_JOURNAL_H
#define RELAY_HTTP_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "relay/http/examine.h"
#include "relay/http/server.h"

// Begins as zeros; of one thread.
struct http_journal {
    int64_t refusal_logged_ms;
    int64_t refusals_kept_back;
};

// A request was refused without being handed over. One line a second, since strangers can cause
// as many as they like.
void http_journal_refusal(struct http_journal *journal, const struct http_verdict *verdict);

struct http_journal_entry {
    enum http_outcome outcome;
    const char *id; // or empty
    const char *route, *key_name;
    size_t body_size;
    int64_t took_us;
};

// A payload was handed over, and this became of it.
void http_journal_outcome(const struct http_journal_entry *entry);

#endif
