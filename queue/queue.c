// queue.c - opening and closing the folder; ids, digests and times.
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/folder_lock.h"
#include "queue/key_file.h"
#include "queue/migration.h"
#include "queue/queue_private.h"
#include "queue/schema.h"
#include "relay/base/cleanup.h"

#define INDEX_BYTES (256 * 1024)

static bool sync_dir(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_errno(err, ERR_IO, "sync %s", path);
    return true;
}

static bool make_dir(const char *dir, struct error *err)
{
    if (mkdir(dir, 0700) == 0) {
        AUTO_FREE char *copy = strdup(dir);
        return sync_dir(copy ? dirname(copy) : dir, err);
    }
    if (errno != EEXIST)
        return error_errno(err, ERR_IO, "make the folder %s", dir);
    struct stat status;
    if (stat(dir, &status) < 0)
        return error_errno(err, ERR_IO, "open %s", dir);
    if (!S_ISDIR(status.st_mode))
        return error_set(err, ERR_INPUT, "%s is not a folder", dir);
    if ((status.st_mode & 077) == 0)
        return true;
    // No advice to change the mode: a folder of that name may be somebody else's, like /var.
    AUTO_FREE char *full = realpath(dir, NULL);
    return error_set(err, ERR_INPUT,
                     "the queue's folder %s has mode %04o and must have 0700; RELAY_QUEUE_DIR (or "
                     "$STATE_DIRECTORY, by systemd with StateDirectoryMode=0700) names another",
                     full ? full : dir, (unsigned)(status.st_mode & 07777));
}

// Made here and not by SQLite, which would ask the umask.
static bool make_file(const struct queue *queue, struct error *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", queue->dir, DATABASE_FILE) < 0)
        abort();
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool may_work_later = errno == EROFS || errno == ENOSPC || errno == EDQUOT;
    return fd >= 0 || error_errno(err, may_work_later ? ERR_TEMPORARY : ERR_IO, "open %s", path);
}

bool queue_exists(const char *dir, struct error *err)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, DATABASE_FILE) < 0)
        abort();
    struct stat status;
    if (stat(path, &status) < 0)
        return error_errno(err, ERR_TEMPORARY, "find %s", path);
    return status.st_size > 0 || error_set(err, ERR_TEMPORARY, "%s is empty", path);
}

static bool has_file(const struct queue *queue, const char *name)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", queue->dir, name) < 0)
        abort();
    return access(path, F_OK) == 0;
}

static bool use_wal(struct database *database, struct error *err)
{
    AUTO_QUERY struct query query = query_start(database, "PRAGMA journal_mode = WAL");
    bool is_wal = query_step(&query) && strcmp(query_get_text(&query), "wal") == 0;
    if (query.rc != SQLITE_OK)
        return database_error(database, query.rc, "open", err);
    return is_wal || error_set(err, ERR_IO, "%s cannot have a write-ahead log", database->path);
}

// What an earlier run left in the WAL goes into the database, and the WAL begins anew: a hole
// that a failed write may have left must never be appended to. Readers of ours are waited for; who
// stays longer (sqlite3 in a transaction) has to leave first.
static bool empty_wal(struct database *database, struct error *err)
{
    int rc = database_checkpoint(database, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if ((rc & 0xff) == SQLITE_BUSY)
        return error_set(err, ERR_TEMPORARY,
                         "%s is held by another process that reads it: its write-ahead log cannot "
                         "be begun anew",
                         database->path);
    return rc == SQLITE_OK || database_error(database, rc, "checkpoint", err);
}

// The index of the WAL is a mapped file, and a mapped page that has no block behind it ends in
// SIGBUS on a full disk: the blocks for a WAL of 128 MB are taken here. SQLite writes a byte in
// each page for that, which is too little where blocks are smaller than pages, and too late on a
// full disk. The descriptor must stay open until the database is closed: closing one releases every
// lock that the process has on that file. What cannot be had now is left to SQLite.
static void allocate_index(struct queue *queue)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s-shm", queue->dir, DATABASE_FILE) < 0)
        abort();
    queue->index_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (queue->index_fd >= 0)
        (void)!fallocate(queue->index_fd, 0, 0, INDEX_BYTES);
}

