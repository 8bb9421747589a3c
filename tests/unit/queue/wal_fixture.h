// wal_fixture.h - a database in WAL mode whose log is empty, with who writes and who reads it.
#ifndef TESTS_UNIT_QUEUE_WAL_FIXTURE_H
#define TESTS_UNIT_QUEUE_WAL_FIXTURE_H

#include "queue_fixture.h"

#define LOG_DIR_SIZE 32

static inline void execute(struct database *database, const char *sql)
{
    if (database_execute(database, sql) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(database->handle));
}

static inline void open_logged(char ret_dir[LOG_DIR_SIZE], struct database *ret_writer,
                               struct database *ret_reader)
{
    struct error err = {0};
    char path[LOG_DIR_SIZE + 16];
    snprintf(ret_dir, LOG_DIR_SIZE, "/tmp/wal-test-XXXXXX");
    assert_non_null(mkdtemp(ret_dir));
    snprintf(path, sizeof(path), "%s/queue.db", ret_dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_true(database_open(ret_writer, ret_dir, false, &err));
    execute(ret_writer, "PRAGMA journal_mode = WAL; CREATE TABLE row(body);"
                        "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(database_open(ret_reader, ret_dir, true, &err));
}

static inline void close_logged(const char *dir, struct database *writer, struct database *reader)
{
    database_close(reader);
    database_close(writer);
    nftw(dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
