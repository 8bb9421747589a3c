// mime.h - a mail's texts into RFC 5322 bytes.
//
// One fixed shape: headers, then multipart/alternative of text/plain and text/html. Bodies are
// always quoted-printable or base64, so no line is over 76 columns and nothing that a person or
// an operator wrote can look like SMTP or MIME. Headers are head.h's. The only file with GMime. One
// thread.
#ifndef RELAY_COMPOSER_MIME_H
#define RELAY_COMPOSER_MIME_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"
#include "relay/composer/address.h"
#include "relay/composer/headers.h"

struct mime; // what is the same in every mail

struct mime_sender {
    struct mailbox from;
    struct mailbox reply_to; // without an address: none
};

// Copies what it needs of sender. ERR_INPUT: a name holds a control character. The first call
// starts GMime.
struct mime *mime_create(const struct mime_sender *sender, struct error *err);
void mime_destroy(struct mime *mime); // NULL is a no-op

struct mime_mail {
    const char *id;          // the message's: Message-ID and boundary are made of it
    int64_t wall_ms;         // Date
    int64_t expires_wall_ms; // 0: not stated
    const char *to;          // one checked address
    const char *subject;     // UTF-8, one line
    const char *language;    // BCP 47
    const char *text;        // UTF-8, LF
    const char *html;
    const struct headers *headers; // the operator's own; NULL: none
    struct header_values values;   // for these
};

// Appends the mail, CRLF throughout, to out. ERR_INPUT: a header's value is refused (head.h), or
// the mail is over out's limit (out->failed).
bool mime_write(const struct mime *mime, const struct mime_mail *mail, struct buffer *out,
                struct error *err);

#endif
