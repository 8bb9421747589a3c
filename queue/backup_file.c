#include "queue/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "queue/copy.h"
#include "queue/integrity.h"
#include "relay/base/cleanup.h"

// What a backup leaves free on the queue's own disk: it is not to be what fills it.
#define SPARE_MB 32
// SQLite calls in so often, in its own instructions: some milliseconds.
#define CANCEL_EVERY 100000

static uint64_t size_of(const char *dir, const char *name, struct stat *ret_status)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0)
        abort();
    return stat(path, ret_status) == 0 ? (uint64_t)ret_status->st_size : 0;
}

static bool look_for_room(const struct backup_file *file, uint64_t wanted, struct error *err)
{
    struct statvfs disk;
    if (fstatvfs(file->fd, &disk) < 0)
        return error_errno(err, ERR_IO, "look at the disk of %s", file->part_path);
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (file->shares_disk)
        wanted += (uint64_t)SPARE_MB << 20;
    return free_bytes >= wanted ||
           error_set(err, ERR_TEMPORARY, "%s: no room; %llu MB are free, and %llu are needed%s",
                     file->path, (unsigned long long)(free_bytes >> 20),
                     (unsigned long long)(wanted >> 20),
                     file->shares_disk ? " (some stay free for the queue, which is on that disk)"
                                       : "");
}

// A file of that name that nobody works on was left by a process that was killed.
static bool open_part(struct backup_file *file, struct error *err)
{
    file->fd = open(file->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat part, queue;
    if (file->fd < 0 || fstat(file->fd, &part) < 0)
        return error_errno(err, ERR_IO, "create %s", file->part_path);
    if (!S_ISREG(part.st_mode) || part.st_uid != geteuid() || part.st_nlink != 1)
        return error_set(err, ERR_INPUT, "%s is there, and not ours", file->part_path);
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0)
        return error_errno(err, ERR_TEMPORARY, "%s: another backup goes there", file->part_path);
    if (fchmod(file->fd, 0600) < 0 || ftruncate(file->fd, 0) < 0)
        return error_errno(err, ERR_IO, "empty %s", file->part_path);
    uint64_t bytes = size_of(file->queue_dir, DATABASE_FILE, &queue);
    file->shares_disk = part.st_dev == queue.st_dev;
    bytes += size_of(file->queue_dir, DATABASE_FILE "-wal", &queue);
    return look_for_room(file, bytes, err);
}

bool backup_file_create(struct backup_file *file, const char *path, const char *queue_dir,
                        struct error *err)
{
    *file = (struct backup_file){.path = strdup(path), .queue_dir = strdup(queue_dir), .fd = -1};
    struct stat status;
    bool ok = false;
    if (!file->path || !file->queue_dir || asprintf(&file->part_path, "%s.part", path) < 0)
        abort();
    if (*path != '/')
        error_set(err, ERR_INPUT, "%s is no absolute path", path);
    else if (lstat(path, &status) == 0)
        error_set(err, ERR_INPUT, "%s is there already", path);
    else if (errno != ENOENT)
        error_errno(err, ERR_IO, "look for %s", path);
    else
        ok = open_part(file, err);
    if (!ok)
        backup_file_finish(file);
    return ok;
}

bool backup_file_flush(struct backup_file *file, struct error *err)
{
    if (fdatasync(file->fd) < 0)
        return error_errno(err, ERR_IO, "sync %s", file->part_path);
    return !file->shares_disk || look_for_room(file, 0, err);
}

static bool keep_problem(void *context, const char *problem)
{
    return error_set(context, ERR_CORRUPT, "the queue is damaged, and so is a copy of it: %s",
                     problem);
}

static bool look_at(struct backup_file *file, int (*is_cancelled)(void *context), void *context,
                    struct error *err)
{
    struct database copy;
    struct error problem = {0};
    bool sound = false;
    if (!copy_open(&copy, file->part_path, err))
        return false;
    sqlite3_progress_handler(copy.handle, CANCEL_EVERY, is_cancelled, context);
    bool ok = integrity_check(&copy, INTEGRITY_QUICK, keep_problem, &problem, &sound, err);
    database_close(&copy);
    if (ok && !sound)
        *err = problem;
    return ok && sound;
}

static bool sync_folder_of(const char *path, struct error *err)
{
    AUTO_FREE char *copy = strdup(path);
    if (!copy)
        abort();
    const char *dir = dirname(copy);
    AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || error_errno(err, ERR_IO, "sync %s", dir);
}

// No file is replaced, not even one that came meanwhile, where the file system can promise that.
static bool give_name(const struct backup_file *file)
{
    if (renameat2(AT_FDCWD, file->part_path, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
        return true;
    return errno == EINVAL && access(file->path, F_OK) < 0 &&
           rename(file->part_path, file->path) == 0;
}

bool backup_file_publish(struct backup_file *file, int (*is_cancelled)(void *context),
                         void *context, struct error *err)
{
    if (!look_at(file, is_cancelled, context, err))
        return false;
    if (fsync(file->fd) < 0)
        return error_errno(err, ERR_IO, "sync %s", file->part_path);
    if (!give_name(file))
        return error_errno(err, ERR_IO, "rename %s to %s", file->part_path, file->path);
    close(file->fd);
    file->fd = -1;
    return sync_folder_of(file->path, err);
}

void backup_file_finish(struct backup_file *file)
{
    if (file->fd >= 0) {
        unlink(file->part_path);
        close(file->fd);
    }
    free(file->path);
    free(file->part_path);
    free(file->queue_dir);
    *file = (struct backup_file){.fd = -1};
}
