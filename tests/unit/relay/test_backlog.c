#include "tests/unit/relay/dispatcher_fixture.h"

enum { OFFERED = 100, LEFT = 150 };

static void nobody_listens(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)id;
    assert_int_equal(result, QUEUE_DONE);
}

// Rows as an earlier run left them: stored, and in nobody's memory.
static void leave_received(struct fixture *fixture, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[QUEUE_ID_SIZE];
        queue_new_id(fixture->queue, id);
        const struct queue_accept accept = {.id = id,
                                            .route = "kratos",
                                            .payload = id,
                                            .payload_size = strlen(id),
                                            .received_ms = queue_now_ms(fixture->queue)};
        queue_accept(fixture->queue, &accept, nobody_listens, NULL);
    }
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
}

// What is in memory need not be in the list of `received` rows (its commit is under way), so a
// list that is shorter than asked for may still hold more than one look takes.
static void every_row_that_was_left_is_brought_in(void **state)
{
    struct fixture *fixture = *state;
    char ids[OFFERED][QUEUE_ID_SIZE];
    for (size_t i = 0; i < OFFERED; i++)
        offer(fixture, queue_now_ms(fixture->queue), ids[i]);
    assert_true(event_loop_wait(fixture->loop, 0, NULL));
    leave_received(fixture, LEFT);
    for (int i = 0; i < 5; i++)
        dispatcher_tick(fixture->dispatcher);
    for (size_t i = 0; i < OFFERED; i++)
        dispatcher_committed(fixture->dispatcher, ids[i], QUEUE_REFUSED);
    settle_down(fixture);
    assert_int_equal(seen.request_count, OFFERED + LEFT);
    assert_false(fixture->dispatcher->received_waiting);
}

static void memory_is_bounded_while_rows_wait(void **state)
{
    struct fixture *fixture = *state;
    leave_received(fixture, JOBS_MAX + LEFT / 4);
    for (int i = 0; i < 10; i++)
        dispatcher_tick(fixture->dispatcher);
    assert_true(fixture->dispatcher->jobs.count <= JOBS_MAX);
    assert_true(fixture->dispatcher->received_waiting);
}

static void a_commit_whose_offer_found_no_place_is_looked_for(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture); // the look at what an earlier run left is over
    assert_false(fixture->dispatcher->received_waiting);
    char id[QUEUE_ID_SIZE];
    queue_new_id(fixture->queue, id);
    commit(fixture, queue_now_ms(fixture->queue), id);
    assert_int_equal(seen.request_count, 1);
    assert_string_equal(seen.requests[0]->id, id);
}

static void what_is_past_its_deadline_ends_while_the_smarthost_is_down(void **state)
{
    struct fixture *fixture = *state;
    seen.down = true;
    char dead[QUEUE_ID_SIZE], alive[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", 1), dead);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), alive);
    settle_down(fixture);
    assert_row(fixture, dead, MESSAGE_EXPIRED, "deadline");
    assert_row(fixture, alive, MESSAGE_QUEUED, "");
    assert_memory_empty(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(every_row_that_was_left_is_brought_in),
        DISPATCHER_TEST(memory_is_bounded_while_rows_wait),
        DISPATCHER_TEST(a_commit_whose_offer_found_no_place_is_looked_for),
        DISPATCHER_TEST(what_is_past_its_deadline_ends_while_the_smarthost_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
