// probe.c - the real composer with an intruder's acts built in, for test_confinement.py.
//
// Linked into build/X/tests/composer-probe only. A normaliser's std.native('text')('!open') makes
// the composer itself try to open a file and gives what came of it as text: "done", or the errno's
// name. PROBE_LAYERS in the environment says which protections are left in force ("landlock
// seccomp rlimits"; unset: all), so that each is tried alone, and none at all as the control.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jsonnet/payload.h"
#include "relay/composer/confine.h"
#include "relay/composer/landlock.h"
#include "relay/composer/syscall_filter.h"

json_t *__real_payload_text(json_t *document, const char *objects, const char *paths, int digits);
json_t *__wrap_payload_text(json_t *document, const char *objects, const char *paths, int digits);
bool __real_confine(struct confinement *ret_confinement, struct error *err);
bool __wrap_confine(struct confinement *ret_confinement, struct error *err);
int __real_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
bool __real_landlock_forbid_all(int *ret_abi, struct error *err);
bool __wrap_landlock_forbid_all(int *ret_abi, struct error *err);
bool __real_syscall_filter_install(int socket_fd, struct error *err);
bool __wrap_syscall_filter_install(int socket_fd, struct error *err);

// Where an act leaves something: a folder that the test gave.
static const char *path_in_dir(const char *name)
{
    static char path[512];
    const char *dir = getenv("PROBE_DIR");
    snprintf(path, sizeof(path), "%s/%s", dir ? dir : "/nonexistent", name);
    return path;
}

// PROBE_PORT: what listens there. PROBE_TARGET: a process that nobody minds for. PROBE_ADDRESS: of
// something in our parent's memory.
static unsigned long long number(const char *variable)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 0) : 0;
}

static long act_open(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long act_write_file(void)
{
    int fd = open(path_in_dir("written"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? fd : write(fd, "x", 1);
}

static long act_stat(void)
{
    struct stat found;
    return stat("/etc/passwd", &found);
}

static long act_mkdir(void)
{
    return mkdir(path_in_dir("made"), 0700);
}

static long act_list(void)
{
    return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long act_own_memory(void)
{
    return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static long act_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long act_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)number("PROBE_PORT"))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static long act_connect_udp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)number("PROBE_PORT"))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd : sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address));
}

static long act_connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path_in_dir("socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd : connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static long act_connect_abstract(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "courier-probe-%llu",
                        number("PROBE_PORT"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? fd
                  : connect(fd, (struct sockaddr *)&address,
                            (socklen_t)(sizeof(address.sun_family) + 1 + (size_t)size));
}

static long reaped(pid_t child)
{
    if (child == 0)
        _exit(0);
    return child < 0 ? child : waitpid(child, NULL, 0);
}

static long act_fork(void)
{
    return reaped((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static long act_clone3(void)
{
    uint64_t arguments[8] = {[4] = SIGCHLD};
    return reaped((pid_t)syscall(SYS_clone3, arguments, sizeof(arguments)));
}

static long act_execve(void)
{
    // Where it succeeds, this process is gone and says so by its status.
    char *const arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t) "exit 77", NULL};
    return execve("/bin/sh", arguments, NULL);
}

static long act_ptrace(void)
{
    return ptrace(PTRACE_SEIZE, (pid_t)number("PROBE_TARGET"), NULL, NULL);
}

static long act_kill(void)
{
    return kill(getppid(), SIGWINCH); // which nobody minds
}

static long act_tgkill(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), SIGWINCH);
}

static long act_read_parent(void)
{
    char here[16];
    struct iovec to = {here, sizeof(here)};
    struct iovec from = {(void *)(uintptr_t)number("PROBE_ADDRESS"), sizeof(here)};
    return process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static long act_map_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static long act_make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long act_prctl(void)
{
    return prctl(PR_SET_NAME, "other");
}

static long act_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1);
}

static long act_raise_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -1 : __real_setrlimit(RLIMIT_NOFILE, &limit);
}

static long act_inotify(void)
{
    return inotify_init1(IN_CLOEXEC);
}

static long act_dup(void)
{
    return dup(0);
}

