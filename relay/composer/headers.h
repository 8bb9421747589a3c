// headers.h - an operator's own headers, the same in every mail but for what is filled in.
//
// For `Feedback-ID` and what smarthosts ask for ("X-Tag"). Nothing of a payload gets into one but
// the type of mail, which is a word; what says where a mail is from, where it goes or how it is
// made is not an operator's to say, and no list can be unsubscribed from by one-time mail.
#ifndef RELAY_COMPOSER_HEADERS_H
#define RELAY_COMPOSER_HEADERS_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"

#define HEADERS_COUNT_MAX 20

struct headers;

struct header_values { // what stands for {template}, {brand}, {locale} and {id}; never NULL
    const char *template, *brand, *locale, *id;
};

// object: name -> text with placeholders, "{{" being a literal brace; NULL or null: none. Appends
// every fault to faults, each of which names its header, as {"where": "mail_headers", "what": …},
// and returns NULL if there was one.
struct headers *headers_create(json_t *object, json_t *faults);
void headers_destroy(struct headers *headers); // NULL is a no-op

// Appends them all to a mail's head, in the order they were given. NULL: there are none. False,
// as head_put_words().
bool headers_put(const struct headers *headers, const struct header_values *values,
                 struct buffer *out, struct error *err);

#endif
