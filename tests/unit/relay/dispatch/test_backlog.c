#include "tests/unit/relay/dispatch/dispatcher_fixture.h"

#include "relay/base/clock.h"

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

// An earlier run died between the smarthost's reply and the commit of the outcome.
static void a_verdict_of_an_earlier_run_ends_the_message_with_its_envelope(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture);
    seen.slots = 1;
    static const struct {
        int reply_code;
        enum message_state want;
        const char *reason;
    } cases[] = {{250, MESSAGE_SENT, ""}, {554, MESSAGE_FAILED, "rejected"}};
    for (size_t i = 0; i < 2; i++) {
        char id[QUEUE_ID_SIZE];
        queue_new_id(fixture->queue, id);
        int mark = dots_assign(fixture->dots, id);
        dots_begin(fixture->dots, (size_t)mark);
        dots_verdict(fixture->dots, (size_t)mark, cases[i].reply_code);
        commit(fixture, queue_now_ms(fixture->queue), id);
        answer(i, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
        assert_row(fixture, id, cases[i].want, cases[i].reason);
        assert_string_equal(row_of(fixture, id).recipient, "a@example.com");
        assert_int_equal(row_of(fixture, id).attempts, 1);
        assert_int_equal(dots_find(fixture->dots, id), -1);
    }
    assert_int_equal(seen.started_count, 0);
    assert_memory_empty(fixture);
}

// The normaliser was changed meanwhile: what it makes now went out as one mail.
static void a_verdict_of_an_earlier_run_holds_whatever_is_made_of_the_payload_now(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture);
    seen.slots = 1;
    for (size_t i = 0; i < 2; i++) {
        char id[QUEUE_ID_SIZE];
        queue_new_id(fixture->queue, id);
        int mark = dots_assign(fixture->dots, id);
        dots_begin(fixture->dots, (size_t)mark);
        dots_verdict(fixture->dots, (size_t)mark, 250);
        commit(fixture, queue_now_ms(fixture->queue), id);
        answer(i, i == 0 ? json_array()
                         : json_pack("[o, o]", mail_in("code", LIFETIME_MS),
                                     mail_in("code", LIFETIME_MS)));
        settle_down(fixture);
        assert_row(fixture, id, MESSAGE_SENT, "");
        assert_int_equal(row_of(fixture, id).attempts, 1);
        assert_int_equal(dots_find(fixture->dots, id), -1);
    }
    assert_int_equal(seen.started_count, 0);
    assert_memory_empty(fixture);
}

// What is in memory is bounded in bytes as well.
static void large_payloads_are_brought_in_by_their_bytes(void **state)
{
    struct fixture *fixture = *state;
    size_t size = JOBS_BYTES_MAX / 4;
    char *payload = malloc(size);
    assert_non_null(payload);
    memset(payload, 'x', size);
    for (int i = 0; i < 8; i++) {
        char id[QUEUE_ID_SIZE];
        queue_new_id(fixture->queue, id);
        memcpy(payload, id, QUEUE_ID_SIZE);
        const struct queue_accept accept = {.id = id,
                                            .route = "kratos",
                                            .payload = payload,
                                            .payload_size = size,
                                            .received_ms = queue_now_ms(fixture->queue)};
        queue_accept(fixture->queue, &accept, nobody_listens, NULL);
    }
    free(payload);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    for (int i = 0; i < 5; i++)
        dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 4);
    assert_true(fixture->dispatcher->received_waiting);
}

// Two payloads that differ only in what Kratos makes anew, each of two mails: the second is found
// while the first is still being split.
static void a_split_under_way_makes_a_duplicate(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture);
    char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.down = true;
    offer(fixture, now_ms, first);
    commit(fixture, now_ms, first);
    offer(fixture, now_ms, second);
    commit(fixture, now_ms, second);
    for (size_t i = 0; i < 2; i++)
        answer(i, json_pack("[o, o]", mail_with("content_digest", "ab"),
                            mail_with("content_digest", "ab")));
    settle_down(fixture);
    assert_row(fixture, first, MESSAGE_QUEUED, "");
    assert_row(fixture, second, MESSAGE_SUPERSEDED, "duplicate");
    struct queue_stats stats;
    assert_true(queue_stats(fixture->reader, &stats, NULL));
    assert_int_equal(stats.count[MESSAGE_QUEUED], 2);
    assert_int_equal(stats.count[MESSAGE_SUPERSEDED], 2);
}

