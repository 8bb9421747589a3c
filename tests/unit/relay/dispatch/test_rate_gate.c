// What is over a rate limit waits on disk, and nothing else has to wait for it.
#include "dispatcher_fixture.h"

#include <sqlite3.h>
#include <unistd.h>

#include "relay/base/clock.h"

static void ignore(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id;
}

static void limit_to(struct fixture *fixture, const char *recipient, const char *total)
{
    struct error err = {0};
    log_setup(LOG_JSON, LOG_ERROR);
    assert_true(rates_parse(recipient, &fixture->config.rate_recipient, &err));
    assert_true(rates_parse(total, &fixture->config.rate_total, &err));
    dispatcher_destroy(fixture->dispatcher);
    fixture->dispatcher = dispatcher_create(fixture->loop, &fixture->config, fixture->queue,
                                            fixture->dots, "run", NULL, &err);
    assert_non_null(fixture->dispatcher);
    seen.slots = 16;
}

// A row that waits as a mail, due at once, as an earlier run or an outage leaves it.
static void leave_queued(struct fixture *fixture, const char *recipient, enum lane lane,
                         int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    queue_new_id(fixture->queue, ret_id);
    const struct queue_accept accept = {.id = ret_id,
                                        .route = "kratos",
                                        .payload = ret_id,
                                        .payload_size = strlen(ret_id),
                                        .received_ms = received_ms};
    const struct queue_mail mail = {.envelope = {.channel = "email",
                                                 .template = "login_code_valid",
                                                 .lane = lane,
                                                 .recipient = recipient,
                                                 .coded = true,
                                                 .created_ms = received_ms,
                                                 .deadline_ms = received_ms + LIFETIME_MS},
                                    .body = "{}",
                                    .body_size = 2,
                                    .state = MESSAGE_QUEUED};
    queue_accept(fixture->queue, &accept, ignore, NULL);
    queue_compose(fixture->queue, ret_id, &mail, 1, ignore, NULL);
}

static int64_t count_rows(const struct fixture *fixture, const char *condition)
{
    char path[FOLDER_PATH_SIZE + 16], sql[256];
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM message WHERE %s", condition);
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return count;
}

static void answer_all_renders(size_t from)
{
    while (from < seen.request_count)
        answer(from++, mail_in("code", LIFETIME_MS));
}

// ---- arrivals ---------------------------------------------------------------------------------

static void what_is_over_the_limit_waits_on_disk(void **state)
{
    struct fixture *fixture = *state;
    char ids[4][QUEUE_ID_SIZE], other[QUEUE_ID_SIZE], notice[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "2/1h", "off");
    for (size_t i = 0; i < 4; i++)
        admit(fixture, now_ms, mail_in("code", LIFETIME_MS), ids[i]);
    admit(fixture, now_ms, mail_with("recipient", "b@example.com"), other);
    admit(fixture, now_ms, mail_in("notice", LIFETIME_MS), notice);
    assert_int_equal(seen.started_count, 4);
    assert_started(1, ids[1]);
    assert_started(2, other);
    assert_started(3, notice);
    assert_int_equal(fixture->dispatcher->jobs.count, 4); // those that wait are not in memory
    for (size_t i = 2; i < 4; i++) {
        assert_row(fixture, ids[i], MESSAGE_QUEUED, RATE_LIMITED);
        struct queue_message row = row_of(fixture, ids[i]);
        assert_true(row.composed);
        assert_int_equal(row.attempts, 0);
        // Half an hour to the next token, and a quarter of one to live: it expires like any other.
        assert_int_equal(row.not_before_ms, row.deadline_ms);
    }
}

static void it_waits_until_the_next_token(void **state)
{
    struct fixture *fixture = *state;
    char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
    limit_to(fixture, "1/1m", "off");
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), first);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), second);
    struct queue_message row = row_of(fixture, second);
    assert_in_range(row.not_before_ms, now_ms + MINUTE_MS,
                    queue_now_ms(fixture->queue) + MINUTE_MS);
    // The dispatcher wakes then, and not before.
    assert_int_equal(fixture->dispatcher->due_at_ms,
                     queue_boot_ms(fixture->queue, row.not_before_ms));
}

