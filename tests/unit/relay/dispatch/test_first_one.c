// Of two payloads with one content exactly one mail goes: also where the first has left its trace
// only in a dot mark, or in memory.
#include "dispatcher_fixture.h"

static void ignore(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id;
}

static void ignore_act(void *context, const struct queue_acted *acted)
{
    (void)context, (void)acted;
}

static void leave_received(struct fixture *fixture, int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    queue_new_id(fixture->queue, ret_id);
    const struct queue_accept accept = {.id = ret_id,
                                        .route = "kratos",
                                        .payload = ret_id,
                                        .payload_size = strlen(ret_id),
                                        .received_ms = received_ms};
    queue_accept(fixture->queue, &accept, ignore, NULL);
    assert_true(queue_flush(fixture->queue, NULL));
}

// The core died between the smarthost's reply to the dot and its commit.
static void leave_verdict(struct fixture *fixture, const char *id, int reply_code)
{
    int mark = dots_assign(fixture->dots, id);
    assert_true(mark >= 0);
    dots_begin(fixture->dots, (size_t)mark);
    dots_verdict(fixture->dots, (size_t)mark, reply_code);
}

static void start_anew(struct fixture *fixture)
{
    struct error err = {0};
    dispatcher_destroy(fixture->dispatcher);
    fixture->dispatcher = dispatcher_create(fixture->loop, &fixture->config, fixture->queue,
                                            fixture->dots, "next run", NULL, &err);
    assert_non_null(fixture->dispatcher);
}

// ---- verdicts of an earlier run ---------------------------------------------------------------

static void what_has_a_verdict_is_settled_before_its_newer_like_is_composed(void **state)
{
    struct fixture *fixture = *state;
    char sent[QUEUE_ID_SIZE], left[QUEUE_ID_SIZE], posted[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_received(fixture, now_ms - 2, sent);
    leave_received(fixture, now_ms - 1, left); // newer, so it would be composed first
    leave_verdict(fixture, sent, 250);
    start_anew(fixture);
    seen.slots = 2;
    dispatcher_tick(fixture->dispatcher);
    offer(fixture, now_ms, posted);
    commit(fixture, now_ms, posted);
    assert_int_equal(seen.request_count, 1);
    assert_string_equal(seen.requests[0]->id, sent);
    answer(0, mail_with("content_digest", "c1"));
    settle_down(fixture);
    assert_row(fixture, sent, MESSAGE_SENT, "");
    assert_int_equal(seen.request_count, 3);
    for (size_t i = 1; i < 3; i++)
        answer(i, mail_with("content_digest", "c1"));
    settle_down(fixture);
    assert_int_equal(seen.started_count, 0);
    assert_row(fixture, left, MESSAGE_SUPERSEDED, "duplicate");
    assert_row(fixture, posted, MESSAGE_SUPERSEDED, "duplicate");
    assert_memory_empty(fixture);
}

// Rows that waited as mails may be older codes of the flow whose newest has a verdict.
static void nothing_is_claimed_before_verdicts_are_settled(void **state)
{
    struct fixture *fixture = *state;
    char older[QUEUE_ID_SIZE], sent[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.down = true;
    admit(fixture, now_ms - 2, mail_with("supersede", "flow:a"), older);
    assert_row(fixture, older, MESSAGE_QUEUED, "");
    leave_received(fixture, now_ms - 1, sent);
    leave_verdict(fixture, sent, 250);
    start_anew(fixture);
    seen.down = false;
    seen.slots = 1;
    seen.request_count = 0;
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    answer(0, mail_with("supersede", "flow:a"));
    settle_down(fixture);
    assert_int_equal(seen.request_count, 2);
    answer(1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_row(fixture, older, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(seen.started_count, 0);
}

// Nobody knows whether it arrived. Its like, sent instead, could be a second mail of another id.
static void one_that_may_have_arrived_goes_before_its_like(void **state)
{
    struct fixture *fixture = *state;
    char gone[QUEUE_ID_SIZE], left[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_received(fixture, now_ms - 2, gone);
    leave_received(fixture, now_ms - 1, left);
    assert_true(dots_assign(fixture->dots, gone) >= 0); // as recovery leaves it
    start_anew(fixture);
    seen.slots = 1;
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    answer(0, mail_with("content_digest", "c1"));
    settle_down(fixture);
    assert_started(0, gone);
    assert_int_equal(seen.request_count, 2);
    answer(1, mail_with("content_digest", "c1"));
    settle_down(fixture);
    assert_row(fixture, left, MESSAGE_SUPERSEDED, "duplicate");
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, gone, MESSAGE_SENT, "");
    assert_int_equal(seen.started_count, 1);
    assert_int_equal(dots_find(fixture->dots, gone), -1);
    assert_memory_empty(fixture);
}

static void a_verdict_on_no_row_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    leave_verdict(fixture, "01938c5e-0000-7000-8000-000000000000", 250);
    start_anew(fixture);
    leave_received(fixture, queue_now_ms(fixture->queue), id);
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 1);
    assert_int_equal(dots_find(fixture->dots, "01938c5e-0000-7000-8000-000000000000"), -1);
}

// ---- what was released -------------------------------------------------------------------------

// A canonical mail that was parked when it was rendered anew. The payload is its id's.
static void leave_parked(struct fixture *fixture, int64_t received_ms, json_t *mail,
                         char ret_id[QUEUE_ID_SIZE])
{
    seen.down = true;
    admit(fixture, received_ms, mail, ret_id);
    const struct queue_settlement parked = {.state = MESSAGE_PARKED, .reason = "no_content"};
    queue_settle(fixture->queue, ret_id, &parked, ignore, NULL);
    settle_down(fixture);
    assert_row(fixture, ret_id, MESSAGE_PARKED, "no_content");
    seen.down = false;
    seen.slots = 2;
}

static void release_it(struct fixture *fixture, const char *id)
{
    queue_act(fixture->queue, QUEUE_RELEASE, id, ignore_act, NULL);
    assert_true(queue_flush(fixture->queue, NULL));
    dispatcher_released(fixture->dispatcher);
    settle_down(fixture);
}

static void a_release_while_its_like_is_in_its_first_transaction_sends_none(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], under_way[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_parked(fixture, now_ms - 1, mail_with("content_digest", "c1"), parked);
    admit(fixture, now_ms, mail_with("content_digest", "c1"), under_way);
    assert_started(0, under_way);
    size_t requests = seen.request_count;
    release_it(fixture, parked);
    assert_row(fixture, parked, MESSAGE_SUPERSEDED, "duplicate");
    assert_int_equal(seen.request_count, requests);
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, under_way, MESSAGE_SENT, "");
    assert_int_equal(seen.started_count, 1);
    assert_memory_empty(fixture);
}

// Committed after the release was, and out of memory before the released one was looked at.
static void a_release_whose_like_ends_meanwhile_sends_none(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], under_way[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_parked(fixture, now_ms - 1, mail_with("content_digest", "c1"), parked);
    admit(fixture, now_ms, mail_with("content_digest", "c1"), under_way);
    queue_act(fixture->queue, QUEUE_RELEASE, parked, ignore_act, NULL);
    assert_true(queue_flush(fixture->queue, NULL));
    seen.down = true; // so that nothing is fetched
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, parked, MESSAGE_QUEUED, "released");
    seen.down = false;
    dispatcher_released(fixture->dispatcher);
    settle_down(fixture);
    assert_row(fixture, parked, MESSAGE_SUPERSEDED, "duplicate");
    assert_int_equal(seen.started_count, 1);
}

