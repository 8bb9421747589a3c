#include <sqlite3.h>

#include "relay/base/clock.h"
#include "relay/dispatch/expiry.h"
#include "tests/unit/relay/dispatch/dispatcher_fixture.h"

enum { MANY = 300, AGAIN_MAX_MS = 1000 };

static void nobody_listens(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)id;
    assert_int_equal(result, QUEUE_DONE);
}

// A mail of an earlier run that waits; lifetime_ms may be negative.
static void leave_waiting(struct fixture *fixture, int64_t lifetime_ms, char ret_id[QUEUE_ID_SIZE])
{
    queue_new_id(fixture->queue, ret_id);
    int64_t now_ms = queue_now_ms(fixture->queue);
    const struct queue_accept accept = {.id = ret_id,
                                        .route = "kratos",
                                        .payload = ret_id,
                                        .payload_size = strlen(ret_id),
                                        .received_ms = now_ms};
    const struct queue_mail mail = {.envelope = {.channel = "email",
                                                 .template = "login_code_valid",
                                                 .recipient = "a@example.com",
                                                 .coded = true,
                                                 .created_ms = now_ms,
                                                 .deadline_ms = now_ms + lifetime_ms},
                                    .body = "{}",
                                    .body_size = 2,
                                    .state = MESSAGE_QUEUED};
    queue_accept(fixture->queue, &accept, nobody_listens, NULL);
    queue_compose(fixture->queue, ret_id, &mail, 1, nobody_listens, NULL);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
}

static int64_t count_in(struct fixture *fixture, enum message_state state)
{
    struct queue_stats stats;
    struct error err = {0};
    assert_true(queue_stats(fixture->reader, &stats, &err));
    return stats.count[state];
}

static void many_that_died_end_in_batches(void **state)
{
    struct fixture *fixture = *state;
    char alive[QUEUE_ID_SIZE], dead[QUEUE_ID_SIZE];
    seen.down = true;
    leave_waiting(fixture, LIFETIME_MS, alive);
    for (int i = 0; i < MANY; i++)
        leave_waiting(fixture, -1, dead);
    size_t most = 0;
    for (int i = 0; i < 3; i++) {
        fixture->dispatcher->overdue_at_ms = 0; // the pause between two batches is over
        dispatcher_tick(fixture->dispatcher);
        most = fixture->dispatcher->jobs.count > most ? fixture->dispatcher->jobs.count : most;
        settle_down(fixture);
    }
    assert_int_equal(count_in(fixture, MESSAGE_EXPIRED), MANY);
    assert_row(fixture, dead, MESSAGE_EXPIRED, "deadline");
    assert_false(row_of(fixture, dead).has_body);
    assert_row(fixture, alive, MESSAGE_QUEUED, "");
    assert_true(most <= JOBS_MAX / 2); // new mail finds room meanwhile
    assert_memory_empty(fixture);
    assert_int_equal(seen.request_count, 0); // nothing of them was composed
}

// A look that finds only what is under way already must neither be the last nor make the loop spin.
static void a_batch_that_is_under_way_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    char dead[QUEUE_ID_SIZE];
    seen.down = true;
    for (int i = 0; i < MANY; i++)
        leave_waiting(fixture, -1, dead);
    for (int i = 0; i < 2; i++) {
        fixture->dispatcher->overdue_at_ms = 0;
        int64_t began_ms = clock_boot_ms();
        dispatcher_tick(fixture->dispatcher); // its notices are not read in between
        assert_in_range(fixture->dispatcher->overdue_at_ms, began_ms + 1,
                        clock_boot_ms() + AGAIN_MAX_MS);
    }
    settle_down(fixture);
}

// Without a further look before it is time for one.
static void the_next_look_is_at_the_next_deadline(void **state)
{
    struct fixture *fixture = *state;
    char dead[QUEUE_ID_SIZE], alive[QUEUE_ID_SIZE];
    seen.down = true;
    leave_waiting(fixture, -1, dead);
    leave_waiting(fixture, LIFETIME_MS, alive);
    int64_t deadline_ms = row_of(fixture, alive).deadline_ms;
    settle_down(fixture);
    assert_row(fixture, dead, MESSAGE_EXPIRED, "deadline");
    assert_int_equal(fixture->dispatcher->overdue_at_ms,
                     queue_boot_ms(fixture->queue, deadline_ms));
}

// Its deadline was changed by somebody, so nobody knows whether it is dead. Never deleted.
static void one_whose_deadline_was_changed_is_parked(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.down = true;
    leave_waiting(fixture, LIFETIME_MS, id);
    char path[FOLDER_PATH_SIZE + 16];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "UPDATE message SET deadline = 1", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_PARKED, "damaged");
    assert_true(row_of(fixture, id).has_body);
}

// It may be in front of all that can still go: it is not claimed, composed and only then dropped.
static void a_dead_one_that_is_due_ends_without_being_composed(void **state)
{
    struct fixture *fixture = *state;
    char dead[QUEUE_ID_SIZE], alive[QUEUE_ID_SIZE];
    leave_waiting(fixture, LIFETIME_MS, alive);
    leave_waiting(fixture, -1, dead); // the newer one: it is looked at first
    seen.slots = 1;
    fixture->dispatcher->overdue_at_ms = INT64_MAX;
    settle_down(fixture);
    assert_row(fixture, dead, MESSAGE_EXPIRED, "deadline");
    assert_int_equal(seen.request_count, 1);
    assert_string_equal(seen.requests[0]->id, alive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(many_that_died_end_in_batches),
        DISPATCHER_TEST(a_batch_that_is_under_way_is_waited_for),
        DISPATCHER_TEST(the_next_look_is_at_the_next_deadline),
        DISPATCHER_TEST(one_whose_deadline_was_changed_is_parked),
        DISPATCHER_TEST(a_dead_one_that_is_due_ends_without_being_composed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
