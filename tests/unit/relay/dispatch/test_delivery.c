// Which message gets a delivery slot, and what each outcome means for it and for its dot mark.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dispatcher_fixture.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

static enum dot_state mark_state(const struct fixture *fixture, int mark)
{
    struct dot dot;
    assert_true(mark >= 0);
    dots_get(fixture->dots, (size_t)mark, &dot);
    return dot.state;
}

// ---- order ------------------------------------------------------------------------------------

static void higher_lanes_go_first_and_the_newest_code(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *lane;
        int age, place;
    } cases[] = {
        {"bulk", 90, 4}, {"code", 60, 1}, {"notice", 70, 3}, {"code", 50, 0}, {"notice", 80, 2}};
    char ids[5][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (size_t i = 0; i < 5; i++)
        admit(fixture, now_ms - cases[i].age, mail_in(cases[i].lane, LIFETIME_MS), ids[i]);
    fixture->dispatcher->pick_turn = 0; // no lower lane's turn within these
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    for (size_t i = 0; i < 5; i++)
        end(i, DELIVERY_SENT);
    for (size_t i = 0; i < 5; i++)
        assert_started((size_t)cases[i].place, ids[i]);
}

static void a_lower_lane_is_not_starved(void **state)
{
    struct fixture *fixture = *state;
    char bulk[QUEUE_ID_SIZE], code[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("bulk", LIFETIME_MS), bulk);
    for (int i = 0; i < LANE_TURN; i++)
        admit(fixture, now_ms, mail_in("code", LIFETIME_MS), code);
    fixture->dispatcher->pick_turn = 0;
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    for (size_t i = 0; i < LANE_TURN - 1; i++)
        end(i, DELIVERY_SENT);
    assert_started(LANE_TURN - 1, bulk);
}

// Makes messages wait in the queue: no smarthost takes anything.
static void put_back_all(struct fixture *fixture)
{
    seen.down = true;
    settle_down(fixture);
    assert_memory_empty(fixture);
    seen.down = false;
    seen.request_count = 0;
    fixture->dispatcher->due_at_ms = 0;
}

static void higher_lanes_come_first_from_the_queue(void **state)
{
    struct fixture *fixture = *state;
    char bulk[QUEUE_ID_SIZE], code[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms - 2, mail_in("bulk", LIFETIME_MS), bulk);
    admit(fixture, now_ms - 1, mail_in("code", LIFETIME_MS), code);
    put_back_all(fixture);
    seen.slots = 1;
    fixture->dispatcher->pick_turn = 0;
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 1);
    assert_string_equal(seen.requests[0]->id, code);
}

static void a_lower_lane_is_not_starved_in_the_queue(void **state)
{
    struct fixture *fixture = *state;
    char bulk[QUEUE_ID_SIZE], code[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms - 2, mail_in("bulk", LIFETIME_MS), bulk);
    admit(fixture, now_ms - 1, mail_in("code", LIFETIME_MS), code);
    put_back_all(fixture);
    seen.slots = 1;
    fixture->dispatcher->pick_turn = LANE_TURN - 1;
    dispatcher_tick(fixture->dispatcher);
    assert_string_equal(seen.requests[0]->id, bulk);
}

// ---- may it go? -------------------------------------------------------------------------------

static void what_expired_waiting_for_a_slot_is_not_begun(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", 100), id);
    usleep(120 * 1000);
    seen.slots = 1;
    settle_down(fixture);
    assert_int_equal(seen.started_count, 0);
    assert_row(fixture, id, MESSAGE_EXPIRED, "deadline");
    assert_int_equal(row_of(fixture, id).attempts, 0);
    assert_memory_empty(fixture);
}

// The disk took nothing for so long, or the machine slept: the minutes in it have passed.
static void what_was_rendered_long_ago_is_rendered_anew(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    struct job *job = job_table_find(&fixture->dispatcher->jobs, id);
    assert_in_range(clock_boot_ms() - job->composed_boot_ms, 0, MIME_LIMIT_MS - 1);
    job->composed_boot_ms = clock_boot_ms() - MIME_LIMIT_MS;
    seen.slots = 1;
    size_t request = seen.request_count;
    settle_down(fixture);
    assert_int_equal(seen.started_count, 0);
    assert_row(fixture, id, MESSAGE_SENDING, ""); // by way of the queue
    assert_int_equal(row_of(fixture, id).attempts, 0);
    assert_int_equal(seen.request_count, request + 1);
    assert_int_equal(seen.requests[request]->task, COMPOSE_RENDER);
    answer(request, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_started(0, id);
}

static void the_deliverer_is_told_the_deadline_less_the_margin(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    fixture->config.deadline_margin_ms = 15000;
    seen.slots = 1;
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    assert_int_equal(seen.started[0].delivery->deadline_boot_ms,
                     queue_boot_ms(fixture->queue, now_ms + LIFETIME_MS - 15000));
}

enum { LOOKS_MAX = 6000 }; // of 10 ms: a minute, for a disk that is slow

static void while_nothing_can_be_committed_nothing_is_begun(void **state)
{
    struct fixture *fixture = *state;
    static char large[300 * 1000];
    char id[QUEUE_ID_SIZE], refused[QUEUE_ID_SIZE];
    struct rlimit before, limit;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = 4096; // not even an outcome
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    memset(large, 'x', sizeof(large));
    queue_new_id(fixture->queue, refused);
    const struct queue_accept accept = {.id = refused,
                                        .route = "kratos",
                                        .payload = large,
                                        .payload_size = sizeof(large),
                                        .received_ms = now_ms};
    queue_accept(fixture->queue, &accept, tell_dispatcher, fixture);
    for (int i = 0; i < LOOKS_MAX && queue_can_settle(fixture->queue); i++)
        usleep(10000);
    bool can_settle = queue_can_settle(fixture->queue);
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    size_t started = seen.started_count;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(can_settle);
    assert_int_equal(started, 0);
    for (int i = 0; i < LOOKS_MAX && !queue_writable(fixture->queue); i++)
        usleep(10000);
    settle_down(fixture);
    assert_started(0, id);
}

static void while_stopping_nothing_is_begun(void **state)
{
    struct fixture *fixture = *state;
    char ready[QUEUE_ID_SIZE], late[QUEUE_ID_SIZE], under_way[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), under_way);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), ready);
    dispatcher_drain(fixture->dispatcher);
    end(0, DELIVERY_SENT);
    assert_true(dispatcher_is_drained(fixture->dispatcher));
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), late); // is accepted all the same
    assert_int_equal(seen.started_count, 1);
    assert_row(fixture, under_way, MESSAGE_SENT, "");
    assert_row(fixture, ready, MESSAGE_RECEIVED, "");
    assert_row(fixture, late, MESSAGE_RECEIVED, "");
}

