#include "queue/migration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "queue/copy.h"
#include "queue/integrity.h"
#include "relay/base/cleanup.h"

#define REHEARSAL_FILE "queue.rehearsal"
#define SPARE_BYTES ((uint64_t)16 << 20)

// The copy, and as much again for what the steps write into queue.db's write-ahead log.
static bool look_for_room(const struct database *database, const char *dir, struct error *err)
{
    struct stat file;
    struct statvfs disk;
    if (stat(database->path, &file) < 0 || statvfs(dir, &disk) < 0)
        return error_errno(err, ERR_IO, "look at %s", dir);
    uint64_t wanted = (uint64_t)file.st_size * 2 + SPARE_BYTES;
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    return free_bytes >= wanted ||
           error_set(err, ERR_TEMPORARY,
                     "%s needs %llu MB to be brought up to date, and %llu are free: left untouched",
                     database->path, (unsigned long long)(wanted >> 20),
                     (unsigned long long)(free_bytes >> 20));
}

static bool take_steps(struct database *copy, const struct schema *schema, struct error *err)
{
    bool made;
    int rc = database_execute(copy, "BEGIN");
    if (rc != SQLITE_OK)
        return database_error(copy, rc, "migrate", err);
    if (!schema_upgrade(copy, schema, &made, err))
        return false;
    rc = database_execute(copy, "COMMIT");
    return rc == SQLITE_OK || database_error(copy, rc, "migrate", err);
}

static bool keep_problem(void *context, const char *problem)
{
    error_set(context, ERR_CORRUPT, "%s", problem);
    return false;
}

static bool look_at_result(struct database *copy, struct error *err)
{
    bool sound = false;
    int64_t orphans = 0;
    struct error problem = {0};
    if (!integrity_check(copy, INTEGRITY_FULL, keep_problem, &problem, &sound, err) ||
        !integrity_count_orphans(copy, &orphans, err))
        return false;
    if (!sound)
        return error_set(err, ERR_CORRUPT, "it is no sound database then: %s", problem.message);
    return orphans == 0 ||
           error_set(err, ERR_CORRUPT, "%lld attempts have no message then", (long long)orphans);
}

static bool make_copy(struct database *database, const char *path, struct error *err)
{
    if (unlink(path) < 0 && errno != ENOENT) // left by one that was killed
        return error_errno(err, ERR_IO, "remove %s", path);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, ERR_IO, "create %s", path);
    return copy_all(database, path, err);
}

static bool rehearse(struct database *database, const char *path, const struct schema *schema,
                     struct error *err)
{
    struct database copy;
    if (!make_copy(database, path, err) || !copy_open(&copy, path, err))
        return false;
    bool ok = take_steps(&copy, schema, err) && look_at_result(&copy, err);
    database_close(&copy);
    return ok;
}

bool migration_rehearse(struct database *database, const char *dir, const struct schema *schema,
                        struct error *err)
{
    enum schema_age age = SCHEMA_EMPTY;
    if (!schema_age(database, schema, &age, err))
        return false;
    if (age != SCHEMA_OLDER)
        return true;
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/" REHEARSAL_FILE, dir) < 0)
        abort();
    if (!look_for_room(database, dir, err))
        return false;
    bool ok = rehearse(database, path, schema, err) ||
              error_prefix(err,
                           "%s cannot be brought up to date, as a copy of it shows, and was "
                           "left untouched",
                           database->path);
    unlink(path); // one that stays is in nobody's way but for its size, and goes the next time
    return ok;
}
