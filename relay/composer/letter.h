// letter.h - one mail that may go: into words, and these into RFC 5322 bytes.
//
// What a first attempt, a later one and a preview have in common. Has no clock. One thread.
#ifndef RELAY_COMPOSER_LETTER_H
#define RELAY_COMPOSER_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"
#include "relay/composer/composer.h"
#include "relay/composer/envelope.h"
#include "relay/composer/mail.h"
#include "templates/renderer.h"

struct letter {
    const char *id;     // the message's
    int64_t elapsed_ms; // since its payload was received
    int64_t wall_ms;    // now
    const struct mail *mail;
    const struct envelope *envelope; // with its recipient
    const char *locale;              // as struct render_request has it; or NULL
    const char *brand;               // likewise; NULL: the mail's
};

// Puts the mail into words: *ret_park is NULL, and the caller rendered_finish()es *ret_rendered;
// or it is the reason why there are none. False: it could not be tried.
bool letter_render(const struct composer *composer, const struct letter *letter,
                   struct rendered *ret_rendered, const char **ret_park, struct error *err);

// Appends the message to out. False, as mime_write().
bool letter_write(const struct composer *composer, const struct letter *letter,
                  const struct rendered *rendered, struct buffer *out, struct error *err);

#endif