static void however_its_name_is_written_it_is_one_recipient(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "1/1m", "off");
    admit(fixture, now_ms, mail_with("recipient", "zoe@example.com"), id);
    static const char *const others[] = {"zoe@EXAMPLE.com", "Zoe@example.com"};
    for (size_t i = 0; i < 2; i++) {
        admit(fixture, now_ms, mail_with("recipient", others[i]), id);
        assert_row(fixture, id, MESSAGE_QUEUED, RATE_LIMITED);
    }
    assert_int_equal(seen.started_count, 1);
}

// It goes later, but it goes: it is the first of its content while its commit is under way too.
static void what_waits_for_a_token_is_known_by_its_content(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "1/1m", "off");
    for (size_t i = 0; i < 3; i++) {
        offer(fixture, now_ms, ids[i]);
        commit(fixture, now_ms, ids[i]);
    }
    answer(0, mail_with("content_digest", "c0"));
    answer(1, mail_with("content_digest", "c1"));
    answer(2, mail_with("content_digest", "c1")); // before the dispatcher hears of that commit
    settle_down(fixture);
    assert_row(fixture, ids[1], MESSAGE_QUEUED, RATE_LIMITED);
    assert_row(fixture, ids[2], MESSAGE_SUPERSEDED, "duplicate");
}

// ---- tokens -----------------------------------------------------------------------------------

static void what_was_not_sent_costs_no_token(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "1/1h", "off");
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    for (size_t i = 0; i < 3; i++) {
        assert_started(i, id);
        seen.down = true;
        end(i, DELIVERY_SESSION); // the smarthost's fault
        settle_down(fixture);
        assert_row(fixture, id, MESSAGE_QUEUED, "");
        seen.down = false;
        size_t requests = seen.request_count;
        fixture->dispatcher->due_at_ms = 0;
        settle_down(fixture);
        answer_all_renders(requests);
        settle_down(fixture);
    }
    assert_started(3, id);
}

static void a_retry_takes_no_second_token(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], other[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "1/1h", "off");
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    end(0, DELIVERY_TEMPORARY);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "");
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), other);
    assert_row(fixture, other, MESSAGE_QUEUED, RATE_LIMITED);
    // Its pause is over.
    const struct queue_settlement due = {.state = MESSAGE_QUEUED};
    queue_settle(fixture->queue, id, &due, ignore, NULL);
    fixture->dispatcher->due_at_ms = 0;
    size_t requests = seen.request_count;
    settle_down(fixture);
    answer_all_renders(requests);
    settle_down(fixture);
    assert_started(1, id);
}

static void the_reason_goes_when_the_message_goes(void **state)
{
    struct fixture *fixture = *state;
    char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    limit_to(fixture, "1/3s", "off"); // the next token must not be there before the second message
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), first);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), second);
    assert_row(fixture, second, MESSAGE_QUEUED, RATE_LIMITED);
    size_t requests = seen.request_count;
    for (int i = 0; i < 200 && seen.request_count == requests; i++) {
        struct error err = {0}; // woken by its own clock alone
        int64_t wait_ms = dispatcher_next_ms(fixture->dispatcher) - clock_boot_ms();
        assert_true(event_loop_wait(fixture->loop, wait_ms > 0 ? (int)wait_ms : 0, &err));
        dispatcher_tick(fixture->dispatcher);
    }
    settle_down(fixture);
    assert_row(fixture, second, MESSAGE_SENDING, "");
    answer_all_renders(requests);
    settle_down(fixture);
    assert_started(1, second);
}

// ---- what waits in the queue --------------------------------------------------------------------

// A flood for one recipient: a place for each, once; others are not held up by it.
static void a_flood_in_the_queue_is_written_once_and_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    enum { FLOOD = 700 };
    char id[QUEUE_ID_SIZE], newest[QUEUE_ID_SIZE], other[QUEUE_ID_SIZE];
    limit_to(fixture, "5/3m,20/1h", "off");
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_queued(fixture, "b@example.com", LANE_CODE, now_ms - FLOOD - 1, other); // the oldest
    for (int i = 0; i < FLOOD; i++)
        leave_queued(fixture, "a@example.com", LANE_CODE, now_ms - FLOOD + i,
                     i == FLOOD - 1 ? newest : id);
    assert_true(queue_flush(fixture->queue, NULL));
    fixture->dispatcher->due_at_ms = 0;
    size_t most = 0;
    for (int i = 0; i < 60; i++) {
        settle_down(fixture);
        if (fixture->dispatcher->jobs.count > most)
            most = fixture->dispatcher->jobs.count;
    }
    assert_int_equal(seen.request_count, 6);
    assert_string_equal(seen.requests[0]->id, newest);
    assert_row(fixture, other, MESSAGE_SENDING, "");
    assert_true(most <= JOBS_MAX + 16);
    assert_int_equal(count_rows(fixture, "reason = 'rate_limited'"), FLOOD - 5);
    // Each has a token's moment of its own, those that none is left for their deadline.
    int64_t own = count_rows(fixture, "not_before > 0 AND not_before < deadline AND"
                                      " reason = 'rate_limited'");
    assert_in_range(own, 14, 20);
    assert_int_equal(count_rows(fixture, "reason = 'rate_limited' AND not_before = deadline"),
                     FLOOD - 5 - own);
    // Nothing of it is touched again before the first of these.
    assert_true(fixture->dispatcher->due_at_ms > clock_boot_ms() + 5000);
}

