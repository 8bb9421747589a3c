// head.h - the lines of a mail's head, each written by one of these and no other.
//
// They share one gate: what is not UTF-8, or holds a control character or anything else that
// ends a line, is refused with ERR_INPUT and nothing of it is written. The error names the
// header and not the value. No line is over 998 columns; none over 76 where it can be folded.
#ifndef RELAY_COMPOSER_HEAD_H
#define RELAY_COMPOSER_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

#define HEAD_VALUE_MAX 900 // bytes, of those that cannot be folded

// Words for people: folded, and as RFC 2047 encoded words where they are not plain ASCII.
bool head_put_text(struct buffer *out, const char *name, const char *value, struct error *err);
// Words for machines: ASCII stays as it is, however long its words are, at most HEAD_VALUE_MAX.
bool head_put_words(struct buffer *out, const char *name, const char *value, struct error *err);
// Ids, tags and the like: ASCII, never encoded, never folded, at most HEAD_VALUE_MAX bytes.
bool head_put_verbatim(struct buffer *out, const char *name, const char *value, struct error *err);
// display: UTF-8 as a person reads it, of any length; empty: none. The address stands as it is:
// only where SMTPUTF8 is asked for may it be other than ASCII.
bool head_put_mailbox(struct buffer *out, const char *name, const char *display,
                      const char *address, struct error *err);
bool head_put_date(struct buffer *out, const char *name, int64_t wall_ms, struct error *err);

#endif
