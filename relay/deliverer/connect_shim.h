// connect_shim.h - a connect() of our own, for libesmtp, and a getaddrinfo() that counts.
//
// libesmtp calls connect() on a blocking socket without a limit, sets no TCP option and tells
// nobody which socket it uses. The program therefore defines connect() itself (it is linked with
// -rdynamic, so that the library finds ours), which does what is missing and then calls libc's.
// It applies only to threads that asked for it; for all others, libcurl's among them, it is libc's.
//
// A name with several addresses must not lose all its time to the first one that does not answer.
// Neither library says how many there are, so the program defines getaddrinfo() as well.
#ifndef RELAY_DELIVERER_CONNECT_SHIM_H
#define RELAY_DELIVERER_CONNECT_SHIM_H

#include "relay/deliverer/wire.h"

// One address' share of a limit for all addresses of the name that was looked up last (any thread).
int connect_shim_share(int timeout_ms);

// From here on this thread's connects are limited to their share of timeout_ms and reported to
// wire, which must stay until the thread calls this again; NULL ends it.
void connect_shim_use(struct wire *wire, int timeout_ms);

// The next connect() of this thread connects to stand_in instead (whose descriptor stays the
// caller's), whatever the address.
void connect_shim_divert(int stand_in);

#endif
