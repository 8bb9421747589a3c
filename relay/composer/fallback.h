// fallback.h - a canonical mail without any Jsonnet, for a payload that a normaliser fails on.
//
// Looks where every version of Kratos puts them for the recipient, the type, the minutes, the
// OAuth2 client and Kratos' own texts (Kratos courier/http_channel.go); knows nothing of codes,
// names or languages. Of several recipients the first that looks like an address is taken; a
// telephone number makes the channel "sms", whatever the payload says.
#ifndef RELAY_COMPOSER_FALLBACK_H
#define RELAY_COMPOSER_FALLBACK_H

#include <jansson.h>

// The caller json_decref()s the result; NULL: no memory.
json_t *fallback_canonical(json_t *document);

#endif
