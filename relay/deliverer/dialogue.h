// dialogue.h - how far the talk with a smarthost has come, overheard.
//
// Neither library tells all that an outcome needs (libesmtp hides the replies to greeting and
// EHLO, libcurl the text of all of them and whether it authenticated), so the drivers feed what
// goes over the wire, in lock step, into this. Commands are looked at by their verb only and
// never kept: AUTH carries the password. Pure; no I/O.
#ifndef RELAY_DELIVERER_DIALOGUE_H
#define RELAY_DELIVERER_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/deliverer/outcome.h"
#include "relay/deliverer/reply.h"

#define DIALOGUE_BROKEN_TEXT "the answer is not SMTP" // for outcomes
#define DIALOGUE_LINE_MAX 1024
#define DIALOGUE_LINES_MAX 100
#define DIALOGUE_REPLY_MAX 8192

struct dialogue {
    enum stage stage;   // of the last command
    bool answered;      // by reply
    struct reply reply; // code and text of its first line, when answered

    // What this connection's last EHLO offered, and whether 235 was seen on it.
    bool offers_size, offers_smtputf8, offers_chunking;
    size_t size_limit; // 0: none told
    bool authenticated;

    bool deaf;    // its owner knows the answers by other means: only counts what is a reply
    int replies;  // counted so
    bool leaving; // QUIT was sent: what follows is of no interest
    bool broken;  // what was heard is not SMTP

    uint64_t bytes;     // heard on this connection
    struct reply first; // first line of the reply under way
    size_t reply_lines, reply_bytes;
    char line[DIALOGUE_LINE_MAX];
    size_t line_size;
};

// A connection is being opened: forgets all.
void dialogue_open(struct dialogue *dialogue);

// The talk is at this stage now, unanswered.
void dialogue_enter(struct dialogue *dialogue, enum stage stage);

// A command was sent. Of several lines only the first counts.
void dialogue_sent(struct dialogue *dialogue, const char *command, size_t size);

// Bytes were received. False once they are no SMTP: a line or reply too long, a NUL, no code.
bool dialogue_heard(struct dialogue *dialogue, const char *data, size_t size);

#endif