// A row of an earlier run: composed, under the supersede digest of all such here.
static void leave_composed(struct fixture *fixture, int64_t received_ms, char ret_id[QUEUE_ID_SIZE])
{
    static const uint8_t digest[QUEUE_DIGEST_SIZE] = {1};
    queue_new_id(fixture->queue, ret_id);
    const struct queue_accept accept = {.id = ret_id,
                                        .route = "kratos",
                                        .payload = ret_id,
                                        .payload_size = QUEUE_ID_SIZE,
                                        .received_ms = received_ms};
    const struct queue_mail mail = {.envelope = {.channel = "email",
                                                 .template = "login_code_valid",
                                                 .recipient = "a@example.com",
                                                 .coded = true,
                                                 .created_ms = received_ms,
                                                 .deadline_ms = received_ms + LIFETIME_MS,
                                                 .supersede_digest = digest},
                                    .body = "{}",
                                    .body_size = 2,
                                    .state = MESSAGE_QUEUED};
    queue_accept(fixture->queue, &accept, nobody_listens, NULL);
    queue_compose(fixture->queue, ret_id, &mail, 1, nobody_listens, NULL);
}

static void a_newer_one_of_an_earlier_run_is_found_on_disk(void **state)
{
    struct fixture *fixture = *state;
    char older[QUEUE_ID_SIZE], newer[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    leave_composed(fixture, now_ms - 2000, older);
    leave_composed(fixture, now_ms - 1000, newer);
    const struct queue_settlement sent = {.state = MESSAGE_SENT};
    queue_settle(fixture->queue, newer, &sent, nobody_listens, NULL);
    settle_down(fixture);
    assert_string_equal(seen.requests[0]->id, older);
    answer(0, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_row(fixture, older, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(seen.started_count, 0);
}

// Nothing that waits for the disk may make the loop spin; nor may it be forgotten.
static void a_full_disk_is_looked_at_once_a_second(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture);
    fixture->dispatcher->sweep_at_ms = 0;
    fixture->dispatcher->overdue_at_ms = 0;
    queue_stop(fixture->queue); // as unwritable as can be
    assert_false(queue_writable(fixture->queue));
    int64_t began_ms = clock_boot_ms();
    dispatcher_tick(fixture->dispatcher);
    assert_in_range(dispatcher_next_ms(fixture->dispatcher), began_ms + 1, clock_boot_ms() + 1000);
}

// One slot of eight is free, and a look costs as much as a delivery: the next one may do for more.
static void a_look_for_one_row_is_put_off_once(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    leave_composed(fixture, queue_now_ms(fixture->queue), id);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    seen.slots = 8;
    seen.under_way = 7;
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 0);
    assert_in_range(fixture->dispatcher->due_at_ms - fixture->dispatcher->ticked_ms, 1, 1000);
    fixture->dispatcher->due_at_ms = 0; // that moment has passed, and nothing else is free
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 1);
}

static void what_waits_for_a_slot_wants_more_connections(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    assert_int_equal(seen.started_count, 1);
    fixture->dispatcher->due_at_ms = INT64_MAX; // nothing on disk
    seen.wanted_count = 0;
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.wanted_count, 0);
    fixture->dispatcher->due_at_ms = 0; // something, as far as anybody knows
    dispatcher_tick(fixture->dispatcher);
    assert_true(seen.wanted_count > 0);

    fixture->dispatcher->due_at_ms = INT64_MAX;
    seen.wanted_count = 0;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    assert_int_equal(seen.started_count, 1);
    assert_true(seen.wanted_count > 0); // it waits in memory
}

