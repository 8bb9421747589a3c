// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/sanitized.h"
#include "relay/composer/confine.h"
#include "relay/composer/landlock.h"
#include "relay/composer/syscall_filter.h"

// What the kernel answers to the system calls that landlock.c makes: the running one's answers, or
// those of another version.
static struct {
    bool in_use;
    int abi;          // < 1: none, refusal is the errno
    int refusal;      // of the version's question
    int create_error; // of the ruleset
    int restrict_error;
    size_t size; // of the ruleset that was asked for
    uint64_t ruleset[3];
    bool restricted;
    bool locks_all; // there is no limit on locked memory
} kernel;

int __real_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    if (!kernel.locks_all || resource != RLIMIT_MEMLOCK)
        return __real_getrlimit(resource, limit);
    *limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    return 0;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static long failed_with(int code)
{
    errno = code;
    return -1;
}

long __wrap_syscall(long number, ...)
{
    va_list list;
    long args[6];
    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (kernel.in_use && number == SYS_landlock_create_ruleset && args[0] == 0)
        return kernel.abi > 0 ? kernel.abi : failed_with(kernel.refusal);
    if (kernel.in_use && number == SYS_landlock_create_ruleset) {
        kernel.size = (size_t)args[1];
        assert_true(kernel.size <= sizeof(kernel.ruleset));
        memcpy(kernel.ruleset, (const void *)args[0], kernel.size);
        return kernel.create_error ? failed_with(kernel.create_error)
                                   : open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (kernel.in_use && number == SYS_landlock_restrict_self) {
        kernel.restricted = !kernel.restrict_error;
        return kernel.restrict_error ? failed_with(kernel.restrict_error) : 0;
    }
    return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static int forget_kernel(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    return 0;
}

static void asks_an_older_kernel_for_what_it_has_and_no_more(void **state)
{
    (void)state;
    static const struct {
        int abi, want_abi;
        size_t size;
        uint64_t fs, net, scoped;
    } cases[] = {
        {1, 1, 8, 0x1fff, 0, 0},  {2, 2, 8, 0x3fff, 0, 0},   {3, 3, 8, 0x7fff, 0, 0},
        {4, 4, 16, 0x7fff, 3, 0}, {5, 5, 16, 0xffff, 3, 0},  {6, 6, 24, 0xffff, 3, 3},
        {7, 7, 24, 0xffff, 3, 3}, {12, 7, 24, 0xffff, 3, 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&kernel, 0, sizeof(kernel));
        kernel.in_use = true;
        kernel.abi = cases[i].abi;
        int abi = 0;
        assert_true(landlock_forbid_all(&abi, NULL));
        assert_int_equal(abi, cases[i].want_abi);
        assert_int_equal(kernel.size, cases[i].size);
        assert_int_equal(kernel.ruleset[0], cases[i].fs);
        assert_int_equal(kernel.ruleset[1], cases[i].net);
        assert_int_equal(kernel.ruleset[2], cases[i].scoped);
        assert_true(kernel.restricted);
    }
}

static void says_why_a_kernel_has_none(void **state)
{
    (void)state;
    static const struct {
        int abi, refusal, create_error, restrict_error;
        const char *want;
    } cases[] = {
        {0, ENOSYS, 0, 0, "not in this kernel"},
        {0, EOPNOTSUPP, 0, 0, "switched off in this kernel"},
        {0, EPERM, 0, 0, "version: Operation not permitted"},
        {3, 0, EMFILE, 0, "make a ruleset: Too many open files"},
        {3, 0, 0, E2BIG, "restrict: Argument list too long"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&kernel, 0, sizeof(kernel));
        kernel.in_use = true;
        kernel.abi = cases[i].abi;
        kernel.refusal = cases[i].refusal;
        kernel.create_error = cases[i].create_error;
        kernel.restrict_error = cases[i].restrict_error;
        int abi = -5;
        struct error err = {0};
        assert_false(landlock_forbid_all(&abi, &err));
        assert_string_equal(err.message, cases[i].want);
        assert_int_equal(abi, -5);
    }
}

// The wait status of a child that does act and exits with its result: by the bare system call, as a
// sanitizer would do forbidden things at _exit().
static int in_child(int (*act)(void))
{
    pid_t child = fork();
    if (child == 0)
        __real_syscall(SYS_exit_group, act());
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_exits_with(int status, int code)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("wait status %#x, wanted exit status %d", (unsigned)status, code);
}

// The errno of what failed; 0 where it did not.
static int failing(long result)
{
    return result < 0 ? errno : 0;
}

static int try_landlocked(void)
{
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int abi;
    struct error err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !landlock_forbid_all(&abi, &err))
        return 77;
    char byte;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (failing(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) != EACCES)
        return 1;
    if (failing(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != EACCES)
        return 2;
    if (failing(mkdir("/tmp/landlocked", 0700)) != EACCES)
        return 3;
    if (failing(read(before, &byte, 1)) != 0)
        return 4;
    if (abi >= 4 && failing(connect(tcp, (struct sockaddr *)&address, sizeof(address))) != EACCES)
        return 5;
    if (abi >= 4 && failing(bind(tcp, (struct sockaddr *)&address, sizeof(address))) != EACCES)
        return 6;
    if (abi >= 6 && failing(kill(getppid(), 0)) != EPERM)
        return 7;
    return failing(kill(getpid(), 0)) == 0 ? 0 : 8;
}

static void no_file_no_connection_no_signal(void **state)
{
    (void)state;
    int status = in_child(try_landlocked);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); // this kernel has none
    assert_exits_with(status, 0);
}

// The exit status of a child that could not be filtered: no failure where the kernel has no
// filters.
static int unfiltered(void)
{
    return access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0 ? 78 : 77;
}

static bool filtered(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall_filter_install(3, NULL);
}

static int try_allowed(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
        (pair[0] = fcntl(pair[0], F_DUPFD, 10)) < 0 ||
        (pair[1] = fcntl(pair[1], F_DUPFD, 10)) < 0 || dup2(pair[0], 3) < 0 || !filtered())
        return unfiltered();
    char text[4];
    if (send(3, "ping", 4, MSG_NOSIGNAL) != 4)
        return 1;
    if (failing(send(pair[1], "pong", 4, MSG_NOSIGNAL)) != EPERM)
        return 2;
    if (failing(read(0, text, 1)) != EPERM)
        return 3;
    if (failing(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) != EPERM)
        return 4;
    if (failing(prctl(PR_SET_DUMPABLE, 1)) != EPERM)
        return 5;
    struct rlimit limit = {0, 0};
    if (failing(setrlimit(RLIMIT_CORE, &limit)) != EPERM)
        return 6;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 7;
    if (failing(mprotect(page, 4096, PROT_READ)) != 0)
        return 8;
    if (failing(mprotect(page, 4096, PROT_READ | PROT_EXEC)) != EPERM)
        return 9;
    if (mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        return 10;
    // A mapping of what is open, which is no memory of our own.
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0) != MAP_FAILED || errno != EPERM)
        return 11;
    return 0;
}

