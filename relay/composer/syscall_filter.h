// syscall_filter.h - the system calls that a composer may still make, by seccomp.
//
// Allowed: its memory, its socket, its own end. What a library may try in good faith (open a file,
// look at one) fails with EPERM, so that no mail is lost to a detail. What only an intruder tries
// (start a process, make a socket, look into another process) ends the process with SIGSYS; so
// does any call by another architecture's numbers. No memory becomes code.
#ifndef RELAY_COMPOSER_SYSCALL_FILTER_H
#define RELAY_COMPOSER_SYSCALL_FILTER_H

#include <stdbool.h>

#include "relay/base/error.h"

// For the calling thread and for good. socket_fd: the one descriptor that may be read from and
// sent to. False: nothing is in force; the message is why.
bool syscall_filter_install(int socket_fd, struct error *err);

#endif