// Also where the disk is slow to take what waits now.
static void a_flood_comes_into_memory_in_parts(void **state)
{
    struct fixture *fixture = *state;
    enum { FLOOD = 700 };
    char id[QUEUE_ID_SIZE];
    limit_to(fixture, "5/3m,20/1h", "off");
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (int i = 0; i < FLOOD; i++)
        leave_queued(fixture, "a@example.com", LANE_CODE, now_ms - FLOOD + i, id);
    assert_true(queue_flush(fixture->queue, NULL));
    for (int i = 0; i < 40; i++) { // in which it hears of no commit
        fixture->dispatcher->due_at_ms = 0;
        dispatcher_tick(fixture->dispatcher);
        assert_true(fixture->dispatcher->due_at_ms <= clock_boot_ms() + 1); // there is more
    }
    assert_in_range(fixture->dispatcher->jobs.count, JOBS_MAX, JOBS_MAX + 64);
    for (int i = 0; i < 60; i++) {
        usleep(1500); // until the next look
        settle_down(fixture);
    }
    assert_int_equal(count_rows(fixture, "reason = 'rate_limited'"), FLOOD - 5);
}

// Too many altogether: rows are left as they are until there is a token.
static void over_the_total_limit_rows_are_left_as_they_are(void **state)
{
    struct fixture *fixture = *state;
    char ids[100][QUEUE_ID_SIZE], recipient[32], notice[QUEUE_ID_SIZE];
    limit_to(fixture, "off", "3/1m");
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (int i = 0; i < 100; i++) {
        snprintf(recipient, sizeof(recipient), "r%d@example.com", i);
        leave_queued(fixture, recipient, LANE_CODE, now_ms - 100 + i, ids[i]);
    }
    leave_queued(fixture, "r@example.com", LANE_NOTICE, now_ms, notice);
    assert_true(queue_flush(fixture->queue, NULL));
    fixture->dispatcher->due_at_ms = 0;
    int64_t began_ms = clock_boot_ms();
    settle_down(fixture);
    int64_t settled_ms = clock_boot_ms();
    assert_int_equal(seen.request_count, 4);
    assert_string_equal(seen.requests[0]->id, ids[99]);
    assert_row(fixture, notice, MESSAGE_SENDING, "");
    assert_int_equal(count_rows(fixture, "state = 'queued' AND reason IS NULL"), 97);
    // Three were taken at once, so the next token is there a third of a minute later.
    assert_in_range(dispatcher_next_ms(fixture->dispatcher), began_ms + 20000, settled_ms + 20000);
    // A new one waits with the others.
    char late[QUEUE_ID_SIZE];
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), late);
    assert_row(fixture, late, MESSAGE_QUEUED, RATE_LIMITED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(what_is_over_the_limit_waits_on_disk),
        DISPATCHER_TEST(it_waits_until_the_next_token),
        DISPATCHER_TEST(however_its_name_is_written_it_is_one_recipient),
        DISPATCHER_TEST(what_waits_for_a_token_is_known_by_its_content),
        DISPATCHER_TEST(what_was_not_sent_costs_no_token),
        DISPATCHER_TEST(a_retry_takes_no_second_token),
        DISPATCHER_TEST(the_reason_goes_when_the_message_goes),
        DISPATCHER_TEST(a_flood_in_the_queue_is_written_once_and_holds_nobody_up),
        DISPATCHER_TEST(a_flood_comes_into_memory_in_parts),
        DISPATCHER_TEST(over_the_total_limit_rows_are_left_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