static bool read_last_seq(struct queue *queue, struct database *database, struct error *err)
{
    AUTO_QUERY struct query query =
        query_start(database, "SELECT coalesce(max(seq), 0) FROM message");
    if (query_step(&query))
        queue->last_seq_found = query_get_int(&query);
    uuid_source_skip(&queue->uuids, queue->last_seq_found); // they ascend across runs, too
    return query.rc == SQLITE_OK || database_error(database, query.rc, "read", err);
}

static bool set_up(struct queue *queue, const struct clock_source *source,
                   struct database *database, struct error *err)
{
    if (!schema_upgrade(database, queue->schema, &queue->made, err) ||
        !keys_load_digest(queue->keys, database, &queue->keys_lost, err) ||
        !queue_clock_start(&queue->clock, source, database, err) ||
        !read_last_seq(queue, database, err))
        return false;
    int rc = queue_clock_record(&queue->clock, database);
    if (rc == SQLITE_OK && queue->made)
        rc = queue_clock_record_recovery(&queue->clock, database);
    return rc == SQLITE_OK || database_error(database, rc, "write", err);
}

static bool open_database(struct queue *queue, const struct clock_source *source,
                          struct database *database, struct error *err)
{
    // Before anything is written: the file may be a newer program's.
    enum schema_age age;
    if (!schema_age(database, queue->schema, &age, err) || !use_wal(database, err) ||
        !empty_wal(database, err) || !migration_rehearse(database, queue->dir, queue->schema, err))
        return false;
    int rc = database_execute(database, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return database_error(database, rc, "write", err);
    if (!set_up(queue, source, database, err))
        return false; // closing rolls back
    rc = database_execute(database, "COMMIT");
    return rc == SQLITE_OK || database_error(database, rc, "write", err);
}

// On a full disk the opening itself may need what the reserve holds.
static bool open_database_somehow(struct queue *queue, const struct clock_source *source,
                                  struct database *database, struct reserve *reserve,
                                  struct error *err)
{
    bool again;
    do {
        again = false;
        if (database_open(database, queue->dir, false, err)) {
            if (open_database(queue, source, database, err))
                return true;
            database_close(database);
        }
        if (err->code == ERR_FULL || err->code == ERR_TEMPORARY)
            again = reserve_give_up(reserve);
    } while (again);
    return false;
}

static bool open_all(struct queue *queue, const struct queue_options *options,
                     const struct clock_source *source, struct error *err)
{
    if (!(options->must_exist ? queue_exists(queue->dir, err) : make_dir(queue->dir, err)) ||
        (queue->lock_fd = folder_lock(queue->dir, err)) < 0 || !make_file(queue, err))
        return false;
    bool has_key = has_file(queue, KEY_FILE);
    queue->keys = keys_create(queue->dir, options->key_hex, err);
    struct database database = {0};
    struct reserve reserve = {.fd = -1};
    if (!queue->keys || !reserve_open(&reserve, queue->dir, err) ||
        !open_database_somehow(queue, source, &database, &reserve, err) ||
        !sync_dir(queue->dir, err)) {
        database_close(&database);
        reserve_close(&reserve);
        return false;
    }
    queue->made_beside_key = queue->made && has_key;
    queue->clock.rebooted |= options->marks_lost;
    allocate_index(queue);
    reserve_fill(&reserve); // what the WAL gave back may be enough
    queue->writer = writer_start(&database, &reserve, &queue->clock, options, err);
    if (!queue->writer)
        return false;
    queue->backup = backup_create(queue->dir, queue->writer);
    queue->rekey = rekey_start(queue->keys, queue->writer, options, err);
    return queue->rekey != NULL;
}

struct queue *queue_open_at(const struct queue_options *options, const struct clock_source *source,
                            const struct schema *schema, struct error *err)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    if (!queue || !(queue->dir = strdup(options->dir)))
        abort();
    queue->lock_fd = queue->index_fd = -1;
    queue->schema = schema;
    uuid_source_init(&queue->uuids);
    if (!open_all(queue, options, source, err)) {
        queue_close(queue);
        return NULL;
    }
    return queue;
}

