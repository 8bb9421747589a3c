// inject: runs a program and all that it starts, and makes one system call of it fail.
//
//   inject REPORT -- PROGRAM ARGUMENT...
//   inject REPORT WHERE SYSCALL N DO -- PROGRAM ARGUMENT...
//
// WHERE is a thread: PROGRAM, which of its processes, which of their threads, as in
// `courier-relay.0.0` or `deliverer.0.1`, each counted from 0 in the order they were made. Until
// it executes a program, a new process is `spawn`. DO happens at that thread's N-th (from 1) call
// of SYSCALL:
//
//   kill   SIGKILL to its process, before the call
//   kill-program  SIGKILL to PROGRAM; the thread itself is held where it is for HOLD_MS, as on a
//                 machine that has no time for it
//   N      the call is not made, and fails with errno N
//   short  it is made for half the bytes that were asked for: really, by the kernel
//
// REPORT gets, without WHERE, a line for each call in order: `WHERE SYSCALL N`. With it: `fired
// WHERE SYSCALL N DO BOOTTIME` as soon as it was done. In the end: `ended STATUS` (negative: by
// that signal). The exit status is the program's own, or 128 + the signal. SIGTERM and SIGHUP are
// passed on to it.
//
// Why not strace: its counters are a thread's, but its rules are everybody's, so that the n-th call
// of one thread hides the n-th call of all others; and it cannot make a short write without lying.
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ptrace.h> // after sys/ptrace.h

enum { HOLD_MS = 300 };
enum { TRACEES_MAX = 4096, SYSCALLS_MAX = 512, NAME_SIZE = 32, WHERE_SIZE = 64 };
#define SPAWNED "spawn"
enum action { RECORD, KILL, KILL_PROGRAM, FAIL, SHORTEN };

struct process {
    pid_t pid;
    char program[16];
    int number, threads;
};

struct tracee {
    pid_t tid;
    struct process *process;
    int number;
    bool changed; // its call was, and is to be mended at its end
    struct user_regs_struct entry;
    unsigned count[SYSCALLS_MAX];
};

struct run {
    FILE *report;
    enum action action;
    char where[WHERE_SIZE];
    int syscall, error;
    unsigned nth;
    bool fired;
    pid_t held; // 0: none
    int spawned;
    struct process processes[TRACEES_MAX];
    struct tracee *tracees[TRACEES_MAX];
    size_t process_count, tracee_count;
};

static volatile pid_t program_pid;
static volatile sig_atomic_t held_is_over;

static void die(const char *what)
{
    perror(what);
    exit(125);
}

static void pass_on(int number)
{
    if (program_pid > 0)
        kill(program_pid, number);
}

static void end_hold(int number)
{
    (void)number;
    held_is_over = 1;
}

// ---- who is who ---------------------------------------------------------------------------------

static struct process *find_process(struct run *run, pid_t pid)
{
    for (size_t i = run->process_count; i-- > 0;)
        if (run->processes[i].pid == pid)
            return &run->processes[i];
    return NULL;
}

static struct tracee *find_tracee(struct run *run, pid_t tid)
{
    for (size_t i = run->tracee_count; i-- > 0;)
        if (run->tracees[i]->tid == tid)
            return run->tracees[i];
    return NULL;
}

static void name_process(struct run *run, struct process *process, const char *program)
{
    snprintf(process->program, sizeof(process->program), "%s", program);
    process->number = -1;
    for (size_t i = 0; i < run->process_count; i++)
        process->number += strcmp(run->processes[i].program, process->program) == 0;
    if (strcmp(program, SPAWNED) == 0)
        process->number = run->spawned++; // most of them have another name by now
    process->threads = 0;
}

static pid_t process_of(pid_t tid)
{
    static const char label[] = "Tgid:";
    char path[64], line[128];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    pid_t pid = tid;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, label, sizeof(label) - 1) == 0)
            pid = (pid_t)strtol(line + sizeof(label) - 1, NULL, 10);
    if (file)
        fclose(file);
    return pid;
}

// The numbers of the dead are used again: a new one comes last and is found first.
static struct tracee *add_tracee(struct run *run, pid_t tid)
{
    if (run->tracee_count == TRACEES_MAX || run->process_count == TRACEES_MAX)
        die("too many threads");
    pid_t pid = process_of(tid);
    struct process *process = pid == tid ? NULL : find_process(run, pid);
    if (!process) {
        process = &run->processes[run->process_count++];
        process->pid = pid;
        name_process(run, process, SPAWNED);
    }
    struct tracee *tracee = calloc(1, sizeof(*tracee));
    if (!tracee)
        die("calloc");
    *tracee = (struct tracee){.tid = tid, .process = process, .number = process->threads++};
    run->tracees[run->tracee_count++] = tracee;
    return tracee;
}

static struct tracee *know(struct run *run, pid_t tid)
{
    struct tracee *tracee = find_tracee(run, tid);
    return tracee ? tracee : add_tracee(run, tid);
}

