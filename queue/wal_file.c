// wal_file.c - stands between SQLite and its methods for the log's file.
//
// SQLite syncs the log at the end of each commit, and nobody else reads frames before that. So
// frames are gathered, and written when SQLite syncs, or does anything else with the file.
#include "queue/wal_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
    GATHERED_BYTES = 120 * 1024, // SQLite itself would split what is longer than 128 kB
    AHEAD_BYTES = 1024 * 1024,
    // Where less is free the log has what it needs and no more: what to do on a full disk is
    // others' to decide, with every block counted.
    ROOM_BYTES = 64 * 1024 * 1024,
};

struct wal_file {
    sqlite3_io_methods methods; // first: what SQLite calls
    const sqlite3_io_methods *real;
    const char *path;     // of the database, beside which the log is
    sqlite3_int64 length; // of the file, as far as we know: others may have changed it
    sqlite3_int64 offset; // of what is gathered
    int size;
    char gathered[GATHERED_BYTES];
};

static struct wal_file *of(sqlite3_file *file)
{
    // Allocated by us, and only lent to SQLite as const.
    return (struct wal_file *)(uintptr_t)file->pMethods;
}

static bool has_room(const struct wal_file *wal_file)
{
    struct statvfs status;
    return statvfs(wal_file->path, &status) == 0 &&
           (uint64_t)status.f_bavail * status.f_frsize >= ROOM_BYTES;
}

// Zeros, since blocks that were never written have to be noted as such by the file system, and
// again when they are. What stands behind the last frame means nothing to SQLite. So a failure
// means nothing either, and the file just grows as SQLite has it.
static void write_ahead(struct wal_file *wal_file, sqlite3_file *file)
{
    sqlite3_int64 from = wal_file->length;
    char *zeros = has_room(wal_file) ? calloc(1, GATHERED_BYTES) : NULL;
    for (int left = AHEAD_BYTES; zeros && left > 0;) {
        int size = left < GATHERED_BYTES ? left : GATHERED_BYTES;
        if (wal_file->real->xWrite(file, zeros, size, from) != SQLITE_OK)
            break;
        from += size;
        left -= size;
        wal_file->length = from;
    }
    free(zeros);
}

static int write_through(struct wal_file *wal_file, sqlite3_file *file, const void *data, int size,
                         sqlite3_int64 offset)
{
    int rc = wal_file->real->xWrite(file, data, size, offset);
    if (rc == SQLITE_OK && offset + size > wal_file->length) {
        wal_file->length = offset + size;
        write_ahead(wal_file, file);
    }
    return rc;
}

static int write_gathered(struct wal_file *wal_file, sqlite3_file *file)
{
    int size = wal_file->size;
    wal_file->size = 0; // of what cannot be written nothing is tried again
    if (size == 0)
        return SQLITE_OK;
    return write_through(wal_file, file, wal_file->gathered, size, wal_file->offset);
}

static int gather(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct wal_file *wal_file = of(file);
    if (wal_file->size > GATHERED_BYTES - size || offset != wal_file->offset + wal_file->size) {
        int rc = write_gathered(wal_file, file);
        if (rc != SQLITE_OK)
            return rc;
        if (size > GATHERED_BYTES)
            return write_through(wal_file, file, data, size, offset);
        wal_file->offset = offset;
    }
    memcpy(wal_file->gathered + wal_file->size, data, (size_t)size);
    wal_file->size += size;
    return SQLITE_OK;
}

static int read_file(sqlite3_file *file, void *ret_data, int size, sqlite3_int64 offset)
{
    int rc = write_gathered(of(file), file);
    return rc == SQLITE_OK ? of(file)->real->xRead(file, ret_data, size, offset) : rc;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 length)
{
    int rc = write_gathered(of(file), file);
    if (rc == SQLITE_OK)
        rc = of(file)->real->xTruncate(file, length);
    if (rc == SQLITE_OK)
        of(file)->length = length;
    return rc;
}

static int sync_file(sqlite3_file *file, int flags)
{
    int rc = write_gathered(of(file), file);
    return rc == SQLITE_OK ? of(file)->real->xSync(file, flags) : rc;
}

static int file_length(sqlite3_file *file, sqlite3_int64 *ret_length)
{
    int rc = write_gathered(of(file), file);
    return rc == SQLITE_OK ? of(file)->real->xFileSize(file, ret_length) : rc;
}

// What is gathered belongs to a commit that has failed.
static int close_file(sqlite3_file *file)
{
    struct wal_file *wal_file = of(file);
    const sqlite3_io_methods *real = wal_file->real;
    free(wal_file);
    file->pMethods = real;
    return real->xClose(file);
}

void wal_file_improve(const struct database *database)
{
    sqlite3_file *file = NULL;
    struct wal_file *wal_file = calloc(1, sizeof(*wal_file));
    if (!wal_file)
        abort();
    if (sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
            SQLITE_OK ||
        !file || !file->pMethods ||
        file->pMethods->xFileSize(file, &wal_file->length) != SQLITE_OK) {
        free(wal_file); // it does without
        return;
    }
    wal_file->real = file->pMethods;
    wal_file->path = database->path;
    wal_file->methods = *file->pMethods;
    wal_file->methods.xClose = close_file;
    wal_file->methods.xRead = read_file;
    wal_file->methods.xWrite = gather;
    wal_file->methods.xTruncate = truncate_file;
    wal_file->methods.xSync = sync_file;
    wal_file->methods.xFileSize = file_length;
    file->pMethods = &wal_file->methods;
}
