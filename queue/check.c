// check.c - whether a queue is one that this program could have written.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/change.h"
#include "queue/copy.h"
#include "queue/folder_lock.h"
#include "queue/integrity.h"
#include "queue/schema.h"
#include "queue/uuid.h"
#include "relay/base/cleanup.h"

struct check {
    struct database *database;
    struct keys *keys; // NULL: bodies are not tried
    queue_each_finding_fn *each;
    void *context;
    struct queue_check result;
};

static void find(struct check *check, const char *id, const char *what)
{
    check->result.findings++;
    check->each(check->context, id, what);
}

// ---- rows ---------------------------------------------------------------------------------------

// A row of which the SQL is true is none that any version of this program writes. (A margin of an
// hour at most comes off a deadline.)
#define IMPOSSIBLE(X)                                                                              \
    X(0,                                                                                           \
      "state NOT IN ('received', 'queued', 'sending', 'sent', 'failed', 'expired', 'superseded', " \
      "'cancelled', 'unknown', 'held', 'parked')",                                                 \
      "its state is none")                                                                         \
    X(1, "lane NOT IN ('code', 'notice', 'bulk')", "its lane is none")                             \
    X(2, "body_form NOT IN (0, 1, 2, 3)", "the form of its body is none")                          \
    X(3, "(body_form = 0) <> (body IS NULL)",                                                      \
      "its body is not what the row says: there, or dropped")                                      \
    X(4, "body_form <> 0 AND state IN ('sent', 'expired', 'superseded', 'cancelled')",             \
      "it has ended, and has its body still")                                                      \
    X(5, "body_form <> 2 AND state IN ('queued', 'sending')", "it waits without a canonical mail") \
    X(6, "body_form NOT IN (1, 3) AND state = 'received'", "it waits without its payload")         \
    X(7, "(lane IS NULL OR coded IS NULL OR deadline IS NULL) AND state IN ('queued', 'sending')", \
      "it waits without what composing finds out")                                                 \
    X(8, "(lease_owner IS NULL OR lease_end IS NULL) AND state = 'sending'",                       \
      "it is being sent without a lease")                                                          \
    X(9, "(lease_owner IS NOT NULL OR lease_end IS NOT NULL) AND state <> 'sending'",              \
      "it has a lease without being sent")                                                         \
    X(10, "not_before <> 0 AND state NOT IN ('received', 'queued', 'sending', 'held', 'parked')",  \
      "it has ended, and is to be tried again")                                                    \
    X(11, "deadline < created - 3600000", "its deadline was before it came")                       \
    X(12, "attempts < 0 OR unknown_outcomes < 0 OR array_index < 0",                               \
      "it counts less than nothing")                                                               \
    X(13,                                                                                          \
      "length(payload_hash) <> 32 OR length(content_digest) <> 32 OR length(supersede_digest) <> " \
      "32",                                                                                        \
      "a digest of it is no digest")
#define AS_BIT(number, sql, what) " | (coalesce(" sql ", 0) << " #number ")"
#define AS_WHAT(number, sql, what) [number] = (what),

static const char *const WHAT[] = {IMPOSSIBLE(AS_WHAT)};
enum { WHAT_COUNT = sizeof(WHAT) / sizeof(WHAT[0]) };

// One pass over all rows: bit i of the first column says that WHAT[i] is so.
static const char ROWS[] =
    "SELECT 0" IMPOSSIBLE(AS_BIT) ", seq, id, body_form, created, recipient,"
                                  " deadline, body FROM message ORDER BY seq";

static void try_body(struct check *check, const char *id, const struct seal_binding *binding,
                     const void *sealed, size_t sealed_size)
{
    size_t size = 0;
    enum seal_fault fault = SEAL_FINE;
    check->result.bodies++;
    if (!check->keys)
        return;
    keys_hold(check->keys);
    char *body = seal_open(check->keys, binding, sealed, sealed_size, &size, &fault);
    keys_release(check->keys);
    if (body)
        sodium_memzero(body, size);
    free(body);
    if (fault == SEAL_UNKNOWN_KEY) {
        check->result.unknown_key++;
        find(check, id, "its body is sealed with a key that is not in queue.key");
    } else if (fault == SEAL_DAMAGED) {
        check->result.damaged++;
        find(check, id, "its body does not open: it, or what it is sealed to, has changed");
    }
}

