// address.h - the syntax of one mail address, as Kratos accepts it (Kratos x/email.go).
//
// Lenient where people's addresses are odd (dots anywhere, letters of any script), strict where
// a byte could mean something to an SMTP server or a header: no control characters, spaces,
// quotes, brackets, commas, literals or routes get through. Nothing is "cleaned": an address is
// right as it stands, or refused. Errors never hold the address.
#ifndef RELAY_COMPOSER_ADDRESS_H
#define RELAY_COMPOSER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

#define ADDRESS_SIZE 321       // 320 bytes (64 + "@" + 255) and the NUL
#define ADDRESS_NAME_SIZE 1025 // 200 characters, of which many take more than one code point

struct address {
    char text[ADDRESS_SIZE]; // local part as given, "@", domain in lower case and A-labels
    size_t domain_at;        // where in text the domain begins
    bool smtputf8;           // the local part is not ASCII, so its server must know RFC 6531
};

// An address and what its owner is called.
struct mailbox {
    char name[ADDRESS_NAME_SIZE]; // UTF-8, unquoted; empty: none
    struct address address;       // empty text: none
};

// One recipient: "a@b", or "Name <a@b>" as Kratos up to 26.2 may give, of which the name is
// dropped.
bool address_parse(const char *text, struct address *ret_address, struct error *err);

// An address with an optional display name, from the configuration: `Acme <no-reply@acme.example>`
// or `"Acme, Inc." <…>`.
bool mailbox_parse(const char *text, struct mailbox *ret_mailbox, struct error *err);
// Gives it another name, as it is read: without quotes.
bool mailbox_rename(struct mailbox *mailbox, const char *name, struct error *err);

#endif