static void a_release_with_another_content_goes(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], under_way[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_parked(fixture, now_ms - 1, mail_with("content_digest", "c1"), parked);
    admit(fixture, now_ms, mail_with("content_digest", "c2"), under_way);
    release_it(fixture, parked);
    answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_started(1, parked);
    assert_row(fixture, parked, MESSAGE_SENDING, "released");
    end(1, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, parked, MESSAGE_SENT, "");
}

// The released one is on disk with its content, so what comes then is the second.
static void what_comes_after_a_release_is_its_duplicate(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], late[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    leave_parked(fixture, now_ms - 1, mail_with("content_digest", "c1"), parked);
    release_it(fixture, parked);
    admit(fixture, now_ms, mail_with("content_digest", "c1"), late);
    assert_row(fixture, late, MESSAGE_SUPERSEDED, "duplicate");
    assert_row(fixture, parked, MESSAGE_SENDING, "released");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(what_has_a_verdict_is_settled_before_its_newer_like_is_composed),
        DISPATCHER_TEST(nothing_is_claimed_before_verdicts_are_settled),
        DISPATCHER_TEST(one_that_may_have_arrived_goes_before_its_like),
        DISPATCHER_TEST(a_verdict_on_no_row_holds_nobody_up),
        DISPATCHER_TEST(a_release_while_its_like_is_in_its_first_transaction_sends_none),
        DISPATCHER_TEST(a_release_whose_like_ends_meanwhile_sends_none),
        DISPATCHER_TEST(a_release_with_another_content_goes),
        DISPATCHER_TEST(what_comes_after_a_release_is_its_duplicate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
