#include "queue/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// SIZE_MAX where the file system does not say.
static size_t free_bytes(const struct reserve *reserve)
{
    struct statvfs status;
    if (fstatvfs(reserve->fd, &status) < 0 || status.f_frsize == 0)
        return SIZE_MAX;
    size_t blocks = status.f_bavail, most = SIZE_MAX / status.f_frsize;
    return (blocks < most ? blocks : most) * status.f_frsize;
}

// Also over a hole, as a copy of the folder may have left one.
static bool take_blocks(const struct reserve *reserve)
{
    int failure = posix_fallocate(reserve->fd, 0, RESERVE_BYTES);
    return failure == 0 || failure == EOPNOTSUPP || failure == ENOSYS || failure == EINVAL;
}

static bool open_file(struct reserve *reserve)
{
    reserve->fd = open(reserve->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return reserve->fd >= 0;
}

bool reserve_open(struct reserve *reserve, const char *dir, struct error *err)
{
    *reserve = (struct reserve){.fd = -1};
    if (asprintf(&reserve->path, "%s/%s", dir, RESERVE_FILE) < 0)
        abort();
    struct stat status;
    if (!open_file(reserve) || fstat(reserve->fd, &status) < 0) {
        if (errno == ENOSPC || errno == EDQUOT)
            return true;
        return error_errno(err, ERR_IO, "open %s", reserve->path);
    }
    if (status.st_size >= RESERVE_BYTES && free_bytes(reserve) < RESERVE_SPARE_BYTES) {
        reserve->whole = true;
        reserve_give_up(reserve);
    } else {
        // What it has already is not asked for twice.
        reserve->whole = status.st_size >= RESERVE_BYTES && take_blocks(reserve);
        reserve_fill(reserve);
    }
    return true;
}

void reserve_close(struct reserve *reserve)
{
    if (reserve->path && reserve->fd >= 0)
        close(reserve->fd);
    free(reserve->path);
    *reserve = (struct reserve){.fd = -1};
}

size_t reserve_room_bytes(const struct reserve *reserve)
{
    size_t room_bytes = free_bytes(reserve), part_bytes = reserve->whole ? RESERVE_BYTES / 4 : 0;
    return room_bytes < SIZE_MAX - part_bytes ? room_bytes + part_bytes : SIZE_MAX;
}

size_t reserve_limit_bytes(const struct reserve *reserve, size_t files_bytes)
{
    const size_t kept_bytes = RESERVE_SPARE_BYTES + RESERVE_GROWTH_BYTES;
    size_t there = free_bytes(reserve);
    if (there >= SIZE_MAX - files_bytes)
        return SIZE_MAX;
    return there + files_bytes > kept_bytes ? there + files_bytes - kept_bytes : 0;
}

size_t reserve_missing_bytes(const struct reserve *reserve)
{
    const size_t wanted = RESERVE_BYTES + RESERVE_SPARE_BYTES;
    if (reserve->fd < 0 || reserve->whole)
        return 0;
    size_t there = free_bytes(reserve);
    return there < wanted ? wanted - there : 0;
}

bool reserve_fill(struct reserve *reserve)
{
    if (reserve->whole || (reserve->fd < 0 && !open_file(reserve)) ||
        reserve_missing_bytes(reserve) > 0)
        return reserve->whole;
    reserve->whole = take_blocks(reserve);
    if (!reserve->whole)
        reserve_give_up(reserve); // the part of it that there was room for
    return reserve->whole;
}

bool reserve_give_up(struct reserve *reserve)
{
    bool had = reserve->whole;
    reserve->whole = false;
    return reserve->fd >= 0 && ftruncate(reserve->fd, 0) == 0 && had;
}
