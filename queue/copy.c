#include "queue/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_AT_ONCE = 1024 };

struct copy {
    struct database file;
    sqlite3_backup *backup;
};

// Nobody reads the copy before it is whole, and it is thrown away where that does not come to be:
// so it is written without a journal, and synced by whoever keeps it.
static const char SETTINGS[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = OFF;"
                               "PRAGMA synchronous = OFF;"
                               "PRAGMA cache_size = -1024;"
                               "PRAGMA temp_store = MEMORY;";

static bool open_file(struct database *file, const char *path, struct error *err)
{
    *file = (struct database){.path = strdup(path)};
    if (!file->path)
        abort();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    errno = 0;
    int rc = sqlite3_open_v2(path, &file->handle, flags, NULL);
    file->failed_errno = errno;
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(file->handle, 1);
    if (rc == SQLITE_OK)
        rc = database_execute(file, SETTINGS);
    if (rc == SQLITE_OK)
        return true;
    database_error(file, rc, "open", err);
    database_close(file);
    return false;
}

struct copy *copy_begin(struct database *from, const char *path, struct error *err)
{
    struct copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        abort();
    if (open_file(&copy->file, path, err)) {
        copy->backup = sqlite3_backup_init(copy->file.handle, "main", from->handle, "main");
        if (copy->backup)
            return copy;
        database_error(&copy->file, sqlite3_errcode(copy->file.handle), "write", err);
    }
    copy_end(copy);
    return NULL;
}

bool copy_step(struct copy *copy, int pages, bool *ret_done, struct error *err)
{
    errno = 0;
    int rc = sqlite3_backup_step(copy->backup, pages);
    *ret_done = rc == SQLITE_DONE;
    // Somebody else writes, with sqlite3 in his hand: it will be over.
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return true;
    copy->file.failed_errno = errno;
    return database_error(&copy->file, rc, "copy the queue to", err);
}

void copy_end(struct copy *copy)
{
    if (!copy)
        return;
    sqlite3_backup_finish(copy->backup); // NULL is a no-op
    database_close(&copy->file);
    free(copy);
}

bool copy_all(struct database *from, const char *path, struct error *err)
{
    struct copy *copy = copy_begin(from, path, err);
    bool done = false, ok = copy != NULL;
    while (ok && !done)
        ok = copy_step(copy, PAGES_AT_ONCE, &done, err);
    copy_end(copy);
    return ok;
}

bool copy_open(struct database *copy, const char *path, struct error *err)
{
    if (!open_file(copy, path, err))
        return false;
    // In memory: a journal in a file would stay behind a process that is killed, and be played into
    // the next copy.
    int rc = database_execute(copy, "PRAGMA journal_mode = MEMORY");
    if (rc == SQLITE_OK)
        return true;
    database_error(copy, rc, "open", err);
    database_close(copy);
    return false;
}
