// envelope.h - what the queue and the dispatcher are told about a mail.
//
// The MAIL object of docs/protocol.md as a value, and the rules behind it: lane, lifetime, and
// what makes a newer mail replace an older one (design §6, Deadline and Supersede).
#ifndef RELAY_COMPOSER_ENVELOPE_H
#define RELAY_COMPOSER_ENVELOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/kind.h"
#include "relay/composer/address.h"
#include "relay/composer/mail.h"

#define ENVELOPE_LOCALE_SIZE 65
#define ENVELOPE_SUPERSEDE_SIZE 160

struct envelope {
    const char *channel, *template, *identity_id; // borrowed from the mail
    enum kind_lane lane;
    bool coded;
    int64_t lifetime_ms;               // from receipt
    bool lifetime_stated;              // by payload or configuration: fit to be told to a person
    struct address recipient;          // empty text: none
    char locale[ENVELOPE_LOCALE_SIZE]; // empty: not rendered
    const char *locale_source;         // static: which wish decided it; NULL: not rendered
    char supersede[ENVELOPE_SUPERSEDE_SIZE]; // empty: none
    const char *content_digest;              // borrowed; NULL: not known
    const char *park;                        // reason; NULL: it is a mail
    const char *detail;                      // borrowed: what is wrong, no value; or NULL
};

// Everything that follows from the mail alone. lifetimes: composer_settings'; NULL: none.
void envelope_init(struct envelope *envelope, const struct mail *mail, const json_t *lifetimes);
// Fills recipient; or park, where the mail cannot be sent by mail to its `to`.
void envelope_address(struct envelope *envelope, const struct mail *mail);
// The envelope of what could not be read as a mail at all.
void envelope_init_unreadable(struct envelope *envelope, const char *park);

// Fills supersede: the flow of the mail's link, or else the browser that asked. document is the
// payload, for request_headers, which are in no canonical mail; NULL: not at hand.
void envelope_supersede(struct envelope *envelope, const struct mail *mail, json_t *document);

// Whole minutes until the mail is dead, to the nearest, at least 1; 0 where that is not stated.
int envelope_minutes_left(const struct envelope *envelope, int64_t elapsed_ms);

// MAIL, for the caller to json_decref(). canonical, mime, mask: numbers of blobs, -1 for none.
// NULL: no memory.
json_t *envelope_json(const struct envelope *envelope, const struct address *sender, int canonical,
                      int mime, int mask);

#endif
