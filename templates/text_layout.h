// text_layout.h - the last touch to what is rendered as plain text.
#ifndef TEMPLATES_TEXT_LAYOUT_H
#define TEMPLATES_TEXT_LAYOUT_H

#include <stddef.h>

#include "relay/base/buffer.h"

// Appends text as the body of a plain mail: LF line ends and one at the end, no white space
// before them (but for the "-- " above a signature, RFC 3676 §4.3), no empty lines at the top and
// never two in a row, lines wrapped between words at 78 columns. A word longer than a line (an
// address) stays whole; what follows it in a language without spaces does too.
void text_layout_body(const char *text, size_t size, struct buffer *out);

// Appends text as a subject: one line, without control characters or white space around, cut
// at 200 code points.
void text_layout_subject(const char *text, size_t size, struct buffer *out);

#endif