static void look_at_row(struct check *check, struct query *query)
{
    char id[QUEUE_ID_SIZE], recipient[QUEUE_RECIPIENT_SIZE];
    int64_t is_so = query_get_int(query), seq = query_get_int(query), number = 0;
    query_copy_text(query, id, sizeof(id));
    enum body_form form = (enum body_form)query_get_int(query);
    int64_t created_ms = query_get_int(query);
    query_copy_text(query, recipient, sizeof(recipient));
    int64_t deadline_ms = query_get_int(query);
    size_t size = 0;
    const void *sealed = query_get_blob(query, &size);
    check->result.messages++;
    for (int i = 0; i < WHAT_COUNT; i++)
        if (is_so >> i & 1)
            find(check, id, WHAT[i]);
    if (!uuid_number(id, &number))
        find(check, id, "its id is no UUIDv7");
    else if (number != seq)
        find(check, id, "its row stands where another id belongs");
    const struct seal_binding binding = body_binding(id, form, created_ms, recipient, deadline_ms);
    if (sealed && form != BODY_DROPPED)
        try_body(check, id, &binding, sealed, size);
}

static bool look_at_rows(struct check *check, struct error *err)
{
    AUTO_QUERY struct query query = query_start(check->database, ROWS);
    while (query_step(&query))
        look_at_row(check, &query);
    return query.rc == SQLITE_OK || database_error(check->database, query.rc, "check", err);
}

// ---- the rest -----------------------------------------------------------------------------------

static bool find_problem(void *context, const char *problem)
{
    find(context, NULL, problem);
    return true;
}

static bool look_at_meta(struct check *check, struct error *err)
{
    static const char SQL[] =
        "WITH needed(name) AS (VALUES ('boot_id'), ('boot_ms'), ('queue_ms'), ('wall_ms'),"
        " ('recovered_boot_id'), ('digest_key'))"
        " SELECT name FROM needed WHERE name NOT IN (SELECT name FROM meta)";
    AUTO_QUERY struct query query = query_start(check->database, SQL);
    while (query_step(&query)) {
        char what[96];
        snprintf(what, sizeof(what), "meta does not say %s", query_get_text(&query));
        find(check, NULL, what);
    }
    return query.rc == SQLITE_OK || database_error(check->database, query.rc, "check", err);
}

static bool look_for_orphans(struct check *check, struct error *err)
{
    int64_t orphans = 0;
    char what[64];
    if (!integrity_count_orphans(check->database, &orphans, err))
        return false;
    snprintf(what, sizeof(what), "%lld attempts have no message", (long long)orphans);
    if (orphans > 0)
        find(check, NULL, what);
    return true;
}

// What SQLite itself finds fault with may not even be read to its end: then that was all.
static bool look_at_all(struct check *check, struct error *err)
{
    bool sound = true;
    if (!schema_check(check->database, err) ||
        !integrity_check(check->database, INTEGRITY_FULL, find_problem, check, &sound, err))
        return false;
    bool ok = look_at_meta(check, err) && look_for_orphans(check, err) && look_at_rows(check, err);
    return ok || !sound;
}

// A key file that no relay would start with is a finding; that there is none may be right, since
// the setting may give the keys.
static bool find_keys(struct check *check, const char *dir, struct error *err)
{
    struct error why = {0};
    bool found = false;
    check->keys = keys_look(dir, &found, &why);
    check->result.tried_bodies = check->keys != NULL;
    if (check->keys || !found)
        return true;
    if (why.code == ERR_TEMPORARY || why.code == ERR_PERMANENT) { // it says nothing about the file
        *err = why;
        return false;
    }
    find(check, NULL, why.message);
    return true;
}

static bool run(struct check *check, const char *dir, struct queue_check *ret_check,
                struct error *err)
{
    if (!find_keys(check, dir, err))
        return false;
    bool ok = look_at_all(check, err);
    keys_destroy(check->keys);
    if (ok)
        *ret_check = check->result;
    return ok;
}

bool queue_check_folder(const char *dir, queue_each_finding_fn *each, void *context,
                        struct queue_check *ret_check, struct error *err)
{
    struct database database = {0};
    struct check check = {.database = &database, .each = each, .context = context};
    AUTO_CLOSE int lock_fd = folder_lock_queue(dir, err);
    if (lock_fd < 0 || !database_open(&database, dir, true, err))
        return false;
    bool ok = run(&check, dir, ret_check, err);
    database_close(&database);
    return ok;
}

bool queue_check_backup(const char *path, const char *dir, queue_each_finding_fn *each,
                        void *context, struct queue_check *ret_check, struct error *err)
{
    struct database database = {0};
    struct check check = {.database = &database, .each = each, .context = context};
    if (!copy_open(&database, path, err))
        return false;
    bool ok = run(&check, dir, ret_check, err);
    database_close(&database);
    return ok;
}