struct queue *queue_open(const struct queue_options *options, struct error *err)
{
    return queue_open_at(options, &CLOCK_SOURCE_MACHINE, &SCHEMA, err);
}

void queue_stop(struct queue *queue)
{
    if (queue->backup)
        backup_stop(queue->backup); // the writer's connection stays open for it
    if (queue->writer)
        writer_stop(queue->writer);
    rekey_stop(queue->rekey); // behind it, since it may wait for a commit
    queue->rekey = NULL;
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    queue_stop(queue);
    backup_destroy(queue->backup);
    writer_destroy(queue->writer);
    keys_destroy(queue->keys);
    uuid_source_finish(&queue->uuids);
    if (queue->index_fd >= 0)
        close(queue->index_fd);
    if (queue->lock_fd >= 0)
        close(queue->lock_fd);
    free(queue->dir);
    free(queue);
}

bool queue_was_made(const struct queue *queue, bool *ret_beside_key)
{
    *ret_beside_key = queue->made_beside_key;
    return queue->made;
}

bool queue_rebooted(const struct queue *queue)
{
    return queue->clock.rebooted;
}

int64_t queue_away_ms(const struct queue *queue)
{
    return queue->clock.away_ms;
}

int64_t queue_now_ms(const struct queue *queue)
{
    return queue_clock_now(&queue->clock);
}

int64_t queue_wall_ms(const struct queue *queue, int64_t t_ms)
{
    return queue_clock_wall(&queue->clock, t_ms);
}

int64_t queue_boot_ms(const struct queue *queue, int64_t t_ms)
{
    return queue_clock_boot(&queue->clock, t_ms);
}

bool queue_writable(const struct queue *queue)
{
    return writer_writable(queue->writer);
}

bool queue_can_settle(const struct queue *queue)
{
    return writer_can_settle(queue->writer);
}

void queue_new_id(struct queue *queue, char ret_id[QUEUE_ID_SIZE])
{
    uuid_next(&queue->uuids, queue_now_ms(queue), ret_id);
}

void queue_digest(const struct queue *queue, const char *purpose, const void *data, size_t size,
                  uint8_t ret_digest[QUEUE_DIGEST_SIZE])
{
    keys_digest(queue->keys, purpose, NULL, data, size, ret_digest);
}

// ---- keys -------------------------------------------------------------------------------------

bool queue_keys_lost(const struct queue *queue)
{
    return queue->keys_lost;
}

bool queue_rekey(struct queue *queue, bool *ret_made, char ret_key_id[QUEUE_KEY_ID_SIZE],
                 struct error *err)
{
    return rekey_begin(queue->rekey, ret_made, ret_key_id, err);
}

// ---- backup -----------------------------------------------------------------------------------

bool queue_backup(struct queue *queue, const char *path, queue_backup_done_fn *done, void *context,
                  struct error *err)
{
    return backup_start(queue->backup, path, done, context, err);
}

void queue_backup_stop(struct queue *queue)
{
    backup_stop(queue->backup);
}

// ---- flush ------------------------------------------------------------------------------------

bool queue_flush(struct queue *queue, struct error *err)
{
    struct change change = {.type = &CHANGE_NOTHING};
    enum queue_result result = writer_submit_and_wait(queue->writer, &change);
    uint64_t refused = writer_refused_count(queue->writer);
    if (atomic_exchange(&queue->flushed_refusals, refused) == refused && result == QUEUE_DONE)
        return true;
    return error_set(err, ERR_TEMPORARY, "the queue in %s has refused writes", queue->dir);
}
