// landlock.h - Landlock, the kernel's access control that a process puts on itself: everything.
//
// No files, no TCP, no abstract sockets, no signals to processes other than itself - as far as the
// running kernel has these. What is open stays open. By system calls of our own: libc has none.
#ifndef RELAY_COMPOSER_LANDLOCK_H
#define RELAY_COMPOSER_LANDLOCK_H

#include <stdbool.h>

#include "relay/base/error.h"

// Of all that ABI (1, 2, ...) lets a process forbid itself, this knows what came until here.
#define LANDLOCK_ABI_KNOWN 7

// For the calling thread and what it will start, and for good. Wants PR_SET_NO_NEW_PRIVS.
// *ret_abi: which version of the kernel's is in force, at most LANDLOCK_ABI_KNOWN.
// False: nothing is in force; the message is why ("not in this kernel").
bool landlock_forbid_all(int *ret_abi, struct error *err);

#endif
