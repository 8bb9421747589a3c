// journal.h - what the listeners log, and count, about requests.
//
// Nothing of a request but the names that the configuration gave its route and its key.
#ifndef RELAY_HTTP_JOURNAL_H
#define RELAY_HTTP_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "relay/http/examine.h"
#include "relay/http/server.h"

// One line a second, and how many were kept back since the last.
struct http_journal_limit {
    int64_t logged_ms;
    int64_t kept_back;
};

// Begins as zeros but for the listener; of one thread. Strangers' requests must not hide that a
// disk is full.
struct http_journal {
    const char *listener;             // static: whose requests they are, for what is counted
    struct http_journal_limit before; // refused without being handed over
    struct http_journal_limit after;  // handed over, and refused then
};

// A request was refused without being handed over. One line a second, since strangers can cause
// as many as they like.
void http_journal_refusal(struct http_journal *journal, const struct http_verdict *verdict);

struct http_journal_entry {
    enum http_outcome outcome;
    const char *id;       // or empty
    const char *trace_id; // or NULL
    const char *route, *key_name;
    size_t body_size;
    int64_t took_us;
};

// A payload was handed over, and this became of it. Where it was refused, one line a second: Kratos
// posts what it has a hundred times a minute while a disk is full.
void http_journal_outcome(struct http_journal *journal, const struct http_journal_entry *entry);

#endif
