// locale.h - which of the languages we have a person wants.
//
// Wishes come from strangers: whatever they are, they are only ever compared with what was
// loaded. Reading a matcher is safe for any thread.
#ifndef TEMPLATES_LOCALE_H
#define TEMPLATES_LOCALE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

struct locale_matcher;

// tags: what we have, BCP 47, borrowed only during the call; the default is tags[default_index].
struct locale_matcher *locale_matcher_create(const char *const *tags, size_t count,
                                             size_t default_index, struct error *err);
void locale_matcher_destroy(struct locale_matcher *matcher); // NULL is a no-op

struct locale_wishes {
    const json_t *locales;       // array of strings, best first, or NULL
    const char *accept_language; // RFC 9110 §12.5.4, or NULL
    const char *ui_locales;      // OpenID Connect's: space separated, best first, or NULL
    // For who has no wish that we serve; each one tag, or NULL.
    const char *default_locale, *brand_locale;
};

// Which of them was served: it is an operator's to see why a mail is in its language.
enum locale_source {
    LOCALE_BY_DEFAULT,
    LOCALE_BY_BRAND,
    LOCALE_BY_PAYLOAD,
    LOCALE_BY_ACCEPT_LANGUAGE,
    LOCALE_BY_REQUEST_URL,
};
const char *locale_source_name(enum locale_source source); // "default", "accept_language" ...

// The index of the tag that serves best: the first wish that any tag serves, in the order of
// the members above; else the default. ret_source may be NULL. A wish is a tag ("de-CH", "hu_HU",
// looked up as RFC 4647 §3.4 says: "de" serves "de-CH"; but of two scripts that of the region:
// "zh-Hant" and not "zh-Hans" serves "zh-TW"), an ISO 639-2 code of either kind ("deu", "ger"), or
// a language's name in English or in itself ("German", "deutsch"), also with more in brackets
// behind it. What is none of these ("C", "xx", "klingon") is passed over.
size_t locale_match(const struct locale_matcher *matcher, const struct locale_wishes *wishes,
                    enum locale_source *ret_source);

bool locale_is_right_to_left(const char *tag);

#endif