static long act_bpf(void)
{
    union bpf_attr attributes = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}

static long act_io_uring(void)
{
    uint64_t parameters[15] = {0};
    return syscall(SYS_io_uring_setup, 1, parameters);
}

static long act_unshare(void)
{
    return unshare(CLONE_FS);
}

static long act_shared_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    return id < 0 ? id : shmctl(id, IPC_RMID, NULL);
}

static long act_file_in_memory(void)
{
    return memfd_create("probe", MFD_CLOEXEC);
}

static long act_terminal(void)
{
    int size;
    return ioctl(STDIN_FILENO, FIONREAD, &size) < 0 && errno != ENOTTY ? -1 : 0;
}

static long act_write_stderr(void)
{
    return write(STDERR_FILENO, "PROBED\n", 7);
}

static long act_pass_descriptor(void)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {control, 0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    return sendmsg(3, &message, 0);
}

static long act_setuid(void)
{
    return setresuid(getuid(), getuid(), getuid());
}

#ifdef __x86_64__
// getpid() by the numbers of i386 and of x32: how a filter that knows one set is passed by.
static long act_int80(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static long act_x32(void)
{
    return syscall(0x40000000 | SYS_getpid);
}
#endif

static const struct {
    const char *name;
    long (*act)(void);
} acts[] = {
    {"open", act_open},
    {"write_file", act_write_file},
    {"stat", act_stat},
    {"mkdir", act_mkdir},
    {"list", act_list},
    {"own_memory", act_own_memory},
    {"socket", act_socket},
    {"connect", act_connect},
    {"connect_udp", act_connect_udp},
    {"connect_unix", act_connect_unix},
    {"connect_abstract", act_connect_abstract},
    {"fork", act_fork},
    {"clone3", act_clone3},
    {"execve", act_execve},
    {"ptrace", act_ptrace},
    {"kill", act_kill},
    {"tgkill", act_tgkill},
    {"read_parent", act_read_parent},
    {"map_code", act_map_code},
    {"make_code", act_make_code},
    {"prctl", act_prctl},
    {"dumpable", act_dumpable},
    {"raise_limit", act_raise_limit},
    {"inotify", act_inotify},
    {"dup", act_dup},
    {"bpf", act_bpf},
    {"io_uring", act_io_uring},
    {"unshare", act_unshare},
    {"shared_memory", act_shared_memory},
    {"file_in_memory", act_file_in_memory},
    {"terminal", act_terminal},
    {"write_stderr", act_write_stderr},
    {"pass_descriptor", act_pass_descriptor},
    {"setuid", act_setuid},
#ifdef __x86_64__
    {"int80", act_int80},
    {"x32", act_x32},
#endif
};

json_t *__wrap_payload_text(json_t *document, const char *objects, const char *paths, int digits)
{
    if (paths[0] != '!')
        return __real_payload_text(document, objects, paths, digits);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(paths + 1, acts[i].name) != 0)
            continue;
        errno = 0;
        long result = acts[i].act();
        const char *name = strerrorname_np(errno);
        return json_string(result >= 0 ? "done" : name ? name : "unknown");
    }
    return json_string("no such act");
}

static bool has_layer(const char *name)
{
    const char *layers = getenv("PROBE_LAYERS");
    return !layers || strstr(layers, name);
}

bool __wrap_confine(struct confinement *ret_confinement, struct error *err)
{
    if (!has_layer("landlock") && !has_layer("seccomp") && !has_layer("rlimits")) {
        *ret_confinement = (struct confinement){0};
        return true;
    }
    return __real_confine(ret_confinement, err);
}

int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return has_layer("rlimits") ? __real_setrlimit(resource, limit) : 0;
}

bool __wrap_landlock_forbid_all(int *ret_abi, struct error *err)
{
    return has_layer("landlock") ? __real_landlock_forbid_all(ret_abi, err)
                                 : error_set(err, ERR_PERMANENT, "not in this kernel");
}

bool __wrap_syscall_filter_install(int socket_fd, struct error *err)
{
    return has_layer("seccomp") ? __real_syscall_filter_install(socket_fd, err)
                                : error_set(err, ERR_PERMANENT, "Operation not permitted");
}
