// message.h - one text of a catalog, with placeholders for a mail's own values.
//
// "Hi {name}," - a placeholder is one of the names below in braces, and "{{" a literal brace.
#ifndef TEMPLATES_MESSAGE_H
#define TEMPLATES_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

enum placeholder {
    PLACEHOLDER_CODE,
    PLACEHOLDER_NAME,
    PLACEHOLDER_MINUTES,
    PLACEHOLDER_UNTIL, // the time of day to which the minutes lead
    PLACEHOLDER_BRAND,
    PLACEHOLDER_HOST,
    PLACEHOLDER_BROWSER,
    PLACEHOLDER_SYSTEM,
    PLACEHOLDER_TIME,
};
#define PLACEHOLDER_COUNT 9
#define PLACEHOLDER_BIT(placeholder) (1u << (placeholder))

// What stands for each placeholder; NULL: this mail has none.
struct message_values {
    const char *values[PLACEHOLDER_COUNT];
};

struct message;

// text is NUL-terminated behind size. ERR_INPUT: an unknown or unclosed placeholder, markup, a
// control character or another that is not seen, nothing to be seen at all, or too long; the error
// says which, but not in which file.
struct message *message_create(const char *text, size_t size, struct error *err);
void message_destroy(struct message *message); // NULL is a no-op

// The placeholders it has, as PLACEHOLDER_BITs.
unsigned message_placeholders(const struct message *message);

// Appends the text to out. False, with nothing appended, where a value it needs is NULL.
bool message_write(const struct message *message, const struct message_values *values,
                   struct buffer *out);

#define PLACEHOLDERS_TEXT_SIZE 96
// "{code} {minutes}" for a set of bits, "none" for the empty set; for fault texts.
const char *placeholders_text(unsigned bits, char ret_text[PLACEHOLDERS_TEXT_SIZE]);

#endif
