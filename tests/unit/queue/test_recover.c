// What a start puts in order, and what time ends.
#include "queue_fixture.h"

// Gives how many leases were released; *ret_ended (or NULL): how many messages ended.
static size_t recover_and_end(struct fixture *fixture, const char *owner, size_t *ret_ended)
{
    struct error err = {0};
    struct queue_recovery recovery = {0};
    if (!queue_recover(fixture->queue, owner, 2, &recovery, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < recovery.ended_count; i++)
        assert_state(fixture->reader, recovery.ended[i], MESSAGE_UNKNOWN);
    if (ret_ended)
        *ret_ended = recovery.ended_count;
    free(recovery.ended);
    return recovery.released;
}

static size_t recover(struct fixture *fixture, const char *owner)
{
    return recover_and_end(fixture, owner, NULL);
}

static size_t sweep(struct fixture *fixture, int64_t before_ms, size_t limit)
{
    struct error err = {0};
    size_t swept = 99;
    bool more = false;
    if (!queue_sweep(fixture->queue, before_ms, limit, &swept, &more, &err))
        fail_msg("%s", err.message);
    return swept;
}

static int64_t count_rows(struct fixture *fixture)
{
    struct queue_stats stats;
    struct error err = {0};
    int64_t total = 0;
    assert_true(queue_stats(fixture->reader, &stats, &err));
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++)
        total += stats.count[i];
    return total;
}

static void a_crash_gives_leases_back_uncharged(void **state)
{
    struct fixture *fixture = *state;
    char leased[QUEUE_ID_SIZE], own[QUEUE_ID_SIZE], received[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, now_ms, 0, leased);
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms, 0, own);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":3}", received), QUEUE_DONE);
    assert_int_equal(claim(fixture->queue, leased, "run-1"), QUEUE_DONE);
    fixture_reopen(fixture);
    assert_false(queue_rebooted(fixture->queue));
    assert_int_equal(claim(fixture->queue, own, "run-2"), QUEUE_DONE);
    assert_int_equal(recover(fixture, "run-2"), 1);
    assert_state(fixture->reader, leased, MESSAGE_QUEUED);
    assert_state(fixture->reader, own, MESSAGE_SENDING);
    assert_state(fixture->reader, received, MESSAGE_RECEIVED);
    assert_int_equal(load_row(fixture->reader, leased).unknown_outcomes, 0);
    assert_int_equal(load_row(fixture->reader, leased).attempts, 0);
    assert_int_equal(load_row(fixture->reader, received).unknown_outcomes, 0);
    assert_body(fixture->reader, leased, "{\"a\":1}");
}

static void a_reboot_counts_an_unknown_outcome_and_ends_the_third(void **state)
{
    struct fixture *fixture = *state;
    char leased[QUEUE_ID_SIZE], received[QUEUE_ID_SIZE], waiting[QUEUE_ID_SIZE], id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, now_ms, 0, leased);
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms, 0, waiting);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":3}", received), QUEUE_DONE);
    for (int reboots = 1; reboots <= 3; reboots++) {
        assert_int_equal(claim(fixture->queue, leased, "run"), QUEUE_DONE);
        fixture_reboot(fixture, 1000);
        assert_true(queue_rebooted(fixture->queue));
        char payload[16];
        snprintf(payload, sizeof(payload), "{\"b\":%d}", reboots);
        assert_int_equal(accept_now(fixture->queue, payload, id), QUEUE_DONE); // not from before
        size_t ended = 0;
        assert_int_equal(recover_and_end(fixture, "next", &ended), reboots < 3 ? 1 : 0);
        assert_int_equal(ended, reboots < 3 ? 0 : 2);
        enum message_state want = reboots < 3 ? MESSAGE_QUEUED : MESSAGE_UNKNOWN;
        assert_state(fixture->reader, leased, want);
        assert_state(fixture->reader, received, reboots < 3 ? MESSAGE_RECEIVED : MESSAGE_UNKNOWN);
        assert_int_equal(load_row(fixture->reader, leased).unknown_outcomes, reboots);
        assert_int_equal(load_row(fixture->reader, received).unknown_outcomes, reboots);
        assert_int_equal(load_row(fixture->reader, id).unknown_outcomes, 0);
        assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    }
    assert_string_equal(load_row(fixture->reader, leased).reason, "unknown_outcomes");
    assert_int_equal(load_row(fixture->reader, waiting).unknown_outcomes, 0);
    assert_state(fixture->reader, waiting, MESSAGE_QUEUED);
}

static void a_reboot_is_known_until_it_was_recovered_from(void **state)
{
    struct fixture *fixture = *state;
    fixture_reboot(fixture, 1000);
    assert_true(queue_rebooted(fixture->queue));
    fixture_reopen(fixture); // died before it recovered
    assert_true(queue_rebooted(fixture->queue));
    recover(fixture, "run");
    fixture_reopen(fixture);
    assert_false(queue_rebooted(fixture->queue));
}

