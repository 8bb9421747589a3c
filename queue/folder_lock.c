#include "queue/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "queue/database.h"
#include "relay/base/cleanup.h"

#define LOCK_FILE "queue.lock"

enum { LOCK_WAIT_MS = 2000, LOCK_AGAIN_MS = 10 };

// flock() belongs to the open file, so it also keeps out a second queue_open() of this process. And
// a child that the last daemon was just starting when it was killed: until it has closed what is
// not its own it holds the lock as well, for milliseconds, or longer where the machine has no time
// for it.
static bool lock_exclusively(int fd)
{
    for (int tries = LOCK_WAIT_MS / LOCK_AGAIN_MS; flock(fd, LOCK_EX | LOCK_NB) < 0; tries--) {
        if (errno != EWOULDBLOCK || tries == 0)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_AGAIN_MS * 1000000L}, NULL);
    }
    return true;
}

int folder_lock(const char *dir, struct error *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, LOCK_FILE) < 0)
        abort();
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EROFS) // what a disk in trouble holds can still be looked at, and copied
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat folder;
    if (fd >= 0 && geteuid() == 0 && stat(dir, &folder) == 0) // it may be the superuser's command
        (void)!fchown(fd, folder.st_uid, folder.st_gid);
    if (fd >= 0 && lock_exclusively(fd))
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        error_set(err, ERR_TEMPORARY, "%s is in use by another process", dir);
    else
        error_errno(err, ERR_IO, "lock %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

int folder_lock_queue(const char *dir, struct error *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, DATABASE_FILE) < 0)
        abort();
    if (access(path, F_OK) == 0)
        return folder_lock(dir, err);
    error_errno(err, errno == ENOENT ? ERR_INPUT : ERR_IO, "open %s", path);
    return -1;
}
