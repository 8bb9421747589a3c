#include "relay/composer/syscall_filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NO_EXEC                                                                                    \
    {                                                                                              \
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0                     \
    }
#define ANONYMOUS                                                                                  \
    {                                                                                              \
        .arg = 3, .op = SCMP_CMP_MASKED_EQ, .datum_a = MAP_ANONYMOUS, .datum_b = MAP_ANONYMOUS     \
    }

// Found by strace over every sample, language, fault and death (tests/integration/
// test_confinement.py holds it against the real composer).
static const int allowed[] = {
    // malloc, beside what stands below
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    // locks of libraries
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    // the time, where there is no vDSO
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    // seeds of hash tables
    SCMP_SYS(getrandom),
    // abort(), beside what stands below
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    // the end
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static const struct {
    int call;
    unsigned int count;
    struct scmp_arg_cmp conditions[2];
} allowed_where[] = {
    {SCMP_SYS(mmap), 2, {NO_EXEC, ANONYMOUS}},
    {SCMP_SYS(mprotect), 1, {NO_EXEC}},
};

// Not asked of the kernel by any library in the way of composing a mail.
static const int deadly[] = {
    // other processes: start, look into, signal
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    // other machines, and descriptors sent over the socket
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    // other memory
    SCMP_SYS(shmget),
    SCMP_SYS(shmat),
    SCMP_SYS(msgget),
    SCMP_SYS(semget),
    SCMP_SYS(mq_open),
    SCMP_SYS(memfd_create),
    SCMP_SYS(memfd_secret),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(remap_file_pages),
    // parts of the kernel with a history
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(io_setup),
    SCMP_SYS(io_submit),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(vmsplice),
    SCMP_SYS(personality),
    // the machine itself
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(syslog),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    // who it is
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(seccomp),
};

static bool add_fixed(scmp_filter_ctx filter, int *ret_code)
{
    for (size_t i = 0; !*ret_code && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    for (size_t i = 0; !*ret_code && i < sizeof(allowed_where) / sizeof(allowed_where[0]); i++)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed_where[i].call,
                                           allowed_where[i].count, allowed_where[i].conditions);
    for (size_t i = 0; !*ret_code && i < sizeof(deadly) / sizeof(deadly[0]); i++)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0, NULL);
    return *ret_code == 0;
}

// What depends on the process: its socket, and abort(), which signals itself.
static bool add_own(scmp_filter_ctx filter, int socket_fd, int *ret_code)
{
    const struct scmp_arg_cmp is_socket = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)socket_fd};
    struct scmp_arg_cmp pid = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    if (!*ret_code)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, &is_socket);
    if (!*ret_code)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, &is_socket);
    if (!*ret_code)
        *ret_code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &pid);
    pid.op = SCMP_CMP_NE;
    if (!*ret_code)
        *ret_code =
            seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), 1, &pid);
    return *ret_code == 0;
}

bool syscall_filter_install(int socket_fd, struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return error_set(err, ERR_TEMPORARY, "no memory");
    int code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!code) // so that load() says what the kernel said
        code = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (add_fixed(filter, &code) && add_own(filter, socket_fd, &code))
        code = seccomp_load(filter);
    seccomp_release(filter);
    return code == 0 || error_set(err, ERR_PERMANENT, "%s", strerror(-code));
}