// ---- sweep ------------------------------------------------------------------------------------

// Only who can open a body knows whether its deadline is its own: see relay/dispatch/expiry.h.
static void what_waits_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    char dead[QUEUE_ID_SIZE];
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, queue_now_ms(fixture->queue), 0, dead);
    fixture_pass(fixture, 8 * DAY_MS);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 0);
    assert_state(fixture->reader, dead, MESSAGE_QUEUED);
    assert_body(fixture->reader, dead, "{\"a\":1}");
}

static void kept_bodies_go_when_they_can_help_no_more(void **state)
{
    struct fixture *fixture = *state;
    char failed[QUEUE_ID_SIZE], parked[QUEUE_ID_SIZE];
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, queue_now_ms(fixture->queue), 0, failed);
    assert_int_equal(settle_as(fixture->queue, failed, MESSAGE_FAILED, "rejected"), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":2}", parked), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, parked, MESSAGE_PARKED, "odd"), QUEUE_DONE);
    fixture_pass(fixture, 15 * MINUTE_MS - 1);
    assert_int_equal(sweep(fixture, 0, 10), 0);
    fixture_pass(fixture, 1);
    assert_int_equal(sweep(fixture, 0, 10), 1);
    assert_state(fixture->reader, failed, MESSAGE_FAILED);
    assert_body(fixture->reader, failed, "");
    fixture_pass(fixture, 7 * DAY_MS - 15 * MINUTE_MS - 1);
    assert_int_equal(sweep(fixture, 0, 10), 0);
    assert_body(fixture->reader, parked, "{\"a\":2}");
    fixture_pass(fixture, 1);
    assert_int_equal(sweep(fixture, 0, 10), 1);
    assert_int_equal(sweep(fixture, 0, 10), 0);
    assert_state(fixture->reader, parked, MESSAGE_PARKED);
    assert_body(fixture->reader, parked, "");
    assert_int_equal(count_rows(fixture), 2);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 2); // its retention is over
    assert_int_equal(count_rows(fixture), 0);
}

// What is set aside waits for a person who may come after a weekend, and the deadline of a payload
// that could not be composed is only a default.
static void bodies_set_aside_are_kept_for_a_week_at_least(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum message_state state;
        int64_t lifetime_ms, kept_ms;
    } cases[] = {
        {MESSAGE_PARKED, HOUR_MS, 7 * DAY_MS},    {MESSAGE_HELD, HOUR_MS, 7 * DAY_MS},
        {MESSAGE_PARKED, 9 * DAY_MS, 9 * DAY_MS}, {MESSAGE_FAILED, HOUR_MS, HOUR_MS},
        {MESSAGE_UNKNOWN, HOUR_MS, HOUR_MS},
    };
    static const int64_t looks_ms[] = {HOUR_MS - 1, HOUR_MS,        7 * DAY_MS - 1,
                                       7 * DAY_MS,  9 * DAY_MS - 1, 9 * DAY_MS};
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    char ids[COUNT][QUEUE_ID_SIZE];
    int64_t start_ms = queue_now_ms(fixture->queue);
    for (size_t i = 0; i < COUNT; i++) {
        char payload[16];
        int size = snprintf(payload, sizeof(payload), "{\"a\":%zu}", i);
        assert_int_equal(accept_at(fixture->queue, payload, start_ms, ids[i]), QUEUE_DONE);
        struct queue_mail mail = {.envelope = envelope_at(start_ms),
                                  .body = payload,
                                  .body_size = (size_t)size,
                                  .state = MESSAGE_QUEUED};
        mail.envelope.deadline_ms = start_ms + cases[i].lifetime_ms;
        assert_int_equal(compose(fixture->queue, ids[i], &mail, 1), QUEUE_DONE);
        assert_int_equal(settle_as(fixture->queue, ids[i], cases[i].state, "odd"), QUEUE_DONE);
    }
    for (size_t k = 0; k < sizeof(looks_ms) / sizeof(looks_ms[0]); k++) {
        fixture_pass(fixture, start_ms + looks_ms[k] - queue_now_ms(fixture->queue));
        sweep(fixture, 0, 10);
        for (size_t i = 0; i < COUNT; i++) {
            char *body = load_body(fixture->reader, ids[i]);
            assert_int_equal(*body != '\0', looks_ms[k] < cases[i].kept_ms);
            free(body);
        }
    }
}

