// curl_options.h - one smarthost's settings as options of libcurl: address, TLS, AUTH, limits.
#ifndef RELAY_DELIVERER_CURL_OPTIONS_H
#define RELAY_DELIVERER_CURL_OPTIONS_H

#include <curl/curl.h>

#include "relay/deliverer/settings.h"

// But for a token, which comes with its connection (token.h). *ret_connect_to, NULL before, has to
// live as long as curl does, and is freed with curl_slist_free_all(), also after a failure.
CURLcode curl_options_set(CURL *curl, const struct settings *settings,
                          struct curl_slist **ret_connect_to);

#endif
