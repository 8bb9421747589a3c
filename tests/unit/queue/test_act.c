// What an operator does to a message: each act in each state. test_release.c has more of that one.
#include "queue_fixture.h"

#define PAYLOAD "{\"raw\":1}"

// A row of its own in each state, composed, as that state leaves its body.
static void make(struct fixture *fixture, enum message_state state, char ret_id[QUEUE_ID_SIZE])
{
    char payload[40], sql[200];
    int64_t now_ms = queue_now_ms(fixture->queue);
    static int number;
    snprintf(payload, sizeof(payload), "{\"n\":%d}", number++);
    make_queued(fixture->queue, payload, LANE_CODE, now_ms, now_ms + HOUR_MS, ret_id);
    if (state == MESSAGE_RECEIVED || state == MESSAGE_SENDING) {
        snprintf(sql, sizeof(sql), "UPDATE message SET state = '%s' WHERE id = '%s'",
                 message_state_name(state), ret_id);
        run_sql(fixture, sql);
    } else if (state != MESSAGE_QUEUED) {
        assert_int_equal(settle_as(fixture->queue, ret_id, state, "some"), QUEUE_DONE);
    }
}

static void each_act_starts_from_its_states_alone(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum queue_act act;
        const char *from, *to;
    } rows[] = {{QUEUE_RETRY, "queued", "queued"},     {QUEUE_RETRY, "failed", "queued"},
                {QUEUE_RETRY, "unknown", "queued"},    {QUEUE_HOLD, "queued", "held"},
                {QUEUE_RELEASE, "held", "queued"},     {QUEUE_RELEASE, "parked", "queued"},
                {QUEUE_CANCEL, "queued", "cancelled"}, {QUEUE_CANCEL, "held", "cancelled"},
                {QUEUE_CANCEL, "parked", "cancelled"}};
    for (int a = 0; a < QUEUE_ACT_COUNT; a++) {
        for (int s = 0; s < MESSAGE_STATE_COUNT; s++) {
            const char *from = message_state_name((enum message_state)s), *to = NULL;
            for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (rows[i].act == (enum queue_act)a && strcmp(rows[i].from, from) == 0)
                    to = rows[i].to;
            char id[QUEUE_ID_SIZE];
            enum message_state now = MESSAGE_STATE_COUNT;
            make(fixture, (enum message_state)s, id);
            enum queue_result result = act(fixture->queue, (enum queue_act)a, id, &now);
            assert_int_equal(result, to ? QUEUE_DONE : QUEUE_WRONG_STATE);
            assert_string_equal(message_state_name(now), to ? to : from);
            assert_state(fixture->reader, id, now);
            assert_int_equal(to != NULL, (queue_act_states((enum queue_act)a) >> s) & 1);
        }
        assert_int_equal(act(fixture->queue, (enum queue_act)a, "nothing", NULL), QUEUE_GONE);
        assert_int_equal(
            act(fixture->queue, (enum queue_act)a, "01938c5e-0000-7000-8000-000000000000", NULL),
            QUEUE_GONE);
    }
}

static void what_waits_is_due_at_once_for_the_same_reason(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, PAYLOAD, LANE_CODE, now_ms, now_ms + HOUR_MS, id);
    const struct queue_settlement limited = {
        .state = MESSAGE_QUEUED, .reason = "rate_limited", .not_before_ms = now_ms + HOUR_MS};
    assert_int_equal(settle(fixture->queue, id, &limited), QUEUE_DONE);
    fixture_pass(fixture, MINUTE_MS);
    assert_int_equal(act(fixture->queue, QUEUE_RETRY, id, NULL), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.not_before_ms, now_ms + MINUTE_MS);
    assert_string_equal(row.reason, "rate_limited");
}

static void what_has_failed_goes_on_with_what_it_has_cost(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, PAYLOAD, LANE_CODE, now_ms, 0, id);
    const struct queue_attempt attempt = {.outcome = "permanent", .reply_text = "no"};
    const struct queue_settlement failed = {.state = MESSAGE_FAILED,
                                            .reason = "rejected",
                                            .attempt = &attempt,
                                            .charge = true,
                                            .charge_unknown = true};
    assert_int_equal(settle(fixture->queue, id, &failed), QUEUE_DONE);
    assert_int_equal(act(fixture->queue, QUEUE_RETRY, id, NULL), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_string_equal(row.reason, "retried");
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.unknown_outcomes, 1);
    assert_int_equal(row.deadline_ms, now_ms + 15 * MINUTE_MS);
    assert_body(fixture->reader, id, PAYLOAD);
    assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_DONE);
}

// Its first send ended so, and no mail was stored of it.
static void what_failed_as_a_payload_is_composed_anew(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    const struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue));
    const struct queue_settlement failed = {
        .state = MESSAGE_FAILED, .reason = "rejected", .envelope = &envelope};
    assert_int_equal(settle(fixture->queue, id, &failed), QUEUE_DONE);
    enum message_state now = MESSAGE_FAILED;
    assert_int_equal(act(fixture->queue, QUEUE_RETRY, id, &now), QUEUE_DONE);
    assert_int_equal(now, MESSAGE_RECEIVED);
    assert_false(load_row(fixture->reader, id).has_lane);
    assert_body(fixture->reader, id, PAYLOAD);
}

