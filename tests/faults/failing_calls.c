// failing_calls: runs a program whose calls on files can be made to fail, for as long as is wanted.
//
//   failing_calls PLAN PROGRAM ARGUMENT...
//
// PLAN is a struct plan, which whoever started this writes while the program runs (injection.py).
// The program is this very process; a process of its own, seen by nobody, is asked by the kernel
// about each call of those below (seccomp_unotify(2)), of the program and all that it starts.
//
// Why not strace: to begin and to end it stops the program, and a call that loses its tracer
// half-way fails with ENOSYS, which no disk says. Here a call is either made or fails as planned.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNAVAILABLE = 77, CALLS = 5 };

// Each has the file's descriptor as its first argument.
static const char *const names[CALLS] = {"pwrite64", "fallocate", "ftruncate", "fdatasync",
                                         "fsync"};

// injection.py writes and reads this.
struct plan {
    struct {
        _Atomic int32_t error;   // what it fails with
        _Atomic int32_t turns;   // so many of them will; < 0: all
        _Atomic uint32_t failed; // so many have
    } calls[CALLS];
    char file[32]; // how its path ends
};

static int numbers[CALLS];

static void die(const char *what)
{
    perror(what);
    exit(UNAVAILABLE);
}

static struct plan *map_plan(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *at = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        die(path);
    close(fd);
    return at;
}

// ---- the one who is asked -----------------------------------------------------------------------

static bool is_of_file(const struct seccomp_notif *call, const char *end)
{
    char path[64], target[4096];
    snprintf(path, sizeof(path), "/proc/%u/fd/%llu", call->pid, call->data.args[0]);
    ssize_t size = readlink(path, target, sizeof(target));
    size_t end_size = strlen(end);
    return size >= (ssize_t)end_size && memcmp(target + size - end_size, end, end_size) == 0;
}

static void answer(struct plan *plan, int asker, const struct seccomp_notif *call,
                   struct seccomp_notif_resp *reply)
{
    int which = 0;
    while (which < CALLS && numbers[which] != call->data.nr)
        which++;
    int32_t turns = which < CALLS ? atomic_load(&plan->calls[which].turns) : 0;
    bool fails = turns != 0 && is_of_file(call, plan->file);
    *reply = (struct seccomp_notif_resp){.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (fails)
        *reply = (struct seccomp_notif_resp){.id = call->id,
                                             .error = -atomic_load(&plan->calls[which].error)};
    // One that a signal has interrupted meanwhile comes again.
    if (seccomp_notify_respond(asker, reply) < 0 || !fails)
        return;
    if (turns > 0) // and not taken back meanwhile
        atomic_compare_exchange_strong(&plan->calls[which].turns, &turns, turns - 1);
    atomic_fetch_add(&plan->calls[which].failed, 1);
}

// Until nobody is left who could ask.
static void serve(struct plan *plan, int asker)
{
    struct seccomp_notif *call = NULL;
    struct seccomp_notif_resp *reply = NULL;
    if (seccomp_notify_alloc(&call, &reply) < 0)
        die("seccomp_notify_alloc");
    struct pollfd waiting = {.fd = asker, .events = POLLIN};
    for (;;) {
        if (poll(&waiting, 1, -1) < 0 && errno != EINTR)
            die("poll");
        if (waiting.revents & (POLLHUP | POLLERR))
            return;
        memset(call, 0, sizeof(*call)); // else the kernel refuses it
        if ((waiting.revents & POLLIN) && seccomp_notify_receive(asker, call) == 0)
            answer(plan, asker, call, reply);
    }
}

// ---- the beginning ------------------------------------------------------------------------------

static int ask_by_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        die("seccomp_init");
    for (int i = 0; i < CALLS; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_NOTIFY, numbers[i], 0) < 0)
            die("seccomp_rule_add");
    errno = -seccomp_load(filter);
    if (errno != 0)
        die("calls cannot be asked about here");
    int asker = seccomp_notify_fd(filter);
    seccomp_release(filter); // has given the descriptor away
    return asker;
}

static void send_fd(int socket, int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    char byte = 0;
    struct iovec from = {.iov_base = &byte, .iov_len = 1};
    const struct msghdr message = {.msg_iov = &from,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof(control.space)};
    if (sendmsg(socket, &message, 0) != 1)
        die("sendmsg");
}

static int receive_fd(int socket)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec into = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &into,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.space)};
    int fd = -1;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || message.msg_controllen == 0)
        exit(UNAVAILABLE); // the other has said why
    memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
    return fd;
}

// Its parent is init's: the program has no child that it did not make. It holds nothing of the
// program's open, and no signal of a terminal meets it.
static void be_asked(struct plan *plan, int socket)
{
    pid_t child = fork();
    if (child != 0)
        _exit(child < 0 ? UNAVAILABLE : 0);
    setsid();
    int asker = receive_fd(socket);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        dup2(nothing, fd);
    for (int fd = 3; fd < 64; fd++)
        if (fd != asker)
            close(fd);
    serve(plan, asker);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("failing_calls PLAN PROGRAM ARGUMENT...\n", stderr);
        return 2;
    }
    for (int i = 0; i < CALLS; i++)
        numbers[i] = seccomp_syscall_resolve_name(names[i]);
    struct plan *plan = map_plan(argv[1]);
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        die("socketpair");
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        close(sockets[0]);
        be_asked(plan, sockets[1]);
    }
    close(sockets[1]);
    waitpid(child, NULL, 0);
    int asker = ask_by_filter();
    send_fd(sockets[0], asker);
    close(asker);
    close(sockets[0]);
    execv(argv[2], argv + 2);
    die(argv[2]);
}
