#include "queue/database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/base/cleanup.h"

// The cache is small, since the kernel's holds the same pages: 2 MB for the writer's indexes. Of 27
// reads a message, with 100,000 rows, 4 MB would spare two. The write-ahead log's file keeps the 64
// MB that it has under load, since to grow costs more than to be written over (wal_file.h); one
// that is longer than 72 MB is cut when it begins anew.
static const char SETTINGS[] = "PRAGMA cache_size = -2048;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA journal_size_limit = 75497472;"
                               "PRAGMA wal_autocheckpoint = 0;";

// sqlite3_system_errno() of 3.40 says nothing about a failed COMMIT, so errno itself is kept.
// Both are about a call of SQLite that errno = 0 stood in front of.
static int keep_errno(struct database *database, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        database->failed_errno = errno;
    return rc;
}

// True: the file has no write-ahead log of its own, and one with something in it lies beside it.
// The header of a queue in use says that it has one before there is any; that of a copy says that
// it has none (copy_open()). SQLite would play the foreign one into it. Read through SQLite's own
// descriptor, since to close another one would release all locks of this process on the file, and
// behind the look at the log, since a relay may just be starting.
static bool has_foreign_log(struct database *database, const char *log_path)
{
    enum { HEADER_SIZE = 20, READ_VERSION_AT = 19, READ_VERSION_NO_WAL = 1 };
    char header[HEADER_SIZE];
    sqlite3_file *file = NULL;
    struct stat log;
    return stat(log_path, &log) == 0 && log.st_size > 0 &&
           sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) ==
               SQLITE_OK &&
           file->pMethods && file->pMethods->xRead(file, header, HEADER_SIZE, 0) == SQLITE_OK &&
           strncmp(header, "SQLite format 3", READ_VERSION_AT) == 0 &&
           header[READ_VERSION_AT] == READ_VERSION_NO_WAL;
}

static bool look_for_foreign_log(struct database *database, struct error *err)
{
    AUTO_FREE char *log_path = NULL;
    if (asprintf(&log_path, "%s-wal", database->path) < 0)
        abort();
    if (!has_foreign_log(database, log_path))
        return true;
    return error_set(
        err, ERR_INPUT,
        "%s is a restored backup, and %s is left from the queue that was there before: "
        "with no relay running, remove %s and %s-shm",
        database->path, log_path, log_path, database->path);
}

bool database_open(struct database *database, const char *dir, bool read_only, struct error *err)
{
    *database = (struct database){0};
    if (asprintf(&database->path, "%s/%s", dir, DATABASE_FILE) < 0)
        abort();
    struct stat status;
    if (stat(database->path, &status) < 0) {
        error_errno(err, errno == ENOENT ? ERR_INPUT : ERR_IO, "open %s", database->path);
        database_close(database);
        return false;
    }
    int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    errno = 0;
    int rc = keep_errno(database, sqlite3_open_v2(database->path, &database->handle, flags, NULL));
    if (rc == SQLITE_OK && !look_for_foreign_log(database, err)) {
        database_close(database);
        return false;
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(database->handle, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(database->handle, DATABASE_PATIENCE_MS);
    // A reader that is the last to leave would checkpoint, beside a writer that just starts.
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = database_execute(database, SETTINGS);
    if (rc != SQLITE_OK) {
        database_error(database, rc, "open", err);
        database_close(database);
        return false;
    }
    return true;
}

void database_close(struct database *database)
{
    for (size_t i = 0; i < database->statement_count; i++)
        sqlite3_finalize(database->statements[i].statement);
    sqlite3_close(database->handle);
    free(database->path);
    *database = (struct database){0};
}

int database_execute(struct database *database, const char *sql)
{
    errno = 0;
    return keep_errno(database, sqlite3_exec(database->handle, sql, NULL, NULL, NULL));
}

int database_run(struct database *database, const char *sql)
{
    AUTO_QUERY struct query query = query_start(database, sql);
    return query_run(&query);
}

void database_limit(struct database *database, size_t size_bytes)
{
    enum { PAGE_BYTES = 4096 };
    const size_t most = UINT32_MAX - 1;                                   // SQLite's own limit
    size_t pages = size_bytes < PAGE_BYTES ? 1 : size_bytes / PAGE_BYTES; // 0 would change nothing
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %zu", pages < most ? pages : most);
    (void)database_execute(database, sql); // without memory for it, the limit stays as it was
}

size_t database_size_bytes(const struct database *database)
{
    struct stat status;
    return stat(database->path, &status) == 0 ? (size_t)status.st_size : 0;
}

int database_checkpoint(struct database *database, int mode, int *ret_wal_pages,
                        int *ret_done_pages)
{
    errno = 0;
    return keep_errno(database, sqlite3_wal_checkpoint_v2(database->handle, NULL, mode,
                                                          ret_wal_pages, ret_done_pages));
}

void database_delay_stops(sigset_t *ret_before)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stops, ret_before);
}

void database_set_patience(struct database *database, int patience_ms)
{
    sqlite3_busy_timeout(database->handle, patience_ms); // never fails on an open connection
}

