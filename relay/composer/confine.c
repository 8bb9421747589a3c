#include "relay/composer/confine.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

#define MEMORY_BYTES (512UL * 1024 * 1024)
#define DESCRIPTORS 16

bool confine(struct error *err)
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
    // Standard error may be a file: a normaliser's std.trace() must fail there, not kill us.
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_errno(err, ERR_IO, "ignore SIGXFSZ");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &limit) < 0)
            return error_errno(err, ERR_IO, "set %s", limits[i].name);
    }
    return true;
}
