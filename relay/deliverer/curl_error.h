// curl_error.h - what an error of libcurl's is about, and where it struck.
#ifndef RELAY_DELIVERER_CURL_ERROR_H
#define RELAY_DELIVERER_CURL_ERROR_H

#include <curl/curl.h>
#include <stdbool.h>

#include "relay/deliverer/outcome.h"

// Where a connection failed that never came to MAIL, whose dialogue stands at heard.
enum stage curl_error_stage(CURLcode rc, enum stage heard, bool is_connected, bool is_implicit);

#endif
