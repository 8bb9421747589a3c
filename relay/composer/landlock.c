#include "relay/composer/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "relay/base/cleanup.h"

// linux/landlock.h is of the libc that we are built with, and older than the kernels we run on: its
// numbers are the kernel's promise, so they stand here.
#define CREATE_RULESET_VERSION 1U

// As in the kernel of ABI 6; an older one is told of fewer bytes.
struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

// What each ABI brought.
static const struct {
    int abi;
    uint64_t fs, net, scoped;
} brought[] = {
    {1, (1ULL << 13) - 1, 0, 0}, // execute, write, read, remove, make
    {2, 1ULL << 13, 0, 0},       // refer
    {3, 1ULL << 14, 0, 0},       // truncate
    {4, 0, 3, 0},                // bind TCP, connect TCP
    {5, 1ULL << 15, 0, 0},       // ioctl on devices
    {6, 0, 0, 3},                // abstract sockets, signals
};

static bool refused(struct error *err, const char *step)
{
    if (errno == ENOSYS)
        return error_set(err, ERR_PERMANENT, "not in this kernel");
    if (errno == EOPNOTSUPP)
        return error_set(err, ERR_PERMANENT, "switched off in this kernel");
    return error_errno(err, ERR_PERMANENT, "%s", step);
}

static size_t size_for(int abi)
{
    if (abi < 4)
        return offsetof(struct ruleset, handled_access_net);
    return abi < 6 ? offsetof(struct ruleset, scoped) : sizeof(struct ruleset);
}

bool landlock_forbid_all(int *ret_abi, struct error *err)
{
    long found = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (found < 1)
        return refused(err, "version");
    int abi = found < LANDLOCK_ABI_KNOWN ? (int)found : LANDLOCK_ABI_KNOWN;

    struct ruleset ruleset = {0};
    for (size_t i = 0; i < sizeof(brought) / sizeof(brought[0]) && brought[i].abi <= abi; i++) {
        ruleset.handled_access_fs |= brought[i].fs;
        ruleset.handled_access_net |= brought[i].net;
        ruleset.scoped |= brought[i].scoped;
    }
    AUTO_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size_for(abi), 0U);
    if (fd < 0)
        return refused(err, "make a ruleset");
    // A ruleset without a rule allows nothing of what it handles.
    if (syscall(SYS_landlock_restrict_self, fd, 0U) < 0)
        return refused(err, "restrict");
    *ret_abi = abi;
    return true;
}