static void memory_and_the_socket_are_what_is_left(void **state)
{
    (void)state;
    int status = in_child(try_allowed);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); // this kernel or container has none
    assert_exits_with(status, 0);
}

static int try_socket(void)
{
    return filtered() ? socket(AF_INET, SOCK_STREAM, 0) : unfiltered();
}

static int try_process(void)
{
    return filtered() ? (int)__real_syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
                      : unfiltered();
}

static int try_signal(void)
{
    return filtered() ? (int)__real_syscall(SYS_tgkill, getppid(), getppid(), 0) : unfiltered();
}

static int try_trace(void)
{
    return filtered() ? (int)__real_syscall(SYS_ptrace, 0, 0, 0, 0) : unfiltered();
}

static void an_intruders_call_is_the_last(void **state)
{
    (void)state;
    static int (*const acts[])(void) = {try_socket, try_process, try_signal, try_trace};
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        int status = in_child(acts[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
    }
}

static int try_abort(void)
{
    // Not the test library's handler; and what abort() does, without what a sanitizer adds to it.
    if (signal(SIGABRT, SIG_DFL) == SIG_ERR || !filtered())
        return unfiltered();
    return raise(SIGABRT);
}

static void abort_still_ends_it(void **state)
{
    (void)state;
    int status = in_child(try_abort);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static bool in_force(const struct confinement *confinement, const char *wanted)
{
    for (size_t i = 0; i < confinement->in_force_count; i++) {
        if (strcmp(confinement->in_force[i], wanted) == 0)
            return true;
    }
    return false;
}

static int try_confine(void)
{
    struct confinement confinement;
    struct error err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return 1;
    // An operator's own limit is lower already, and stays.
    const struct rlimit lower = {1024 * 1024, 1024 * 1024};
    if (setrlimit(RLIMIT_STACK, &lower) < 0)
        return 2;
    if (!confine(&confinement, &err))
        return 3;
    static const char *const wanted[] = {"no_output", "rlimits", "no_capabilities", "no_new_privs",
                                         "not_dumpable"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!in_force(&confinement, wanted[i]))
            return 4;
    }
#if SANITIZED
    struct rlimit core, stack;
    if (confinement.missing_count != 2 ||
        strcmp(confinement.missing[0], "landlock: built with a sanitizer") != 0 ||
        strcmp(confinement.missing[1], "seccomp: built with a sanitizer") != 0)
        return 5;
    // Without a sanitizer the filter forbids to ask; test_confinement.py looks from outside.
    if (getrlimit(RLIMIT_STACK, &stack) < 0 || stack.rlim_max != lower.rlim_max)
        return 6;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
        return 7;
    struct rlimit locked;
    if (getrlimit(RLIMIT_MEMLOCK, &locked) < 0 || locked.rlim_max != 0)
        return 8;
#endif
    return 0;
}

static void says_what_is_in_force_and_what_is_not(void **state)
{
    (void)state;
    assert_exits_with(in_child(try_confine), 0);
}

#if SANITIZED
static int try_confine_unlimited(void)
{
    struct confinement confinement;
    struct error err;
    struct rlimit before, after;
    if (__real_getrlimit(RLIMIT_MEMLOCK, &before) < 0 || before.rlim_max == 0)
        return 1;
    kernel.locks_all = true;
    if (!confine(&confinement, &err))
        return 2;
    if (__real_getrlimit(RLIMIT_MEMLOCK, &after) < 0 || after.rlim_max != before.rlim_max)
        return 3;
    return 0;
}

// All memory is locked then: where that may not grow, no heap can.
static void memory_without_a_limit_may_grow(void **state)
{
    (void)state;
    assert_exits_with(in_child(try_confine_unlimited), 0);
}
#endif

static int try_unprotected(void)
{
    struct confinement confinement;
    struct error err;
    if (!confine(&confinement, &err))
        return 1;
    // Nobody has set them: told, not believed.
    return in_force(&confinement, "not_dumpable") ? 2 : 0;
}

static void does_not_claim_what_was_not_set(void **state)
{
    (void)state;
    assert_exits_with(in_child(try_unprotected), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asks_an_older_kernel_for_what_it_has_and_no_more, forget_kernel),
        cmocka_unit_test_setup(says_why_a_kernel_has_none, forget_kernel),
        cmocka_unit_test_setup(no_file_no_connection_no_signal, forget_kernel),
        cmocka_unit_test_setup(memory_and_the_socket_are_what_is_left, forget_kernel),
        cmocka_unit_test_setup(an_intruders_call_is_the_last, forget_kernel),
        cmocka_unit_test_setup(abort_still_ends_it, forget_kernel),
        cmocka_unit_test_setup(says_what_is_in_force_and_what_is_not, forget_kernel),
#if SANITIZED // else the filter forbids to ask
        cmocka_unit_test_setup(memory_without_a_limit_may_grow, forget_kernel),
#endif
        cmocka_unit_test_setup(does_not_claim_what_was_not_set, forget_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
