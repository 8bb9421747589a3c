// mail.h - the canonical mail of design §4 as a checked value.
//
// What a normaliser returned is an operator's and a stranger's text. What decides whether and
// where a mail goes is checked strictly; what only makes it nicer (wishes for a language, a
// time zone) is left out where it is wrong, since no mail is lost to a detail.
#ifndef RELAY_COMPOSER_MAIL_H
#define RELAY_COMPOSER_MAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "relay/composer/user_agent.h"

#define MAIL_COUNT_MAX 16               // mails of one payload
#define MAIL_CANONICAL_MAX (512 * 1024) // bytes of JSON
#define MAIL_TEMPLATE_UNKNOWN "unknown"

enum mail_channel { MAIL_EMAIL, MAIL_SMS, MAIL_HTTP };

// Everything is borrowed from the JSON it was read from; NULL is "not given".
struct mail {
    enum mail_channel channel;
    const char *template;  // never NULL: printable, at most 64 bytes, else MAIL_TEMPLATE_UNKNOWN
    const char *to;        // not checked as an address
    const json_t *data;    // an object
    const json_t *locales; // an array
    const char *accept_language;
    const char *default_locale; // for who has no wish that we serve
    const char *timezone;
    const char *identity_id;
    const char *brand;                 // a brand's name, or an OAuth2 client's id
    struct user_agent client;          // that asked for it: words of user_agent.h's
    int64_t lifetime_ms;               // expires_in_minutes; 0: not given
    const char *subject, *text, *html; // Kratos' own
};

// ERR_INPUT: not a canonical mail; the message says what is wrong with which key ("data is
// missing"), and holds no value.
bool mail_read(const json_t *canonical, struct mail *ret_mail, struct error *err);

// The mail with each of the defaults' keys that it has not, or that is null, "" or [] in it: the
// mail itself where it lacks none (or is no object, or defaults is NULL), else a shallow copy. The
// caller json_decref()s it; NULL: no memory.
json_t *mail_with_defaults(json_t *canonical, json_t *defaults);

// What of a canonical mail is kept: a shallow copy of its known keys, so that nothing else that a
// normaliser copied from the payload (a person's request headers) is ever stored; less what only
// makes it nicer and is wrong (mail_read() leaves that out), however large it is. Of `user_agent`
// it is the words for browser and system that are kept, as `client`. The caller json_decref()s it;
// NULL: no memory.
json_t *mail_strip(const json_t *canonical);

const char *mail_channel_name(enum mail_channel channel);

// A text of the mail's data that is a non-empty string, or NULL.
const char *mail_data_text(const struct mail *mail, const char *key);
// True where data has a code of any type or a URL.
bool mail_has_secret(const struct mail *mail);

#endif
