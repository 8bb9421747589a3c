#include "relay/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/sanitized.h"

#if SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

// Descriptors that are to be dup'ed down to 3, 4, ... are first lifted out of that range, lest
// one dup2 closes another's source.
enum { LIFTED_FD_MIN = PROCESS_SOCKET_FD + 1 + PROCESS_PASSED_MAX, ARGS_MAX = 8 };

static bool set_nonblocking(int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, ERR_IO, "set a socket non-blocking");
    return true;
}

static int add_actions(posix_spawn_file_actions_t *actions, const int *lifted, size_t count)
{
    int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = posix_spawn_file_actions_adddup2(actions, lifted[i], PROCESS_SOCKET_FD + (int)i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, PROCESS_SOCKET_FD + (int)count);
    return rc;
}

// A child starts with all signals unblocked and default, whatever the core has done to its own.
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc;
}

static bool spawn_with(const char *path, enum process_heap heap, const char *const *args,
                       const int *lifted, size_t count, pid_t *ret_pid, struct error *err)
{
    char parent[16];
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    const char *argv[ARGS_MAX + 3] = {path, parent};
    for (size_t i = 0; args && args[i]; i++) {
        if (i == ARGS_MAX)
            return error_set(err, ERR_INPUT, "start %s: too many arguments", path);
        argv[i + 2] = args[i];
    }
    // Nothing of ours; and for the allocator: GLib's own pools would keep what heap.c wipes.
    static char slices[] = "G_SLICE=always-malloc";
    // A composer makes and frees some thousand small objects a message, and with larger caches for
    // them is a tenth quicker. Where one thread frees what another has made they would only fill.
    static char tunables[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=1000";
    char *environment[] = {slices, heap == PROCESS_HEAP_QUICK ? tunables : NULL, NULL};

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        goto failed;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = add_actions(&actions, lifted, count);
        if (rc == 0)
            rc = set_attributes(&attributes);
        if (rc == 0)
            rc = posix_spawn(ret_pid, path, &actions, &attributes, (char *const *)(void *)argv,
                             environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
failed:
    errno = rc;
    return rc == 0 || error_errno(err, ERR_IO, "start %s", path);
}

bool process_spawn(const char *path, enum process_heap heap, const char *const *args,
                   const int *pass, size_t pass_count, pid_t *ret_pid, int *ret_fd,
                   struct error *err)
{
    if (pass_count > PROCESS_PASSED_MAX)
        return error_set(err, ERR_INPUT, "start %s: too many descriptors", path);
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, ERR_IO, "socketpair for %s", path);
    AUTO_CLOSE int theirs = pair[1];

    int lifted[1 + PROCESS_PASSED_MAX];
    size_t count = 0;
    bool ok = set_nonblocking(pair[0], err);
    for (size_t i = 0; ok && i <= pass_count; i++) {
        int fd = i == 0 ? theirs : pass[i - 1];
        lifted[count] = fcntl(fd, F_DUPFD_CLOEXEC, LIFTED_FD_MIN);
        if (lifted[count] < 0)
            ok = error_errno(err, ERR_IO, "descriptor %d for %s", fd, path);
        else
            count++;
    }
    if (ok)
        ok = spawn_with(path, heap, args, lifted, count, ret_pid, err);
    for (size_t i = 0; i < count; i++)
        close(lifted[i]);
    if (!ok) {
        close(pair[0]);
        return false;
    }
    *ret_fd = pair[0];
    return true;
}

bool process_forbid_dumps(struct error *err)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_errno(err, ERR_IO, "forbid core dumps");
    return true;
}

// Beyond its limit a process that locks what it will map is refused memory, so it is all or
// nothing: where the limit can be lifted. A page is locked when it is first used, not before.
bool process_lock_memory(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
           limit.rlim_cur == RLIM_INFINITY && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

void process_share_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
}

// A segment that is never written to holds what its file does, unless the loader had to put
// addresses into it.
static bool is_relocated(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL))
                return true;
    }
    return false;
}

static int forget_object(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size, (void)context;
    if (is_relocated(object))
        return 0;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        void *at;
        memcpy(&at, &start, sizeof(at));
        if (madvise(at, end - start, MADV_DONTNEED) != 0)
            (void)madvise(at, end - start, MADV_DONTNEED_LOCKED);
    }
    return 0;
}

void process_forget_start(void)
{
    (void)dl_iterate_phdr(forget_object, NULL);
    malloc_trim(0);
}

bool process_silence(struct error *err)
{
#if SANITIZED
    int report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LIFTED_FD_MIN);
    if (report_fd >= 0)
        __sanitizer_set_report_fd((void *)(intptr_t)report_fd);
#endif
    AUTO_CLOSE int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
        return error_errno(err, ERR_IO, "send standard output and error to /dev/null");
    return true;
}

bool process_child_setup(pid_t parent, struct error *err)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGINT, SIG_IGN) == SIG_ERR ||
        signal(SIGTERM, SIG_IGN) == SIG_ERR)
        return error_errno(err, ERR_IO, "ignore signals");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, ERR_IO, "PR_SET_PDEATHSIG");
    if (getppid() != parent)
        return error_set(err, ERR_TEMPORARY, "the core (process %d) is gone", (int)parent);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, ERR_IO, "PR_SET_NO_NEW_PRIVS");
    process_lock_memory();
    return process_forbid_dumps(err);
}

char *process_program_dir(struct error *err)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size < 0) {
        error_errno(err, ERR_IO, "read /proc/self/exe");
        return NULL;
    }
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    char *copy = strdup(path);
    if (!copy)
        error_set(err, ERR_TEMPORARY, "no memory");
    return copy;
}
