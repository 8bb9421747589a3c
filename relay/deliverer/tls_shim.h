// tls_shim.h - an SSL_read() of our own, for libcurl, that counts.
//
// libcurl keeps what it has read beyond a reply, and takes it for the next one: of two replies in
// one TLS record the second would be the verdict of a dot that was not written yet. It tells nobody
// that it has more, and the kernel knows only how much came in all. So the program defines
// SSL_read() itself, as it does connect() (connect_shim.h): OpenSSL's does the work.
#ifndef RELAY_DELIVERER_TLS_SHIM_H
#define RELAY_DELIVERER_TLS_SHIM_H

#include <stdint.h>

// The bytes that this thread has been given by SSL_read() so far.
uint64_t tls_shim_read_bytes(void);

#endif
