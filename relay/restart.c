#include "relay/restart.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/number.h"
#include "relay/config/config.h"
#include "relay/serve.h"

enum {
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 30 * 1000,
    HEALTHY_AFTER_MS = 10 * 60 * 1000, // a failure after so long is a new one
};

// RESTART_VARIABLE is "PAUSE STARTED CAUSE": both in ms, of CLOCK_BOOTTIME; each cause is one of
// the letters below.
enum cause { CAUSE_QUEUE = 'q', CAUSE_QUEUE_AND_MARKS = 'm', CAUSE_PAGE = 'p' };

// For a signal handler, which can be given nothing: made once, read only after that.
static struct {
    char **argv, **environment;
    size_t variable; // its place in environment
    char by_queue[64], by_queue_and_marks[64], by_page[64];
} next;

static int64_t pause_after(int64_t pause_ms, int64_t started_ms, int64_t now_ms)
{
    if (now_ms - started_ms > HEALTHY_AFTER_MS || pause_ms < PAUSE_FIRST_MS)
        return PAUSE_FIRST_MS;
    return pause_ms < PAUSE_MAX_MS / 2 ? pause_ms * 2 : PAUSE_MAX_MS;
}

// Reads a number and the space behind it.
static bool read_number(const char **at, int64_t *ret_number)
{
    size_t size = strcspn(*at, " ");
    if (!number_parse(*at, size, INT64_MAX, ret_number) || (*at)[size] != ' ')
        return false;
    *at += size + 1;
    return true;
}

static void read_variable(struct restart *restart, int64_t now_ms)
{
    int64_t pause_ms = 0, started_ms = 0;
    const char *at = getenv(RESTART_VARIABLE);
    if (!at || !read_number(&at, &pause_ms) || !read_number(&at, &started_ms) || !*at)
        return;
    restart->is_anew = true;
    restart->marks_lost = *at != CAUSE_QUEUE;
    restart->by_page_fault = *at == CAUSE_PAGE;
    restart->pause_ms = pause_after(pause_ms, started_ms, now_ms);
}

static void execute(char *variable)
{
    // A SIGHUP that came meanwhile is kept for the next incarnation; it would end this process.
    serve_hold_reloads();
    next.environment[next.variable] = variable;
    execve("/proc/self/exe", next.argv, next.environment);
}

// Only what a signal handler may do. Other threads go on for a moment; what they write is written
// as before a kill, and the children end with their sockets, as then.
static void on_page_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code == BUS_ADRERR)
        execute(next.by_page);
    signal(number, SIG_DFL); // what caused it is repeated, and ends the process
}

static void fill_variable(char *text, size_t size, const struct restart *restart, int64_t now_ms,
                          enum cause cause)
{
    snprintf(text, size, RESTART_VARIABLE "=%" PRId64 " %" PRId64 " %c", restart->pause_ms, now_ms,
             cause);
}

void restart_prepare(struct restart *ret_restart, const struct config *config, char **argv)
{
    int64_t now_ms = clock_boot_ms();
    *ret_restart = (struct restart){.is_anew = false};
    read_variable(ret_restart, now_ms);
    fill_variable(next.by_queue, sizeof(next.by_queue), ret_restart, now_ms, CAUSE_QUEUE);
    fill_variable(next.by_queue_and_marks, sizeof(next.by_queue_and_marks), ret_restart, now_ms,
                  CAUSE_QUEUE_AND_MARKS);
    fill_variable(next.by_page, sizeof(next.by_page), ret_restart, now_ms, CAUSE_PAGE);

    next.argv = argv;
    if (setenv(RESTART_VARIABLE, "", 1) != 0 ||
        !(next.environment = config_exec_environment(config)))
        return;
    while (strncmp(next.environment[next.variable], RESTART_VARIABLE "=",
                   sizeof(RESTART_VARIABLE)) != 0)
        next.variable++;
    unsetenv(RESTART_VARIABLE);
    struct sigaction action = {.sa_sigaction = on_page_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL); // fails for an unknown signal only
}

void restart_now(bool marks_lost, struct error *err)
{
    errno = ENOMEM;
    if (next.environment)
        execute(marks_lost ? next.by_queue_and_marks : next.by_queue);
    error_errno(err, ERR_IO, "execute the relay anew");
}
