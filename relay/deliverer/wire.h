// wire.h - the sockets of one worker, and the gate before the final dot.
//
// A worker sits inside a library most of the time. Others reach it through its wire: they end
// the transaction under way by shutting the socket down, which wakes any read, write, poll or
// connect. The gate makes that exact: a transaction is either stopped before its dot or has
// begun it, never both, and the dot's mark says which.
//
// The wire holds duplicates of the sockets, so a shutdown can never hit a descriptor number that
// the library has closed and the process has reused.
// Functions marked (any) may be called by any thread; the others by the wire's worker only.
#ifndef RELAY_DELIVERER_WIRE_H
#define RELAY_DELIVERER_WIRE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/dots.h"
#include "relay/deliverer/job.h"
#include "relay/deliverer/outcome.h"

// libcurl may try an IPv4 and an IPv6 address side by side.
#define WIRE_SOCKETS_MAX 4

struct wire {
    pthread_mutex_t lock; // guards all below
    struct dots *dots;
    int timeout_ms; // for the kernel: how long sent bytes may go unacknowledged
    struct {
        int library_fd, own_fd; // -1: free
    } sockets[WIRE_SOCKETS_MAX];
    char address[OUTCOME_ADDRESS_SIZE]; // of the socket opened last
    const struct job *job;              // the transaction under way, or NULL
    enum stop stop;
    bool mail_taken, dot_begun;
};

void wire_init(struct wire *wire, struct dots *dots, int timeout_ms);
void wire_finish(struct wire *wire);

// A transaction begins (job is borrowed until wire_end()) and ends.
void wire_begin(struct wire *wire, const struct job *job);
void wire_end(struct wire *wire);

// (any) Ends the transaction under way, if there is one.
void wire_stop(struct wire *wire, enum stop why);
enum stop wire_stopped(struct wire *wire);
bool wire_dot_begun(struct wire *wire);
// The smarthost has taken MAIL: it talks, and lets us in. And (any) has it?
void wire_take_mail(struct wire *wire);
bool wire_mail_taken(struct wire *wire);

// A socket is about to be connected to address: sets keep-alive and the kernel's limit on it,
// and takes a duplicate. False where the transaction was stopped: do not connect.
bool wire_opened(struct wire *wire, int fd, const struct sockaddr *address, socklen_t size);
// The library is about to close it, or has. -1: all.
void wire_closed(struct wire *wire, int fd);
bool wire_is_open(struct wire *wire);
// The library's own descriptor of the socket that is open, where it is one. -1: none.
int wire_library_fd(struct wire *wire);
// Whether one of the sockets has got through to its peer.
bool wire_is_connected(struct wire *wire);
// Whether the kept connection is fit for another message: not ended, and nothing unasked said.
bool wire_is_quiet(struct wire *wire);
// Whether what has come over the open sockets is just these bytes: none are unread, or kept by the
// library for later. True where the kernel does not say.
bool wire_is_in_step(struct wire *wire, uint64_t heard_bytes);
// Whether there is anything that nobody has taken from the kernel yet.
bool wire_has_unread(struct wire *wire);
// Copies the beginning of that, which stays where it is. 0: there is none.
size_t wire_peek(struct wire *wire, char *to, size_t size);
// Whether the peer's kernel has got all that was written. What answers it comes with such word, so
// an answer before that is to something else. True once stopped: the end counts as written.
bool wire_is_acknowledged(struct wire *wire);
// Reads end at once from here on, writes still go out: a QUIT need not wait for its answer.
void wire_hush(struct wire *wire);
// The address that wire_opened() saw last, "192.0.2.1:25" or "[2001:db8::1]:25", or empty.
void wire_address(struct wire *wire, char ret_address[OUTCOME_ADDRESS_SIZE]);

// The gate. To be called when the library has taken the last of the message and will write the
// end of it next. True: the mark is set, let it. False: the connection was shut down and nothing
// can follow; wire_stopped() says why: the smarthost may have said something, which is too early. A
// second call repeats the first one's answer.
bool wire_pass_dot(struct wire *wire);
// The reply that decides was read: puts it into the mark, where the dot was begun. A code that
// means nothing there (354, 221) is not put: it does not say what became of the message.
void wire_verdict(struct wire *wire, int reply_code);

#endif