// What is brought in would be put back again and again, a commit each time.
static void nothing_is_brought_in_while_a_rate_holds_it_back(void **state)
{
    struct fixture *fixture = *state;
    char waiting[QUEUE_ID_SIZE], on_disk[QUEUE_ID_SIZE];
    seen.slots = 0;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), waiting);
    leave_composed(fixture, queue_now_ms(fixture->queue), on_disk);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    size_t before = seen.request_count;
    seen.is_paced = true;
    fixture->dispatcher->due_at_ms = 0;
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, before);
    seen.is_paced = false;
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, before + 1);
}

// ---- the moment of a look ---------------------------------------------------------------------

bool __real_queue_due(struct queue_reader *reader, enum lane lane, int64_t now_ms, size_t limit,
                      char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err);
bool __wrap_queue_due(struct queue_reader *reader, enum lane lane, int64_t now_ms, size_t limit,
                      char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err);
bool __real_queue_next_due(struct queue_reader *reader, int64_t now_ms, int64_t *ret_due_ms,
                           struct error *err);
bool __wrap_queue_next_due(struct queue_reader *reader, int64_t now_ms, int64_t *ret_due_ms,
                           struct error *err);

static struct {
    bool is_watched;
    size_t looks, ends;
    int64_t at_ms; // what the last look was told
} moment;

// A look takes a millisecond at least.
bool __wrap_queue_due(struct queue_reader *reader, enum lane lane, int64_t now_ms, size_t limit,
                      char (*ret_ids)[QUEUE_ID_SIZE], size_t *ret_count, struct error *err)
{
    if (moment.is_watched) {
        if (moment.looks++ > 0)
            assert_int_equal(now_ms, moment.at_ms);
        moment.at_ms = now_ms;
        while (queue_reader_now_ms(reader) <= now_ms)
            continue;
    }
    return __real_queue_due(reader, lane, now_ms, limit, ret_ids, ret_count, err);
}

bool __wrap_queue_next_due(struct queue_reader *reader, int64_t now_ms, int64_t *ret_due_ms,
                           struct error *err)
{
    if (moment.is_watched) {
        moment.ends++;
        assert_int_equal(now_ms, moment.at_ms);
    }
    return __real_queue_next_due(reader, now_ms, ret_due_ms, err);
}

// What falls due while the look lasts would else be seen neither by it nor by who asks when to look
// next, and wait until its deadline.
static void a_look_and_the_question_when_to_look_next_are_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    settle_down(fixture);
    seen.slots = 8;
    fixture->dispatcher->due_at_ms = 0;
    moment.looks = moment.ends = 0;
    moment.is_watched = true;
    dispatcher_tick(fixture->dispatcher);
    moment.is_watched = false;
    assert_int_equal(moment.looks, LANE_COUNT);
    assert_int_equal(moment.ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(a_look_and_the_question_when_to_look_next_are_of_one_moment),
        DISPATCHER_TEST(every_row_that_was_left_is_brought_in),
        DISPATCHER_TEST(memory_is_bounded_while_rows_wait),
        DISPATCHER_TEST(a_commit_whose_offer_found_no_place_is_looked_for),
        DISPATCHER_TEST(what_is_past_its_deadline_ends_while_the_smarthost_is_down),
        DISPATCHER_TEST(a_verdict_of_an_earlier_run_ends_the_message_with_its_envelope),
        DISPATCHER_TEST(a_verdict_of_an_earlier_run_holds_whatever_is_made_of_the_payload_now),
        DISPATCHER_TEST(large_payloads_are_brought_in_by_their_bytes),
        DISPATCHER_TEST(a_split_under_way_makes_a_duplicate),
        DISPATCHER_TEST(a_newer_one_of_an_earlier_run_is_found_on_disk),
        DISPATCHER_TEST(a_full_disk_is_looked_at_once_a_second),
        DISPATCHER_TEST(a_look_for_one_row_is_put_off_once),
        DISPATCHER_TEST(what_waits_for_a_slot_wants_more_connections),
        DISPATCHER_TEST(nothing_is_brought_in_while_a_rate_holds_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
