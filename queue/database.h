// database.h - a connection to queue.db, and statements on it. SQLite's own calls end here.
//
// A connection belongs to one thread. A failure sticks to its query: bind and step on without
// asking, look at `rc` (SQLite's extended result code) once at the end.
#ifndef QUEUE_DATABASE_H
#define QUEUE_DATABASE_H

#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/error.h"

#define DATABASE_FILE "queue.db"
#define DATABASE_STATEMENTS_MAX 64
// How long to wait for a foreign process in the way (an operator with sqlite3), and for readers
// at a checkpoint: ours never stay so long.
#define DATABASE_PATIENCE_MS 1000

struct database {
    sqlite3 *handle;
    char *path;
    // Prepared statements, kept for the connection's life; found by their text's address.
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } statements[DATABASE_STATEMENTS_MAX];
    size_t statement_count;
    int failed_errno;  // of the last call that failed; 0 where no system call did
    bool delays_stops; // false unless set: see database_delay_stops()
};

// Opens dir/queue.db. ERR_INPUT: no such file (it is never made here), or a restored copy beside
// the write-ahead log of another; ERR_CORRUPT: no database. Closing never checkpoints: whoever may
// do that does it itself.
bool database_open(struct database *database, const char *dir, bool read_only, struct error *err);
void database_close(struct database *database); // good for one that was never opened, too

// Has a stop from the terminal (Ctrl-Z) wait until pthread_sigmask() sets *ret_before again. With
// delays_stops each query has it wait until it is finished: a process that is stopped with a query
// open would keep the daemon's log from being begun anew, for hours.
void database_delay_stops(sigset_t *ret_before);

// Runs one or more statements without parameters. SQLite's result code.
int database_execute(struct database *database, const char *sql);
// The same of one without a result, prepared once as query_start() does.
int database_run(struct database *database, const char *sql);
// From now on what would make the file longer than that finds the disk full; as long as it is
// it may stay. SIZE_MAX: no limit.
void database_limit(struct database *database, size_t size_bytes);
size_t database_size_bytes(const struct database *database); // of its file
// sqlite3_wal_checkpoint_v2() of everything; the counts may be NULL.
int database_checkpoint(struct database *database, int mode, int *ret_wal_pages,
                        int *ret_done_pages);

// Another patience than DATABASE_PATIENCE_MS, until set again.
void database_set_patience(struct database *database, int patience_ms);

// Fills *err after rc; returns false. The message names the file and what SQLite says, never
// what was bound.
bool database_error(const struct database *database, int rc, const char *what, struct error *err);

enum database_fault {
    DATABASE_FINE,
    // The same may work later: there is no space (or quota), the file system is read-only, or
    // somebody is in the way, or there is no memory.
    DATABASE_FULL,
    DATABASE_READ_ONLY,
    DATABASE_BLOCKED,
    DATABASE_BROKEN, // a sync failed, an I/O error, damage: nothing may be tried again
};
// Which one rc, the last that failed on this connection, is.
enum database_fault database_fault(const struct database *database, int rc);

struct query {
    struct database *database;
    sqlite3_stmt *statement;
    int bound;  // parameters so far
    int column; // columns read of this row
    int rc;     // SQLITE_OK while nothing has failed
    bool delays_stops;
    sigset_t signals_before; // where it does
};

// sql must be a string constant: its address is the statement's key.
struct query query_start(struct database *database, const char *sql);
void query_finish(struct query *query); // resets the statement
#define AUTO_QUERY __attribute__((cleanup(query_finish)))

// Bind the next parameter. Memory is borrowed until query_finish(). NULL binds null.
void query_text(struct query *query, const char *text);
void query_blob(struct query *query, const void *data, size_t size);
void query_int(struct query *query, int64_t value);
void query_null(struct query *query);
void query_int_or_null(struct query *query, int64_t value);     // 0 is null
void query_text_or_null(struct query *query, const char *text); // "" is null

// True: there is a row, whose columns are read in their order. False: the end, or rc.
bool query_step(struct query *query);
// Steps to the end and resets, so that the same query can be bound anew. Returns rc.
int query_run(struct query *query);
// Rows that the last query_run() has changed.
int64_t database_changes(const struct database *database);

// Read the next column. Texts and blobs are good until the next step; null is "", 0 or NULL.
int64_t query_get_int(struct query *query);
const char *query_get_text(struct query *query);
void query_copy_text(struct query *query, char *ret_text, size_t size); // cut to fit
const void *query_get_blob(struct query *query, size_t *ret_size);
bool query_next_is_null(const struct query *query);

#endif
