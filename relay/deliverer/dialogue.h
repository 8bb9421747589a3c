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

// For outcomes.
#define DIALOGUE_BROKEN_TEXT "the answer is not SMTP"
#define DIALOGUE_TOO_BIG_TEXT "the message is over the smarthost's size limit"
#define DIALOGUE_LINE_MAX 1024
#define DIALOGUE_LINES_MAX 100
#define DIALOGUE_REPLY_MAX 8192
#define DIALOGUE_ANSWERS_MAX 4 // to a message's MAIL, RCPT, DATA and dot

struct dialogue {
    enum stage stage;   // of the last command
    bool answered;      // by reply
    struct reply reply; // code and text of its first line, when answered

    // What this connection's last EHLO offered, and whether 235 was seen on it.
    bool offers_size, offers_smtputf8;
    size_t size_limit; // 0: none told
    bool authenticated;

    // Commands go out ahead of replies, so the owner says which stage it is. What is heard is only
    // kept, in its order from the last MAIL on; more than DIALOGUE_ANSWERS_MAX are but counted, and
    // a negative count is of replies to what went before that MAIL.
    bool pipelined;
    int replies;
    struct reply answers[DIALOGUE_ANSWERS_MAX];

    int due;      // replies that have been asked for and not come
    bool leaving; // QUIT was sent, or a farewell heard: what follows is of no interest
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

// The message has been sent: its end is what is to be answered next.
void dialogue_enter_dot(struct dialogue *dialogue);

// A command was sent; where they are pipelined, one or more.
void dialogue_sent(struct dialogue *dialogue, const char *command, size_t size);

// Bytes were received. False once they are no SMTP: a line or reply too long, a NUL, no code or
// several, a reply that nothing has asked for (but for a farewell behind the verdict on the dot).
bool dialogue_heard(struct dialogue *dialogue, const char *data, size_t size);

// Whether the smarthost has said that it takes no message of this size.
bool dialogue_is_too_big(const struct dialogue *dialogue, size_t body_size);

#endif