static void old_final_rows_are_deleted_in_batches(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], id[QUEUE_ID_SIZE];
    const struct queue_attempt attempt = {.outcome = "sent"};
    assert_int_equal(accept_now(fixture->queue, "{\"p\":1}", parked), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, parked, MESSAGE_PARKED, "odd"), QUEUE_DONE);
    for (int i = 0; i < 7; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "{\"i\":%d}", i);
        assert_int_equal(accept_now(fixture->queue, payload, id), QUEUE_DONE);
        assert_int_equal(
            settle(fixture->queue, id,
                   &(struct queue_settlement){.state = MESSAGE_SENT, .attempt = &attempt}),
            QUEUE_DONE);
    }
    fixture_pass(fixture, DAY_MS);
    // Old, but updated just now.
    assert_int_equal(
        accept_at(fixture->queue, "{\"late\":1}", queue_now_ms(fixture->queue) - DAY_MS, id),
        QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_FAILED, "rejected"), QUEUE_DONE);
    int64_t before_ms = queue_now_ms(fixture->queue) - MINUTE_MS;
    assert_int_equal(sweep(fixture, before_ms, 3), 3);
    assert_int_equal(count_rows(fixture), 6);
    assert_int_equal(sweep(fixture, before_ms, 3), 3);
    assert_int_equal(sweep(fixture, before_ms, 3), 1);
    assert_int_equal(sweep(fixture, before_ms, 3), 0);
    assert_int_equal(count_rows(fixture), 2);
    assert_state(fixture->reader, parked, MESSAGE_PARKED);
    assert_state(fixture->reader, id, MESSAGE_FAILED);
    fixture_pass(fixture, DAY_MS);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue) - MINUTE_MS, 3), 1);
    assert_int_equal(count_rows(fixture), 1);
}

static void rows_that_stay_do_not_stop_the_sweep(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                     " INSERT INTO message (seq, id, state, created, updated, body_form, route,"
                     " payload_hash) SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID
                     ", CASE WHEN i <= 490 THEN 'received' ELSE 'sent' END,"
                     " i, i, 0, 'r', x'00' FROM n");
    size_t swept = 0;
    for (int i = 0; i < 60; i++)
        swept += sweep(fixture, 1000, 1);
    assert_int_equal(swept, 10);
    assert_int_equal(count_rows(fixture), 490);
}

// A short retention makes nobody forget what it has sent.
static void rows_stay_while_their_payload_must_be_known(void **state)
{
    struct fixture *fixture = *state;
    char coded[QUEUE_ID_SIZE], plain[QUEUE_ID_SIZE], raw[QUEUE_ID_SIZE], again[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"coded\":1}", LANE_CODE, now_ms, 0, coded);
    assert_int_equal(accept_now(fixture->queue, "{\"plain\":1}", plain), QUEUE_DONE);
    struct queue_mail mail = {
        .envelope = envelope_at(now_ms), .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
    mail.envelope.coded = false;
    assert_int_equal(compose(fixture->queue, plain, &mail, 1), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", raw), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, coded, MESSAGE_SENT, NULL), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, plain, MESSAGE_SENT, NULL), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, raw, MESSAGE_FAILED, "odd"), QUEUE_DONE);

    fixture_pass(fixture, 10 * MINUTE_MS - 1);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 0);
    fixture_pass(fixture, 1);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 1);
    fixture_pass(fixture, DAY_MS - 10 * MINUTE_MS - 1);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 0);
    assert_int_equal(accept_now(fixture->queue, "{\"coded\":1}", again), QUEUE_DUPLICATE);
    assert_string_equal(again, coded);
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", again), QUEUE_DUPLICATE);
    assert_string_equal(again, raw);
    fixture_pass(fixture, 1);
    assert_int_equal(sweep(fixture, queue_now_ms(fixture->queue), 10), 2);
    assert_int_equal(count_rows(fixture), 0);
}

static void a_sweep_tells_whether_it_has_looked_at_everything(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25)"
                     " INSERT INTO message (seq, id, state, created, updated, body_form, route,"
                     " payload_hash) SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID
                     ", 'received', i, i, 0, 'r', x'00' FROM n");
    static const bool wanted[] = {true, true, false, true}; // ten at a time, then anew
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct error err = {0};
        size_t swept = 99;
        bool more = !wanted[i];
        assert_true(queue_sweep(fixture->queue, 1000, 1, &swept, &more, &err));
        assert_int_equal(swept, 0);
        assert_int_equal(more, wanted[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_crash_gives_leases_back_uncharged),
        QUEUE_TEST(a_reboot_counts_an_unknown_outcome_and_ends_the_third),
        QUEUE_TEST(a_reboot_is_known_until_it_was_recovered_from),
        QUEUE_TEST(what_waits_is_left_alone),
        QUEUE_TEST(kept_bodies_go_when_they_can_help_no_more),
        QUEUE_TEST(bodies_set_aside_are_kept_for_a_week_at_least),
        QUEUE_TEST(old_final_rows_are_deleted_in_batches),
        QUEUE_TEST(rows_that_stay_do_not_stop_the_sweep),
        QUEUE_TEST(rows_stay_while_their_payload_must_be_known),
        QUEUE_TEST(a_sweep_tells_whether_it_has_looked_at_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
