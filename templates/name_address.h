// name_address.h - addresses of mail and web in a person's name, and what is made one.
#ifndef TEMPLATES_NAME_ADDRESS_H
#define TEMPLATES_NAME_ADDRESS_H

#include <stdbool.h>

#include "templates/name_text.h"

// True where name has "@", "://", "www", "http" or the like, or words that dots join into the name
// of a host: all such are one, but those of which each word before the last is an initial or a
// title, all are of one script, and the last is written like a name ("J.R.R.Tolkien", "St.John")
// and is no top-level domain in any case ("J.SU").
bool name_has_address(const struct name_text *name);

#endif
