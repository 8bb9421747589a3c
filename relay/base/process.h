// process.h - starting a child with one socket, and being a well-behaved child.
//
// A child gets: /dev/null as standard input, our standard output and error, its end of a
// socketpair as PROCESS_SOCKET_FD, what the caller passes from PROCESS_SOCKET_FD + 1 on, an
// environment without anything of ours, and nothing else. It dies with the thread that started it
// (PR_SET_PDEATHSIG fires when the *thread* ends), so children are started by the main thread.
#ifndef RELAY_BASE_PROCESS_H
#define RELAY_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "relay/base/error.h"

#define PROCESS_SOCKET_FD 3
#define PROCESS_PASSED_MAX 4

// What each thread of a child keeps of the memory that it frees, to have it at hand.
enum process_heap {
    PROCESS_HEAP_SMALL, // the C library's few blocks of each size
    PROCESS_HEAP_QUICK, // many: for one thread that makes and frees thousands of small objects
};

// Starts path with the arguments args (NULL-terminated, without argv[0]; NULL: none). pass
// names pass_count descriptors, at most PROCESS_PASSED_MAX, that become 4, 5, ... in the child.
// On success *ret_fd is our end, close-on-exec and non-blocking; the caller closes it and reaps
// *ret_pid.
bool process_spawn(const char *path, enum process_heap heap, const char *const *args,
                   const int *pass, size_t pass_count, pid_t *ret_pid, int *ret_fd,
                   struct error *err);

// To be called first in a child: ignores SIGPIPE, SIGINT and SIGTERM (a signal to the whole
// group is the core's business), asks the kernel to be killed when the core dies, forbids
// core dumps, ptrace and new privileges, locks its memory where it may. parent is the core's pid,
// given as argv[1]: where the core has died before the request took effect, this fails.
bool process_child_setup(pid_t parent, struct error *err);

// Forbids core dumps and ptrace for this process: its memory holds codes and keys.
bool process_forbid_dumps(struct error *err);

// Keeps what this process has in memory, and will have, from being swapped out. False where it may
// not lock all of it (RLIMIT_MEMLOCK is limited and cannot be lifted): then it locks nothing.
bool process_lock_memory(void);

// Has all threads of this process share one heap: for few threads that hand blocks to one another.
// To be called before there are any.
void process_share_heap(void);

// To be called when a start is over: gives pages of programs and libraries back to the kernel, most
// of which only the start has read, and what is free on the heap. What is wanted again comes from
// the kernel's cache of the files, at some microseconds a page.
void process_forget_start(void);

// Sends this process' standard output and error nowhere from now on: a library, or a normaliser's
// std.trace(), may write there what strangers wrote, and who reads it may be slow. A sanitizer's
// report still comes where it came before.
bool process_silence(struct error *err);

// Where the folder of the running program is; the caller frees it.
char *process_program_dir(struct error *err);

#endif
