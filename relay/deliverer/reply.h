// reply.h - what a smarthost said, made fit to be shown.
//
// Replies are a stranger's text: they may quote the recipient, the code or a link of the mail
// that is refused, and hold any bytes. What reply_clean() makes of it is printable ASCII of at most
// REPLY_TEXT_MAX bytes in which secrets (mask.h), addresses, links and numbers of 4 to 8 digits are
// masked: nothing else of a reply is to be shown. Pure; no I/O.
#ifndef RELAY_DELIVERER_REPLY_H
#define RELAY_DELIVERER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/deliverer/mask.h"

#define REPLY_TEXT_MAX 200
#define REPLY_RAW_SIZE 1024    // the longest line that is taken for a reply (dialogue.h)
#define REPLY_ENHANCED_SIZE 16 // "5.123.123" and its NUL

struct reply {
    int code;                           // 250; 0: there is no reply
    char enhanced[REPLY_ENHANCED_SIZE]; // "5.7.1" (RFC 3463), or empty
    char text[REPLY_RAW_SIZE];          // without the codes, as it came
};

// Reads "250", "250 text" or "250-text" (with or without CRLF) into *ret_reply. ret_last says
// whether it is the last line of its reply. False for what is no SMTP reply line: no code of
// 200 to 599, something else than space or hyphen behind it, or a NUL.
bool reply_parse_line(const char *line, size_t size, struct reply *ret_reply, bool *ret_last);

// Does it begin with a 421? That is the one thing that a smarthost may say unasked: it leaves
// (RFC 5321 §3.8).
bool reply_is_farewell(const char *data, size_t size);

// Sets text (and enhanced, where text begins with one of the class of reply->code) from the words
// after the code.
void reply_set_text(struct reply *reply, const char *text, size_t size);

struct reply_shown {
    char enhanced[REPLY_ENHANCED_SIZE];
    char text[REPLY_TEXT_MAX + 1];
};

// Masks and cuts the first line of its text. An enhanced code is left out where a secret's letters
// or digits are in it.
void reply_clean(const struct reply *reply, const struct mask *mask, struct reply_shown *ret_shown);

// The same for words of our own: nothing in them is masked.
void reply_print(const struct reply *reply, struct reply_shown *ret_shown);

#endif