static void forget(struct run *run, pid_t tid)
{
    struct tracee *tracee = find_tracee(run, tid);
    if (tracee)
        tracee->tid = -1;
}

static void executed(struct run *run, struct tracee *tracee)
{
    char path[64], name[NAME_SIZE] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)tracee->tid);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof(name), file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
    // The core that executes itself anew is the same process still, counted on.
    if (strncmp(tracee->process->program, name, sizeof(tracee->process->program) - 1) == 0)
        return;
    name_process(run, tracee->process, name);
    tracee->number = tracee->process->threads++;
    memset(tracee->count, 0, sizeof(tracee->count));
}

// ---- one system call ----------------------------------------------------------------------------

#ifdef __x86_64__
static bool takes_a_count(int syscall)
{
    return syscall == SYS_read || syscall == SYS_write || syscall == SYS_pread64 ||
           syscall == SYS_pwrite64 || syscall == SYS_sendto || syscall == SYS_recvfrom;
}

// What a descriptor of that process stands for, as one of ours; -1: neither file, pipe nor socket.
// (A counter or a signal is read and written as a whole, and cannot fail.)
static int borrow(pid_t pid, unsigned long long fd)
{
    char path[64], target[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, fd);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    if (size <= 0 || (target[0] != '/' && strncmp(target, "socket:", 7) != 0 &&
                      strncmp(target, "pipe:", 5) != 0))
        return -1;
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int borrowed = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, (int)fd, 0);
    close(process);
    return borrowed;
}

// Can the kernel say that? A lost connection is really lost, so that nothing that is sent after it
// arrives; and TCP knows no other failure.
static bool can_fail(pid_t pid, unsigned long long fd, int error)
{
    bool is_lost = error == ECONNRESET || error == EPIPE;
    int domain = 0, borrowed = borrow(pid, fd);
    bool is_socket =
        getsockopt(borrowed, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof(domain)}) == 0;
    bool can = borrowed >= 0 && (is_lost ? is_socket && shutdown(borrowed, SHUT_RDWR) == 0
                                         : !is_socket || (domain == AF_UNIX && error == ENOMEM));
    if (borrowed >= 0)
        close(borrowed);
    return can;
}

static bool is_open(pid_t pid, unsigned long long fd)
{
    int borrowed = borrow(pid, fd);
    if (borrowed >= 0)
        close(borrowed);
    return borrowed >= 0;
}

static bool change(const struct run *run, struct tracee *tracee)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &registers) < 0)
        return false;
    tracee->entry = registers;
    bool is_stream = takes_a_count(run->syscall);
    if (is_stream && run->action == FAIL &&
        !can_fail(tracee->process->pid, registers.rdi, run->error))
        return false;
    if (run->action == FAIL)
        registers.orig_rax = (unsigned long long)-1; // no such call: skipped
    else if (is_stream && registers.rdx >= 2 && is_open(tracee->process->pid, registers.rdi))
        registers.rdx /= 2;
    else
        return false;
    tracee->changed = ptrace(PTRACE_SETREGS, tracee->tid, NULL, &registers) == 0;
    return tracee->changed;
}

// Programs may rely on the arguments' registers being as they were. True where it has had effect.
static bool mend(const struct run *run, struct tracee *tracee)
{
    struct user_regs_struct registers;
    tracee->changed = false;
    if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &registers) < 0)
        return false;
    bool fired = run->action == FAIL || registers.rax == tracee->entry.rdx / 2;
    registers.rdx = tracee->entry.rdx;
    if (run->action == FAIL)
        registers.rax = (unsigned long long)-run->error;
    return ptrace(PTRACE_SETREGS, tracee->tid, NULL, &registers) == 0 && fired;
}
#else
static bool change(const struct run *run, struct tracee *tracee)
{
    (void)run, (void)tracee;
    fputs("inject: calls can be changed on x86-64 only\n", stderr);
    exit(77);
}
static bool mend(const struct run *run, struct tracee *tracee)
{
    (void)run, (void)tracee;
    return false;
}
#endif

static void tell_fired(struct run *run, const char *what)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, run->syscall);
    run->fired = true;
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    fprintf(run->report, "fired %s %s %u %s %lld.%06ld\n", run->where, name, run->nth, what,
            (long long)now.tv_sec, now.tv_nsec / 1000);
    fflush(run->report);
    free(name);
}

static void place(const struct tracee *tracee, char where[WHERE_SIZE])
{
    snprintf(where, WHERE_SIZE, "%s.%d.%d", tracee->process->program, tracee->process->number,
             tracee->number);
}