bool database_error(const struct database *database, int rc, const char *what, struct error *err)
{
    enum error_code code = ERR_IO;
    enum database_fault fault = database_fault(database, rc);
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        code = ERR_CORRUPT;
    else if (fault != DATABASE_BROKEN)
        code = fault == DATABASE_FULL ? ERR_FULL : ERR_TEMPORARY;
    // Of a want of space that it has met as an I/O error, SQLite's text does not say so.
    const char *text = sqlite3_errstr(fault == DATABASE_FULL ? SQLITE_FULL : rc);
    if ((rc & 0xff) != SQLITE_IOERR || database->failed_errno == 0)
        return error_set(err, code, "%s %s: %s (SQLite %d)", what, database->path, text, rc);
    errno = database->failed_errno;
    return error_errno(err, code, "%s %s: %s (SQLite %d)", what, database->path, text, rc);
}

// An I/O error for want of space or permission happened before anything was relied upon, so
// it may be tried again. One of a sync never is: the kernel has dropped the dirty pages, and
// the next sync would say that all is well.
static enum database_fault io_fault(const struct database *database, int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return DATABASE_BLOCKED;
    if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
        return DATABASE_BROKEN;
    switch (database->failed_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: // a limit on the size of files
        return DATABASE_FULL;
    case EROFS:
        return DATABASE_READ_ONLY;
    default:
        return DATABASE_BROKEN;
    }
}

enum database_fault database_fault(const struct database *database, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return DATABASE_FINE;
    case SQLITE_FULL:
        return DATABASE_FULL;
    case SQLITE_READONLY:
        return DATABASE_READ_ONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
        return DATABASE_BLOCKED;
    case SQLITE_IOERR:
        return io_fault(database, rc);
    default:
        return DATABASE_BROKEN;
    }
}

struct query query_start(struct database *database, const char *sql)
{
    struct query query = {.database = database, .delays_stops = database->delays_stops};
    if (query.delays_stops)
        database_delay_stops(&query.signals_before);
    for (size_t i = 0; i < database->statement_count; i++) {
        if (database->statements[i].sql == sql) {
            query.statement = database->statements[i].statement;
            return query;
        }
    }
    if (database->statement_count == DATABASE_STATEMENTS_MAX)
        abort(); // our bug: the array is too small for our own statements
    errno = 0;
    query.rc =
        keep_errno(database, sqlite3_prepare_v3(database->handle, sql, -1,
                                                SQLITE_PREPARE_PERSISTENT, &query.statement, NULL));
    if (query.rc == SQLITE_OK) {
        database->statements[database->statement_count].sql = sql;
        database->statements[database->statement_count++].statement = query.statement;
    }
    return query;
}

// Unbinding as well lets no statement keep an address that its owner has freed.
static void reset(struct query *query)
{
    sqlite3_reset(query->statement);
    sqlite3_clear_bindings(query->statement);
    query->bound = 0;
}

void query_finish(struct query *query)
{
    if (query->statement)
        reset(query);
    query->statement = NULL;
    if (query->delays_stops)
        pthread_sigmask(SIG_SETMASK, &query->signals_before, NULL);
    query->delays_stops = false;
}

static void note(struct query *query, int rc)
{
    if (query->rc == SQLITE_OK)
        query->rc = rc;
}

void query_text(struct query *query, const char *text)
{
    if (query->rc == SQLITE_OK)
        note(query, sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_STATIC));
}

void query_text_or_null(struct query *query, const char *text)
{
    query_text(query, text && *text ? text : NULL);
}

void query_blob(struct query *query, const void *data, size_t size)
{
    if (query->rc == SQLITE_OK)
        note(query,
             sqlite3_bind_blob64(query->statement, ++query->bound, data, size, SQLITE_STATIC));
}

void query_int(struct query *query, int64_t value)
{
    if (query->rc == SQLITE_OK)
        note(query, sqlite3_bind_int64(query->statement, ++query->bound, value));
}

void query_null(struct query *query)
{
    if (query->rc == SQLITE_OK)
        note(query, sqlite3_bind_null(query->statement, ++query->bound));
}

void query_int_or_null(struct query *query, int64_t value)
{
    if (value == 0)
        query_null(query);
    else
        query_int(query, value);
}

bool query_step(struct query *query)
{
    if (query->rc != SQLITE_OK)
        return false;
    query->column = 0;
    errno = 0;
    int rc = keep_errno(query->database, sqlite3_step(query->statement));
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        query->rc = rc;
    return rc == SQLITE_ROW;
}

int query_run(struct query *query)
{
    while (query_step(query))
        continue;
    if (query->statement)
        reset(query);
    return query->rc;
}

int64_t database_changes(const struct database *database)
{
    return sqlite3_changes64(database->handle);
}

int64_t query_get_int(struct query *query)
{
    return sqlite3_column_int64(query->statement, query->column++);
}

const char *query_get_text(struct query *query)
{
    const char *text = (const char *)sqlite3_column_text(query->statement, query->column++);
    return text ? text : "";
}

void query_copy_text(struct query *query, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%s", query_get_text(query));
}

const void *query_get_blob(struct query *query, size_t *ret_size)
{
    int column = query->column++;
    const void *data = sqlite3_column_blob(query->statement, column);
    *ret_size = (size_t)sqlite3_column_bytes(query->statement, column);
    return data;
}

bool query_next_is_null(const struct query *query)
{
    return sqlite3_column_type(query->statement, query->column) == SQLITE_NULL;
}
