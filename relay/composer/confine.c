#include "relay/composer/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/process.h"
#include "relay/base/sanitized.h"
#include "relay/composer/landlock.h"
#include "relay/composer/syscall_filter.h"

#define MEMORY_BYTES (512UL * 1024 * 1024)
#define STACK_BYTES (8UL * 1024 * 1024)

// What a sanitizer's runtime needs is what a composer is not to have: terabytes of addresses,
// files, a place for its report, and a process that looks for leaks.
#if SANITIZED
#define ADDRESSES RLIM_INFINITY
#define DESCRIPTORS 16
#define FILE_BYTES RLIM_INFINITY
#define PROCESSES RLIM_INFINITY
#else
#define ADDRESSES MEMORY_BYTES
#define DESCRIPTORS 0 // those that are open stay so; not one more
#define FILE_BYTES 0
#define PROCESSES 0
#endif

static void in_force(struct confinement *confinement, const char *what)
{
    if (confinement->in_force_count < CONFINEMENT_ITEMS_MAX)
        snprintf(confinement->in_force[confinement->in_force_count++],
                 sizeof(confinement->in_force[0]), "%s", what);
}

static void missing(struct confinement *confinement, const char *what, const char *why)
{
    if (confinement->missing_count < CONFINEMENT_ITEMS_MAX)
        snprintf(confinement->missing[confinement->missing_count++],
                 sizeof(confinement->missing[0]), "%s: %.70s", what, why);
}

// Lowers, never raises: what an operator's own limit forbids stays forbidden.
static bool limit(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit now;
    if (getrlimit(resource, &now) < 0)
        return false;
    if (now.rlim_max < value)
        value = now.rlim_max;
    now = (struct rlimit){value, value};
    return setrlimit(resource, &now) == 0;
}

// Where there is no limit, process_lock_memory() has locked what will be mapped as well: with a
// limit, every further page of heap would be refused.
static bool forbid_locking(void)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_MEMLOCK, &now) < 0)
        return false;
    return now.rlim_cur == RLIM_INFINITY || limit(RLIMIT_MEMLOCK, 0);
}

static bool set_limits(struct error *err)
{
    static const struct {
        const char *name;
        __rlimit_resource_t resource;
        rlim_t value;
    } limits[] = {
        {"RLIMIT_AS", RLIMIT_AS, ADDRESSES},           {"RLIMIT_STACK", RLIMIT_STACK, STACK_BYTES},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE, DESCRIPTORS}, {"RLIMIT_FSIZE", RLIMIT_FSIZE, FILE_BYTES},
        {"RLIMIT_NPROC", RLIMIT_NPROC, PROCESSES},     {"RLIMIT_CORE", RLIMIT_CORE, 0},
        {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE, 0},
    };
    // Should we write to a file all the same, that must fail and not kill us.
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_errno(err, ERR_IO, "ignore SIGXFSZ");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (!limit(limits[i].resource, limits[i].value))
            return error_errno(err, ERR_IO, "set %s", limits[i].name);
    }
    return forbid_locking() || error_errno(err, ERR_IO, "set RLIMIT_MEMLOCK");
}

// A normaliser's std.trace() writes what it is given to standard error, which is the core's own:
// a code would stand in a log.
static bool drop_descriptors(struct error *err)
{
    // We were given no others, but what a library has left open would be an intruder's. A kernel
    // too old for this call is no reason not to serve.
    if (!SANITIZED)
        close_range(PROCESS_SOCKET_FD + 1, ~0U, 0);
    return process_silence(err);
}

// A relay that root started is root here as well; what makes root of a user are these.
static void drop_capabilities(struct confinement *confinement)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capset, &header, none) == 0)
        in_force(confinement, "no_capabilities");
    else
        missing(confinement, "no_capabilities", strerror(errno));
}

static void use_landlock(struct confinement *confinement)
{
    struct error err;
    int abi;
    if (SANITIZED) {
        missing(confinement, "landlock", "built with a sanitizer");
    } else if (landlock_forbid_all(&abi, &err)) {
        char name[sizeof(confinement->in_force[0])];
        snprintf(name, sizeof(name), "landlock-%d", abi);
        in_force(confinement, name);
    } else {
        missing(confinement, "landlock", err.message);
    }
}

static void use_seccomp(struct confinement *confinement)
{
    struct error err;
    if (SANITIZED)
        missing(confinement, "seccomp", "built with a sanitizer");
    else if (syscall_filter_install(PROCESS_SOCKET_FD, &err))
        in_force(confinement, "seccomp");
    else
        missing(confinement, "seccomp", err.message);
}

// What process_child_setup() has done, asked of the kernel rather than believed.
static void look_at_flags(struct confinement *confinement)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        in_force(confinement, "no_new_privs");
    else
        missing(confinement, "no_new_privs", "not set");
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
        in_force(confinement, "not_dumpable");
    else
        missing(confinement, "not_dumpable", "not set");
}

bool confine(struct confinement *ret_confinement, struct error *err)
{
    struct confinement confinement = {0};
    tzset(); // libc reads the machine's time zone when it is first asked for a local time
    if (!drop_descriptors(err))
        return false;
    in_force(&confinement, "no_output");
    use_landlock(&confinement); // before the limits: it needs a descriptor
    if (!set_limits(err))
        return false;
    in_force(&confinement, "rlimits");
    drop_capabilities(&confinement);
    look_at_flags(&confinement);
    use_seccomp(&confinement); // last: it forbids all of the above
    *ret_confinement = confinement;
    return true;
}
