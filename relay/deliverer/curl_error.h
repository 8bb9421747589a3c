// curl_error.h - what an error of libcurl's is about.
#ifndef RELAY_DELIVERER_CURL_ERROR_H
#define RELAY_DELIVERER_CURL_ERROR_H

#include <curl/curl.h>
#include <stdbool.h>

// TLS that failed shows as such an error while the dialogue stands before it.
bool curl_error_is_tls(CURLcode rc);

#endif
