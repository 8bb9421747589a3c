// read_shim.h - an SSL_read() and a recv() of our own, for libcurl, that know what they have given.
//
// libcurl keeps what it has read beyond a reply, and takes it for the next one: of two replies in
// one segment the second would be the verdict of a dot that was not written yet. It tells nobody
// that it has more, nor what; of what came by TLS the kernel knows only how much that was in all.
// So the program defines both itself, as it does connect() (connect_shim.h): OpenSSL's and libc's
// do the work.
#ifndef RELAY_DELIVERER_READ_SHIM_H
#define RELAY_DELIVERER_READ_SHIM_H

#include <stddef.h>
#include <stdint.h>

#define READ_SHIM_KEPT 512

// The bytes that this thread has been given so far by recv(), and by SSL_read().
uint64_t read_shim_recv_bytes(void);
uint64_t read_shim_tls_bytes(void);

// The last size bytes that this thread was given, by whichever of the two it called last: up to
// READ_SHIM_KEPT, of one read. NULL: there are not so many. Good until it reads again.
const char *read_shim_last(size_t size);

#endif
