#include "queue/wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "queue/wal_file.h"

enum {
    IDLE_MS = 50,              // no commit for so long
    IDLE_PAGES = 1000,         // ... and so much that is not in the database yet
    ASK_PAGES = 256,           // 1 MB: the disk is looked at that often
    PAGE_BYTES = 4096,         // SQLite's standard, which our schema has
    LONG_PAGES = 16384,        // 64 MB: also under load
    LONG_PAGES_TIGHT = 512,    // 2 MB of the 8 that the reserve has
    VERY_LONG_PAGES = 65536,   // 256 MB: readers have been in the way again and again
    WAIT_MS = 20,              // for readers; nothing is committed meanwhile
    WAIT_VERY_LONG_MS = 1100,  // longer than any reader of ours stays
    WAIT_GIVE_BACK_MS = 100,   // on a full disk nothing is accepted meanwhile
    AGAIN_MS = 1000,           // after a reader was in the way
    AGAIN_VERY_LONG_MS = 10000 // that one is foreign, and may stay for hours
};

static int note_commit(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle, (void)name;
    struct wal *wal = context;
    if (pages < wal->checkpointed_pages)
        wal->checkpointed_pages = 0; // it has begun anew
    wal->pages = pages;
    wal->grew = true;
    return SQLITE_OK;
}

void wal_init(struct wal *wal, struct database *database)
{
    *wal = (struct wal){.database = database};
    sqlite3_wal_hook(database->handle, note_commit, wal);
    wal_file_improve(database);
}

static int fresh_pages(const struct wal *wal)
{
    return wal->pages - wal->checkpointed_pages;
}

int64_t wal_idle_moment(const struct wal *wal)
{
    if (fresh_pages(wal) < IDLE_PAGES)
        return INT64_MAX;
    int64_t idle_ms = wal->committed_at_ms + IDLE_MS;
    return idle_ms > wal->from_ms ? idle_ms : wal->from_ms;
}

bool wal_is_long(const struct wal *wal, int64_t now_ms, bool is_tight)
{
    return wal->pages >= (is_tight ? LONG_PAGES_TIGHT : LONG_PAGES) && now_ms >= wal->from_ms;
}

bool wal_asks_for_room(struct wal *wal)
{
    if (wal->pages < wal->asked_at_pages)
        wal->asked_at_pages = 0; // it has begun anew
    if (wal->pages < wal->asked_at_pages + ASK_PAGES)
        return false;
    wal->asked_at_pages = wal->pages;
    return true;
}

size_t wal_fresh_bytes(const struct wal *wal)
{
    return (size_t)fresh_pages(wal) * PAGE_BYTES;
}

static int checkpoint(struct wal *wal, int mode, int64_t again_at_ms)
{
    int pages = 0, done_pages = 0;
    int rc = database_checkpoint(wal->database, mode, &pages, &done_pages);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY) {
        if (pages >= 0) { // else somebody else was at it
            wal->pages = pages;
            wal->checkpointed_pages = done_pages;
        }
        if (rc != SQLITE_OK || done_pages < pages)
            wal->from_ms = again_at_ms;
        return SQLITE_OK;
    }
    wal->from_ms = again_at_ms; // a full disk stops no checkpoint for good
    return rc;
}

int wal_checkpoint(struct wal *wal, int64_t now_ms)
{
    if (fresh_pages(wal) == 0)
        return SQLITE_OK;
    return checkpoint(wal, SQLITE_CHECKPOINT_PASSIVE, now_ms + AGAIN_MS);
}

int wal_checkpoint_long(struct wal *wal, int64_t now_ms)
{
    bool is_very_long = wal->pages >= VERY_LONG_PAGES;
    database_set_patience(wal->database, is_very_long ? WAIT_VERY_LONG_MS : WAIT_MS);
    int rc = checkpoint(wal, SQLITE_CHECKPOINT_RESTART,
                        now_ms + (is_very_long ? AGAIN_VERY_LONG_MS : AGAIN_MS));
    database_set_patience(wal->database, DATABASE_PATIENCE_MS);
    if (rc == SQLITE_OK && wal->from_ms <= now_ms)
        wal->pages = wal->checkpointed_pages = 0; // as the next commit finds it
    return rc;
}

int wal_give_back(struct wal *wal, int64_t now_ms)
{
    database_set_patience(wal->database, WAIT_GIVE_BACK_MS);
    int rc = checkpoint(wal, SQLITE_CHECKPOINT_TRUNCATE, now_ms + AGAIN_MS);
    database_set_patience(wal->database, DATABASE_PATIENCE_MS);
    return rc;
}

int64_t wal_size_bytes(const struct wal *wal)
{
    char *path = NULL;
    struct stat status;
    if (asprintf(&path, "%s-wal", wal->database->path) < 0)
        abort();
    int64_t size = stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
    free(path);
    return size;
}
