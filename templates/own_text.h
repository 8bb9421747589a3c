// own_text.h - Kratos' own rendering of a mail, made ready for our frame.
#ifndef TEMPLATES_OWN_TEXT_H
#define TEMPLATES_OWN_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/buffer.h"

// False for NULL and for what is nothing but white space, control and hidden characters: those that
// turn the direction of what is around them, U+200B and U+FEFF.
bool own_text_is_there(const char *text);

// Appends Kratos' subject as one line (text_layout_subject()), without hidden characters.
void own_text_subject(const char *subject, struct buffer *out);

// The lines of a plain text, as [{"text": "..."}, ...]: trimmed, without control and hidden
// characters, one empty line at most between two others. NULL: no memory.
json_t *own_text_lines(const char *text);

// False for bare text, with or without a link in it: Kratos sends its mails so, and in HTML their
// lines would run together. False as well where it has a script: we send none, and clean none.
bool own_text_is_laid_out(const char *html);
// A whole page stands for itself; it would not fit into another.
bool own_text_is_document(const char *html);

// What a reader of html sees, as plain text, with the addresses of links behind their words.
// For mails that come without a plain text; it knows tags and entities, not style sheets.
void own_text_from_html(const char *html, struct buffer *out);

#endif
