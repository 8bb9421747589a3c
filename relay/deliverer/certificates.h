// certificates.h - what OpenSSL thinks of a server's certificates while it looks at them.
//
// Only listened to: what is trusted and what is not stays as it was.
#ifndef RELAY_DELIVERER_CERTIFICATES_H
#define RELAY_DELIVERER_CERTIFICATES_H

#include <curl/curl.h>

#include "relay/deliverer/probe.h"

// For CURLOPT_SSL_CTX_FUNCTION's: from here on what is verified in ssl_context (an SSL_CTX) is
// noted in probe, which must stay.
void certificates_note(void *ssl_context, struct probe *probe);

// "TLSv1.3", or empty where the connection is not encrypted.
void certificates_version(CURL *curl, char ret_version[OUTCOME_TLS_SIZE]);
// When the server's own certificate ends, since the epoch; 0 where it has shown none. ssl: an SSL.
int64_t certificates_end_ms(const void *ssl);

#endif
