#include "relay/composer/confine.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "relay/base/process.h"

#define MEMORY_BYTES (512UL * 1024 * 1024)
#define DESCRIPTORS 16

static void note(struct confinement *confinement, bool in_force, const char *what, const char *why)
{
    if (in_force && confinement->in_force_count < CONFINEMENT_ITEMS_MAX)
        snprintf(confinement->in_force[confinement->in_force_count++],
                 sizeof(confinement->in_force[0]), "%s", what);
    else if (!in_force && confinement->missing_count < CONFINEMENT_ITEMS_MAX)
        snprintf(confinement->missing[confinement->missing_count++],
                 sizeof(confinement->missing[0]), "%s: %s", what, why);
}

static bool set_limits(struct error *err)
{
    static const struct {
        const char *name;
        __rlimit_resource_t resource;
        rlim_t value;
    } limits[] = {
#ifndef __SANITIZE_ADDRESS__ // its shadow memory alone is terabytes of addresses
        {"RLIMIT_AS", RLIMIT_AS, MEMORY_BYTES},
#endif
        {"RLIMIT_NOFILE", RLIMIT_NOFILE, DESCRIPTORS},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE, 0},
        {"RLIMIT_NPROC", RLIMIT_NPROC, 0},
    };
    // Should we write to a file all the same, that must fail and not kill us.
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_errno(err, ERR_IO, "ignore SIGXFSZ");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &limit) < 0)
            return error_errno(err, ERR_IO, "set %s", limits[i].name);
    }
    return true;
}

bool confine(struct confinement *ret_confinement, struct error *err)
{
    struct confinement confinement = {0};
    // First, while a file can still be opened: a normaliser's std.trace() writes codes there.
    if (!process_silence(err) || !set_limits(err))
        return false;
    note(&confinement, true, "rlimits", "");
    note(&confinement, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs", "not set");
    note(&confinement, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, "not_dumpable", "not set");
    *ret_confinement = confinement;
    return true;
}
