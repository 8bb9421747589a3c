#include "relay/file_system.h"

#include <stddef.h>
#include <sys/vfs.h>

#define IN_MEMORY(name)                                                                            \
    "is in memory (" name "): what was accepted is lost with the machine's power; put it on a "    \
    "disk"
#define IN_CONTAINER                                                                               \
    "is in a container's own layer (overlay): what was accepted is lost with the container; "      \
    "mount "                                                                                       \
    "a volume there"
#define REMOTE(name)                                                                               \
    "is on " name ", which does not promise that what was synced or locked stays so; put it on a " \
    "disk of this machine"

// Numbers of statfs(2) and linux/magic.h, which does not have them all.
static const struct {
    uint64_t type;
    const char *doubt;
} DOUBTS[] = {
    {0x01021994, IN_MEMORY("tmpfs")}, {0x858458f6, IN_MEMORY("ramfs")},
    {0x794c7630, IN_CONTAINER},       {0x6969, REMOTE("NFS")},
    {0x517b, REMOTE("SMB")},          {0xff534d42, REMOTE("CIFS")},
    {0xfe534d42, REMOTE("SMB 2")},    {0x65735546, REMOTE("FUSE")},
    {0x01021997, REMOTE("9p")},       {0x00c36400, REMOTE("Ceph")},
    {0x5346414f, REMOTE("AFS")},      {0x786f4256, REMOTE("a folder of VirtualBox")},
};

const char *file_system_doubt(uint64_t type)
{
    for (size_t i = 0; i < sizeof(DOUBTS) / sizeof(DOUBTS[0]); i++)
        if (DOUBTS[i].type == (type & UINT32_MAX))
            return DOUBTS[i].doubt;
    return NULL;
}

const char *file_system_doubt_at(const char *path)
{
    struct statfs status;
    return statfs(path, &status) == 0 ? file_system_doubt((uint64_t)status.f_type) : NULL;
}
