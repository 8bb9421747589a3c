// text_layout.h - the last touch to what is rendered as plain text.
#ifndef TEMPLATES_TEXT_LAYOUT_H
#define TEMPLATES_TEXT_LAYOUT_H

#include <stddef.h>

#include "relay/base/buffer.h"

// How many bytes at text, which has size of them, are a control character (C0, DEL, C1) or a line
// or paragraph separator (U+2028, U+2029): 0 where none stands there.
size_t text_layout_control(const char *text, size_t size);

// Appends text as the body of a plain mail: LF line ends and one at the end, no white space
// before them (but for the "-- " above a signature, RFC 3676 §4.3), no empty lines at the top and
// never two in a row, lines wrapped between words at 78 columns
// of a terminal (combining marks take none, East Asian characters two). A word longer than a line
// (an address) stays whole; what follows it in a language without spaces does too.
void text_layout_body(const char *text, size_t size, struct buffer *out);

// Appends text as a subject: one line, control characters and white space
// made a space between words, cut at 200 code points.
void text_layout_subject(const char *text, size_t size, struct buffer *out);

#endif