static void what_is_dead_or_empty_is_neither_retried_nor_released(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum queue_act act;
        enum message_state from;
    } late[] = {{QUEUE_RETRY, MESSAGE_FAILED},
                {QUEUE_RETRY, MESSAGE_UNKNOWN},
                {QUEUE_RETRY, MESSAGE_QUEUED},
                {QUEUE_RELEASE, MESSAGE_HELD},
                {QUEUE_RELEASE, MESSAGE_PARKED}};
    char ids[5][QUEUE_ID_SIZE], empty[QUEUE_ID_SIZE], sql[160];
    enum message_state now = MESSAGE_QUEUED;
    for (size_t i = 0; i < 5; i++)
        make(fixture, late[i].from, ids[i]);
    make(fixture, MESSAGE_UNKNOWN, empty);
    snprintf(sql, sizeof(sql), "UPDATE message SET body = NULL, body_form = 0 WHERE id = '%s'",
             empty);
    run_sql(fixture, sql);
    assert_int_equal(act(fixture->queue, QUEUE_RETRY, empty, &now), QUEUE_BODY_DROPPED);
    assert_int_equal(now, MESSAGE_UNKNOWN);
    fixture_pass(fixture, 15 * MINUTE_MS);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(act(fixture->queue, late[i].act, ids[i], &now), QUEUE_TOO_LATE);
        assert_int_equal(now, late[i].from);
        assert_int_equal(act(fixture->queue, QUEUE_CANCEL, ids[i], NULL),
                         i < 2 ? QUEUE_WRONG_STATE : QUEUE_DONE);
    }
}

static void what_is_held_is_neither_due_nor_overdue(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], ids[4][QUEUE_ID_SIZE];
    size_t count = 0;
    int64_t next_ms = 0;
    struct error err = {0};
    make(fixture, MESSAGE_QUEUED, id);
    assert_int_equal(act(fixture->queue, QUEUE_HOLD, id, NULL), QUEUE_DONE);
    fixture_pass(fixture, DAY_MS);
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_true(queue_due(fixture->reader, LANE_CODE, now_ms, 4, ids, &count, &err));
    assert_int_equal(count, 0);
    assert_true(queue_overdue(fixture->reader, now_ms, 4, ids, &count, &next_ms, &err));
    assert_int_equal(count, 0);
    struct queue_message row = load_row(fixture->reader, id);
    assert_string_equal(row.reason, "");
    assert_int_equal(row.not_before_ms, 0);
    assert_true(row.has_body);
    assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_GONE);
}

static void what_is_cancelled_loses_its_body_and_stays_known(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], again[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_PARKED, "no_recipient"), QUEUE_DONE);
    assert_int_equal(act(fixture->queue, QUEUE_CANCEL, id, NULL), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_string_equal(row.reason, "by_operator");
    assert_false(row.has_body);
    assert_int_equal(act(fixture->queue, QUEUE_RELEASE, id, NULL), QUEUE_WRONG_STATE);
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, again), QUEUE_DUPLICATE);
    assert_string_equal(again, id);
}

static void several_are_acted_on_in_one_commit(void **state)
{
    struct fixture *fixture = *state;
    struct queue_acted rows[4] = {0};
    static const enum queue_result want[] = {QUEUE_DONE, QUEUE_WRONG_STATE, QUEUE_DONE, QUEUE_GONE};
    struct error err = {0};
    make(fixture, MESSAGE_QUEUED, rows[0].id);
    make(fixture, MESSAGE_SENT, rows[1].id);
    make(fixture, MESSAGE_HELD, rows[2].id);
    row_id(1, rows[3].id); // nobody's
    assert_true(queue_act_on_all(fixture->queue, QUEUE_CANCEL, rows, 4, &err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rows[i].result, want[i]);
    for (size_t i = 0; i < 3; i++) {
        enum message_state now = i == 1 ? MESSAGE_SENT : MESSAGE_CANCELLED;
        assert_state(fixture->reader, rows[i].id, now);
        assert_int_equal(rows[i].state, now);
        assert_true(rows[i].has_lane);
        assert_int_equal(rows[i].lane, LANE_CODE);
    }
    queue_stop(fixture->queue);
    assert_false(queue_act_on_all(fixture->queue, QUEUE_CANCEL, rows, 4, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    assert_int_equal(act(fixture->queue, QUEUE_CANCEL, rows[1].id, NULL), QUEUE_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(each_act_starts_from_its_states_alone),
        QUEUE_TEST(what_waits_is_due_at_once_for_the_same_reason),
        QUEUE_TEST(what_has_failed_goes_on_with_what_it_has_cost),
        QUEUE_TEST(what_failed_as_a_payload_is_composed_anew),
        QUEUE_TEST(what_is_dead_or_empty_is_neither_retried_nor_released),
        QUEUE_TEST(what_is_held_is_neither_due_nor_overdue),
        QUEUE_TEST(what_is_cancelled_loses_its_body_and_stays_known),
        QUEUE_TEST(several_are_acted_on_in_one_commit),
    };
    return cmocka_run_group_tests_name("act", tests, NULL, NULL);
}
