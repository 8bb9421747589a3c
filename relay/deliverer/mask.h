// mask.h - where in a smarthost's words something stands that nobody else is to read.
//
// A reply may quote what it refuses, in a shape of its own: with hyphens between the digits of a
// code, percent-encoded, only the end of a token. So letters and digits alone are compared, in any
// case, also behind the encodings of mail and web; what a smarthost hides on purpose it has anyway.
// Pure; no I/O.
#ifndef RELAY_DELIVERER_MASK_H
#define RELAY_DELIVERER_MASK_H

#include <stddef.h>

#define MASK_TEXT_MAX 1056 // a reply's longest line with its codes

// NULL: there is none.
struct mask {
    const char *secrets;          // the mail's, one a line
    const char *password, *token; // what the relay logs in with
    const char *recipient;        // an address
};

enum mask_kind { MASK_NOTHING, MASK_SECRET, MASK_ADDRESS };

// Says of each byte of text, of which there are at most MASK_TEXT_MAX, what it is a part of.
// Secrets are found as a whole, by eight letters of their beginning or end, and at the end of text
// by their first half: the rest may stand in a line that is not shown. The recipient is found where
// it stands as a word, and so is what stands before its @, from three letters on.
void mask_find(const struct mask *mask, const char *text, size_t size,
               unsigned char ret_kinds[MASK_TEXT_MAX]);

#endif