static void ignore_written(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id;
}

// ---- marks ------------------------------------------------------------------------------------

static void the_mark_is_kept_until_the_outcome_is_committed(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    int mark = seen.started[0].delivery->mark;
    assert_int_equal(mark_state(fixture, mark), DOT_ASSIGNED);
    dots_begin(fixture->dots, (size_t)mark);
    dots_verdict(fixture->dots, (size_t)mark, 250);
    end(0, DELIVERY_SENT);
    assert_int_equal(mark_state(fixture, mark), DOT_VERDICT); // nobody has told of the commit yet
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_SENT, "");
    assert_int_equal(mark_state(fixture, mark), DOT_FREE);
}

static void an_outcome_that_was_not_committed_leaves_its_mark(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    int mark = seen.started[0].delivery->mark;
    dots_begin(fixture->dots, (size_t)mark);
    log_setup(LOG_TEXT, LOG_ERROR + 1); // the error it logs is the one that is meant
    settlement_written(fixture->dispatcher, job_table_find(&fixture->dispatcher->jobs, id),
                       QUEUE_REFUSED);
    assert_int_equal(mark_state(fixture, mark), DOT_BEGUN);
    assert_memory_empty(fixture);
}

// It ended by another's hand while it was under way: told, and not as the outcome that it had.
static void an_outcome_that_found_no_row_to_stand_in_is_told(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], line[1024] = "";
    FILE *log = tmpfile();
    int before = dup(STDOUT_FILENO);
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    const struct queue_settlement cancelled = {.state = MESSAGE_CANCELLED};
    queue_settle(fixture->queue, id, &cancelled, ignore_written, NULL);
    fflush(stdout);
    dup2(fileno(log), STDOUT_FILENO);
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(log);
    size_t size = fread(line, 1, sizeof(line) - 1, log);
    fclose(log);
    assert_true(size > 0);
    assert_non_null(strstr(line, "queue_error"));
    assert_non_null(strstr(line, id));
    assert_null(strstr(line, "\"event\":\"sent\""));
    assert_row(fixture, id, MESSAGE_CANCELLED, "");
    assert_memory_empty(fixture);
}

// ---- outcomes ---------------------------------------------------------------------------------

static void a_smarthosts_fault_is_charged_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    end(0, DELIVERY_SESSION);
    assert_started(1, id); // at once, by the next smarthost
    seen.down = true;
    end(1, DELIVERY_SESSION);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "");
    assert_int_equal(row_of(fixture, id).attempts, 0);
    assert_memory_empty(fixture);
}

static void unknown_outcomes_are_counted_and_the_third_is_the_last(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    end(0, DELIVERY_UNKNOWN);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "");
    assert_int_equal(row_of(fixture, id).unknown_outcomes, 1);
    assert_int_equal(row_of(fixture, id).attempts, 1);

    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    job_table_find(&fixture->dispatcher->jobs, id)->unknown_outcomes = 2;
    end(1, DELIVERY_UNKNOWN);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_UNKNOWN, "unknown_outcomes");
    assert_memory_empty(fixture);
}

static void what_is_cut_is_not_charged_and_waits(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    int mark = seen.started[0].delivery->mark;
    dispatcher_drain(fixture->dispatcher);
    end(0, DELIVERY_CUT);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_RECEIVED, "");
    assert_int_equal(row_of(fixture, id).attempts, 0);
    assert_int_equal(mark_state(fixture, mark), DOT_FREE);
    assert_memory_empty(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(higher_lanes_go_first_and_the_newest_code),
        DISPATCHER_TEST(a_lower_lane_is_not_starved),
        DISPATCHER_TEST(higher_lanes_come_first_from_the_queue),
        DISPATCHER_TEST(a_lower_lane_is_not_starved_in_the_queue),
        DISPATCHER_TEST(what_expired_waiting_for_a_slot_is_not_begun),
        DISPATCHER_TEST(what_was_rendered_long_ago_is_rendered_anew),
        DISPATCHER_TEST(the_deliverer_is_told_the_deadline_less_the_margin),
        DISPATCHER_TEST(while_nothing_can_be_committed_nothing_is_begun),
        DISPATCHER_TEST(while_stopping_nothing_is_begun),
        DISPATCHER_TEST(the_mark_is_kept_until_the_outcome_is_committed),
        DISPATCHER_TEST(an_outcome_that_was_not_committed_leaves_its_mark),
        DISPATCHER_TEST(an_outcome_that_found_no_row_to_stand_in_is_told),
        DISPATCHER_TEST(a_smarthosts_fault_is_charged_to_nobody),
        DISPATCHER_TEST(unknown_outcomes_are_counted_and_the_third_is_the_last),
        DISPATCHER_TEST(what_is_cut_is_not_charged_and_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
