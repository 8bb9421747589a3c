// amend.h - what a smarthost says, made such that libesmtp makes no worse of it than we do.
//
// It cannot read a reply that is its code alone, "250" (RFC 5321 §4.2 has it read). It takes an
// enhanced code for any three numbers, and a reply with such codes in some of its lines for none;
// where that is not offered it leaves them in the text, from where we take them. And where CHUNKING
// is offered it sends BDAT, and lets nobody overhear the connection from then on (smtp-bdat.c,
// cmd_bdat), so that its replies could be neither counted nor checked.
//
// Pure; no I/O. Never makes the text longer or shorter.
#ifndef RELAY_DELIVERER_AMEND_H
#define RELAY_DELIVERER_AMEND_H

#include <stdbool.h>
#include <stddef.h>

// Where in a line a piece ends.
struct amend {
    size_t column;
    unsigned matching; // keywords that the line may still be, one bit each
};

// A connection begins.
void amend_init(struct amend *amend);

// Puts a space in place of the CR right behind a code, and, with offers, makes another keyword of
// those that libesmtp must not see. The bytes may come in any pieces.
void amend_replies(struct amend *amend, bool offers, char *data, size_t size);

#endif
