// text_links.h - where a plain text leads, once a mail program has made links of what looks like
// one.
#ifndef TEMPLATES_TEXT_LINKS_H
#define TEMPLATES_TEXT_LINKS_H

#include <stdbool.h>

#include "templates/brand.h"

// True where everything in text that a mail program could make a link of leads to a host that the
// brand, which names some, allows:
//   https://host/…    of all that has a scheme and "//", http and https only
//   //host
//   evil.example      words with dots between them, wherever they stand, of which the last has a
//                     letter and another character, or the first is "www"; or four numbers
// Mail addresses are no links.
bool text_links_lead_only_to(const struct brand *brand, const char *text);

#endif
