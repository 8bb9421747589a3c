// secrets.h - what of a mail nobody else may learn: for whoever shows what a smarthost has said.
#ifndef RELAY_COMPOSER_SECRETS_H
#define RELAY_COMPOSER_SECRETS_H

#include "relay/base/buffer.h"
#include "relay/composer/mail.h"

// Appends them to out, one a line: the code, and of each link what could be a token, as it stands
// there and percent-decoded. What does not fit is left out.
void secrets_write(const struct mail *mail, struct buffer *out);

#endif
