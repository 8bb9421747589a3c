// preview.h - what a canonical mail would look like, in a language and a brand of one's choice.
//
// For the commands that show mails. Nothing is stored or sent, and no wish of the mail's own
// counts against the choice.
#ifndef RELAY_COMPOSER_PREVIEW_H
#define RELAY_COMPOSER_PREVIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"
#include "relay/composer/compose.h"
#include "templates/renderer.h"

struct preview_choice {
    const char *locale; // a language, or a variant of one; NULL: as the mail wishes
    const char *brand;  // NULL: the mail's
};

struct preview {
    const char *park; // the reason why there is no mail, and then the rest is empty; or NULL
    struct rendered rendered;
    struct buffer mime;
};

// ERR_INPUT: the message is "unknown_locale", "unknown_brand", or what of the mail is not
// canonical. The caller preview_finish()es what is returned.
bool preview_make(struct composer *composer, const struct compose_request *request,
                  const struct preview_choice *choice, const json_t *canonical,
                  struct preview *ret_preview, struct error *err);
void preview_finish(struct preview *preview);
#define AUTO_PREVIEW __attribute__((cleanup(preview_finish)))

#endif
