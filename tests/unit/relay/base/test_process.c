// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/process.h"
#include "relay/base/sanitized.h"

// The child of these tests is this program itself, started with a word as its argument.
static char *program;

// Reads what the child writes to its socket until it ends.
static void read_all(int fd, char *ret_text, size_t size)
{
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    size_t used = 0;
    for (ssize_t n; used < size - 1 && (n = read(fd, ret_text + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    ret_text[used] = '\0';
    close(fd);
}

static void child_gets_its_descriptors_and_no_other(void **state)
{
    (void)state;
    // Descriptors that are open here, low and high, without close-on-exec.
    int extra = dup(STDERR_FILENO), high = dup2(STDERR_FILENO, 200);
    int passed[2] = {open("/dev/zero", O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY)};
    const char *args[] = {"fds", NULL};
    pid_t pid;
    int fd;
    struct error err = {0};
    setenv("RELAY_API_KEY", "secret", 1);
    assert_true(process_spawn(program, PROCESS_HEAP_SMALL, args, passed, 2, &pid, &fd, &err));
    char text[4096];
    read_all(fd, text, sizeof(text));
    waitpid(pid, NULL, 0);
    assert_string_equal(text, "0=/dev/null 3=socket 4=/dev/zero 5=/dev/null environment=1");
    close(extra);
    close(high);
    close(passed[0]);
    close(passed[1]);
}

static void only_who_asks_keeps_much_of_what_it_frees(void **state)
{
    (void)state;
    const char *args[] = {"tunables", NULL};
    struct {
        enum process_heap heap;
        const char *tunables;
    } cases[] = {{PROCESS_HEAP_SMALL, ""}, {PROCESS_HEAP_QUICK, "glibc.malloc.tcache_count=1000"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pid_t pid;
        int fd;
        struct error err = {0};
        assert_true(process_spawn(program, cases[i].heap, args, NULL, 0, &pid, &fd, &err));
        char text[256];
        read_all(fd, text, sizeof(text));
        waitpid(pid, NULL, 0);
        assert_string_equal(text, cases[i].tunables);
    }
}

static void a_missing_program_is_named(void **state)
{
    (void)state;
    pid_t pid;
    int fd = -1;
    struct error err = {0};
    assert_false(
        process_spawn("/nonexistent/composer", PROCESS_HEAP_SMALL, NULL, NULL, 0, &pid, &fd, &err));
    assert_non_null(strstr(err.message, "/nonexistent/composer"));
    assert_int_equal(fd, -1);
}

static void a_child_is_confined_and_deaf_to_the_group(void **state)
{
    (void)state;
    const char *args[] = {"setup", NULL};
    pid_t pid;
    int fd;
    struct error err = {0};
    assert_true(process_spawn(program, PROCESS_HEAP_QUICK, args, NULL, 0, &pid, &fd, &err));
    char text[256];
    read_all(fd, text, sizeof(text));
    waitpid(pid, NULL, 0);
    assert_string_equal(text, "dumpable=0 privileges=1 core=0 sigterm=1 deathsig=9");
}

// A line of /proc/self/smaps_rollup.
static long memory_kb(const char *name)
{
    FILE *stream = fopen("/proc/self/smaps_rollup", "re");
    assert_non_null(stream);
    long size_kb = -1;
    for (char line[128]; fgets(line, sizeof(line), stream);)
        if (strncmp(line, name, strlen(name)) == 0)
            size_kb = strtol(line + strlen(name), NULL, 10);
    fclose(stream);
    assert_true(size_kb >= 0);
    return size_kb;
}

// Of files that are mapped and were not changed.
static long files_kb(void)
{
    return memory_kb("Rss:") - memory_kb("Anonymous:");
}

static void assert_gives_back(void)
{
    long before_kb = files_kb();
    process_forget_start();
    long after_kb = files_kb();
    if (after_kb * 2 > before_kb)
        fail_msg("%ld kB, after %ld kB", after_kb, before_kb);
}

static void what_the_start_has_read_is_given_back(void **state)
{
    (void)state;
    assert_gives_back();
}

#if !SANITIZED // a sanitizer locks nothing
static void so_is_what_is_locked(void **state)
{
    (void)state;
    if (mlockall(MCL_CURRENT) < 0)
        skip(); // not allowed to
    assert_gives_back();
    munlockall();
}
#endif

static void knows_where_it_stands(void **state)
{
    (void)state;
    struct error err = {0};
    char *dir = process_program_dir(&err);
    assert_non_null(dir);
    assert_memory_equal(dir, program, strlen(dir));
    assert_int_equal(program[strlen(dir)], '/');
    free(dir);
}

static void tell(const char *text)
{
    if (write(PROCESS_SOCKET_FD, text, strlen(text)) < 0)
        _exit(1);
}

static int list_descriptors(void)
{
    char line[1024] = "";
    for (int fd = 0; fd < 256; fd++) {
        char link[64], target[128];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, target, sizeof(target) - 1);
        if (size < 0 || fd == STDOUT_FILENO || fd == STDERR_FILENO)
            continue;
        target[size] = '\0';
        size_t used = strlen(line);
        snprintf(line + used, sizeof(line) - used, "%d=%s ", fd,
                 strncmp(target, "socket:", 7) == 0 ? "socket" : target);
    }
    size_t variables = 0;
    while (environ[variables])
        variables++;
    size_t used = strlen(line);
    snprintf(line + used, sizeof(line) - used, "environment=%zu", variables);
    tell(line);
    return 0;
}

static int report_setup(const char *parent)
{
    struct error err = {0};
    if (!process_child_setup((pid_t)strtol(parent, NULL, 10), &err)) {
        tell(err.message);
        return 1;
    }
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    char line[256];
    snprintf(line, sizeof(line), "dumpable=%d privileges=%d core=%d sigterm=%d deathsig=%d",
             prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (int)core.rlim_cur,
             action.sa_handler == SIG_IGN, death_signal);
    tell(line);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "fds") == 0)
        return list_descriptors();
    if (argc == 3 && strcmp(argv[2], "setup") == 0)
        return report_setup(argv[1]);
    if (argc == 3 && strcmp(argv[2], "tunables") == 0) {
        const char *tunables = getenv("GLIBC_TUNABLES");
        tell(tunables ? tunables : "");
        return 0;
    }
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_gets_its_descriptors_and_no_other),
        cmocka_unit_test(only_who_asks_keeps_much_of_what_it_frees),
        cmocka_unit_test(a_missing_program_is_named),
        cmocka_unit_test(a_child_is_confined_and_deaf_to_the_group),
        cmocka_unit_test(what_the_start_has_read_is_given_back),
#if !SANITIZED
        cmocka_unit_test(so_is_what_is_locked),
#endif
        cmocka_unit_test(knows_where_it_stands),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