static void on_entry(struct run *run, struct tracee *tracee, int syscall)
{
    if (syscall < 0 || syscall >= SYSCALLS_MAX)
        return;
    unsigned nth = ++tracee->count[syscall];
    char where[WHERE_SIZE];
    place(tracee, where);
    if (run->action == RECORD) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, syscall);
        fprintf(run->report, "%s %s %u\n", where, name ? name : "?", nth);
        free(name);
        return;
    }
    if (run->fired || syscall != run->syscall || nth != run->nth || strcmp(where, run->where) != 0)
        return;
    if (run->action == KILL || run->action == KILL_PROGRAM) {
        kill(run->action == KILL ? tracee->process->pid : program_pid, SIGKILL);
        tell_fired(run, run->action == KILL ? "kill" : "kill-program");
        if (run->action == KILL_PROGRAM) {
            run->held = tracee->tid;
            setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = HOLD_MS * 1000}, NULL);
        }
    } else {
        change(run, tracee);
    }
}

static void on_syscall(struct run *run, struct tracee *tracee)
{
    struct ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof(info), &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        on_entry(run, tracee, (int)info.entry.nr);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee->changed && mend(run, tracee))
        tell_fired(run, run->action == FAIL ? strerrorname_np(run->error) : "short");
}

// ---- the loop -----------------------------------------------------------------------------------

// Gives the signal to deliver, and whether a stop of the whole process is to be kept up.
static int on_stop(struct run *run, struct tracee *tracee, int status, bool *ret_listen)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;
    *ret_listen = false;
    if (signal_number == (SIGTRAP | 0x80)) {
        on_syscall(run, tracee);
        return 0;
    }
    if (event == PTRACE_EVENT_STOP) {
        *ret_listen = signal_number == SIGSTOP || signal_number == SIGTSTP;
        return 0;
    }
    if (event == PTRACE_EVENT_EXEC) {
        executed(run, tracee);
    } else if (event != 0) { // it has made another one, which is now numbered in its turn
        unsigned long made = 0;
        if (ptrace(PTRACE_GETEVENTMSG, tracee->tid, NULL, &made) == 0)
            know(run, (pid_t)made);
    }
    return event != 0 ? 0 : signal_number;
}

static int trace(struct run *run)
{
    int result = 125;
    for (;;) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 && errno == EINTR) {
            if (held_is_over && run->held)
                ptrace(PTRACE_SYSCALL, run->held, NULL, NULL);
            continue;
        }
        if (tid < 0)
            return result; // ECHILD: all have ended
        if (!WIFSTOPPED(status)) {
            forget(run, tid);
            if (tid == program_pid) {
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                fprintf(run->report, "ended %d\n",
                        WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
                fflush(run->report); // what it has started may live on for a while
                program_pid = 0;
            }
            continue;
        }
        bool listen = false;
        int pass = on_stop(run, know(run, tid), status, &listen);
        if (tid == run->held && !held_is_over)
            continue;
        ptrace(listen ? PTRACE_LISTEN : PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)pass);
    }
}

static void start(char **command)
{
    int gate[2];
    if (pipe(gate) < 0)
        die("pipe");
    program_pid = fork();
    if (program_pid < 0)
        die("fork");
    if (program_pid == 0) {
        char byte;
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 1)
            _exit(125);
        close(gate[0]);
        execv(command[0], command);
        _exit(127);
    }
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, program_pid, NULL, (void *)options) < 0)
        die("ptrace");
    ptrace(PTRACE_INTERRUPT, program_pid, NULL, NULL); // from its stop on, its calls are seen
    close(gate[0]);
    if (write(gate[1], "", 1) != 1)
        die("write");
    close(gate[1]);
}

static void read_point(struct run *run, char **words)
{
    snprintf(run->where, sizeof(run->where), "%s", words[0]);
    run->syscall = seccomp_syscall_resolve_name(words[1]);
    run->nth = (unsigned)strtoul(words[2], NULL, 10);
    run->error = (int)strtol(words[3], NULL, 10);
    run->action = strcmp(words[3], "kill") == 0           ? KILL
                  : strcmp(words[3], "kill-program") == 0 ? KILL_PROGRAM
                  : strcmp(words[3], "short") == 0        ? SHORTEN
                                                          : FAIL;
    if (run->syscall < 0 || run->nth == 0 || (run->action == FAIL && run->error <= 0)) {
        fprintf(stderr, "inject: what is %s %s %s?\n", words[1], words[2], words[3]);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct run run;
    int at = argc > 6 && strcmp(argv[6], "--") == 0 ? 7 : 3;
    if (argc <= at || strcmp(argv[at - 1], "--") != 0) {
        fputs("inject REPORT [WHERE SYSCALL N kill|kill-program|short|ERRNO] -- PROGRAM "
              "ARGUMENT...\n",
              stderr);
        return 2;
    }
    if (at == 7)
        read_point(&run, argv + 2);
    run.report = fopen(argv[1], "we");
    if (!run.report)
        die(argv[1]);
    const struct sigaction action = {.sa_handler = pass_on};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = end_hold}, NULL);
    start(argv + at);
    int result = trace(&run);
    fclose(run.report);
    return result;
}
