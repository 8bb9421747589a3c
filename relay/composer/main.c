// composer - payloads in, mails out; the process that reads what strangers wrote.
//
// Started by the core as `composer PARENT_PID` with its socket as descriptor 3.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/base/error.h"
#include "relay/base/process.h"
#include "relay/composer/session.h"

enum { NICENESS = 5 };

static bool parse_pid(const char *text, pid_t *ret_pid)
{
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno || end == text || *end || pid <= 0 || pid != (pid_t)pid)
        return false;
    *ret_pid = (pid_t)pid;
    return true;
}

int main(int argc, char **argv)
{
    pid_t parent;
    if (argc != 2 || !parse_pid(argv[1], &parent)) {
        fputs("composer: started by courier-relay, not by hand\n", stderr);
        return EX_USAGE;
    }
    struct error error;
    // Storing a payload goes before composing one: Kratos waits for the answer, and posts nothing
    // else meanwhile.
    errno = 0;
    if (nice(NICENESS) < 0 && errno)
        return EX_OSERR;
    if (!process_child_setup(parent, &error)) {
        fprintf(stderr, "composer: %s\n", error.message);
        return EX_OSERR;
    }
    switch (session_serve(PROCESS_SOCKET_FD, &error)) {
    case SESSION_CLOSED:
        return EX_OK;
    case SESSION_FAULTS:
        return EX_CONFIG;
    case SESSION_BROKEN:
        fprintf(stderr, "composer: %s\n", error.message);
        return EX_SOFTWARE;
    }
    return EX_SOFTWARE;
}
