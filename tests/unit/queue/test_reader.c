// What the dispatcher and people read.
#include "queue_fixture.h"

typedef char queue_id[QUEUE_ID_SIZE];

static size_t due(struct fixture *fixture, enum lane lane, size_t limit, queue_id *ret_ids)
{
    struct error err = {0};
    size_t count = 0;
    if (!queue_due(fixture->reader, lane, queue_now_ms(fixture->queue), limit, ret_ids, &count,
                   &err))
        fail_msg("%s", err.message);
    return count;
}

static int64_t next_due(struct fixture *fixture)
{
    struct error err = {0};
    int64_t due_ms = 0;
    if (!queue_next_due(fixture->reader, queue_now_ms(fixture->queue), &due_ms, &err))
        fail_msg("%s", err.message);
    return due_ms;
}

static void received_rows_come_newest_first(void **state)
{
    struct fixture *fixture = *state;
    queue_id ids[4], got[8];
    struct error err = {0};
    size_t count = 0;
    for (int i = 0; i < 4; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "{\"i\":%d}", i);
        fixture_pass(fixture, 1);
        assert_int_equal(accept_now(fixture->queue, payload, ids[i]), QUEUE_DONE);
    }
    assert_int_equal(settle_as(fixture->queue, ids[2], MESSAGE_PARKED, "odd"), QUEUE_DONE);
    assert_true(queue_received(fixture->reader, 8, got, &count, &err));
    assert_int_equal(count, 3);
    assert_string_equal(got[0], ids[3]);
    assert_string_equal(got[1], ids[1]);
    assert_string_equal(got[2], ids[0]);
    assert_true(queue_received(fixture->reader, 2, got, &count, &err));
    assert_int_equal(count, 2);
}

static void codes_come_newest_first_and_the_rest_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        queue_id ids[3], got[8];
        int64_t now_ms = queue_now_ms(fixture->queue);
        for (int i = 0; i < 3; i++) {
            char payload[32];
            snprintf(payload, sizeof(payload), "{\"%d\":%d}", lane, i);
            make_queued(fixture->queue, payload, (enum lane)lane, now_ms - 10 + i, now_ms - i,
                        ids[i]);
        }
        assert_int_equal(due(fixture, (enum lane)lane, 8, got), 3);
        for (int i = 0; i < 3; i++)
            assert_string_equal(got[i], ids[lane == LANE_CODE ? 2 - i : i]);
        assert_int_equal(due(fixture, (enum lane)lane, 1, got), 1);
        assert_string_equal(got[0], ids[lane == LANE_CODE ? 2 : 0]);
    }
}

static void only_what_is_due_and_waits_is_due(void **state)
{
    struct fixture *fixture = *state;
    queue_id now, later, claimed, got[8];
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, now_ms, 0, now);
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms, now_ms + 1000, later);
    make_queued(fixture->queue, "{\"a\":3}", LANE_CODE, now_ms, 0, claimed);
    assert_int_equal(claim(fixture->queue, claimed, "run"), QUEUE_DONE);
    assert_int_equal(due(fixture, LANE_CODE, 8, got), 1);
    assert_string_equal(got[0], now);
    assert_int_equal(due(fixture, LANE_NOTICE, 8, got), 0);
    fixture_pass(fixture, 1000);
    assert_int_equal(due(fixture, LANE_CODE, 8, got), 2);
    assert_string_equal(got[0], later);
}

// The other way of finding them gives the same order.
static void thousands_of_due_rows_come_in_the_same_order(void **state)
{
    struct fixture *fixture = *state;
    static const char SQL[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
        " INSERT INTO message (seq, id, state, lane, created, updated, not_before, deadline,"
        " body_form, route, payload_hash) SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID ", 'queued',"
        " CASE i % 2 WHEN 0 THEN 'bulk' ELSE 'code' END, (i + 3) / 4, i, 12000 - i, 1000000 + i,"
        " 0, 'r', randomblob(32) FROM n";
    run_sql(fixture, SQL);
    queue_id got[4], want;
    assert_int_equal(due(fixture, LANE_CODE, 4, got), 4);
    for (int i = 0; i < 4; i++) {
        row_id(11999 - 2 * i, want); // two have each age
        assert_string_equal(got[i], want);
    }
    assert_int_equal(due(fixture, LANE_BULK, 4, got), 4);
    for (int i = 0; i < 4; i++) {
        row_id(2 + 2 * i, want);
        assert_string_equal(got[i], want);
    }
}

static void the_next_moment_is_a_due_time_or_a_deadline(void **state)
{
    struct fixture *fixture = *state;
    queue_id id;
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_true(next_due(fixture) == INT64_MAX);
    make_queued(fixture->queue, "{\"a\":1}", LANE_BULK, now_ms, now_ms, id);
    assert_int_equal(next_due(fixture), now_ms + 15 * MINUTE_MS); // due already: its deadline
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms, now_ms + 7000, id);
    make_queued(fixture->queue, "{\"a\":3}", LANE_NOTICE, now_ms, now_ms + 5000, id);
    assert_int_equal(next_due(fixture), now_ms + 5000);
    fixture_pass(fixture, 5000);
    assert_int_equal(next_due(fixture), now_ms + 7000);
    fixture_pass(fixture, DAY_MS);
    assert_true(next_due(fixture) == INT64_MAX);
}

static void overdue_rows_are_named(void **state)
{
    struct fixture *fixture = *state;
    queue_id first, second, got[4];
    struct error err = {0};
    size_t count = 0;
    int64_t next_ms = 0, now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, now_ms, 0, first);
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms + 1, 0, second);
    assert_true(queue_overdue(fixture->reader, now_ms, 4, got, &count, &next_ms, &err));
    assert_int_equal(count, 0);
    assert_int_equal(next_ms, now_ms + 15 * MINUTE_MS);
    now_ms += 15 * MINUTE_MS;
    assert_true(queue_overdue(fixture->reader, now_ms, 4, got, &count, &next_ms, &err));
    assert_int_equal(count, 1);
    assert_string_equal(got[0], first);
    assert_int_equal(next_ms, now_ms + 1);
    now_ms += 1;
    assert_true(queue_overdue(fixture->reader, now_ms, 4, got, &count, &next_ms, &err));
    assert_int_equal(count, 2);
    assert_true(next_ms == INT64_MAX);
}

// ---- likes ------------------------------------------------------------------------------------

// Accepts payload and settles it as state with the given digests.
static void make_like(struct fixture *fixture, const char *payload, bool coded,
                      enum message_state state, const char *reason, const uint8_t *content,
                      const uint8_t *supersede, bool by_browser, queue_id ret_id)
{
    struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue));
    envelope.coded = coded;
    envelope.content_digest = content;
    envelope.supersede_digest = supersede;
    envelope.supersede_by_browser = by_browser;
    assert_int_equal(accept_now(fixture->queue, payload, ret_id), QUEUE_DONE);
    const struct queue_settlement settlement = {
        .state = state, .reason = reason, .envelope = &envelope, .body = "{}", .body_size = 2};
    assert_int_equal(settle(fixture->queue, ret_id, &settlement), QUEUE_DONE);
}

static bool find_content(struct fixture *fixture, const uint8_t *digest, const char *own,
                         queue_id ret_id)
{
    struct error err = {0};
    bool found = false;
    assert_true(queue_find_content(fixture->reader, digest, own, queue_now_ms(fixture->queue),
                                   ret_id, &found, &err));
    return found;
}

static void the_same_content_in_another_payload_is_found_in_its_window(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t CODED[QUEUE_DIGEST_SIZE] = {1}, UNCODED[QUEUE_DIGEST_SIZE] = {2},
                         ENDED[QUEUE_DIGEST_SIZE] = {3}, PARKED[QUEUE_DIGEST_SIZE] = {4};
    queue_id coded, uncoded, ended, parked, own, got;
    make_like(fixture, "{\"a\":1}", true, MESSAGE_SENT, NULL, CODED, NULL, false, coded);
    make_like(fixture, "{\"a\":2}", false, MESSAGE_SENT, NULL, UNCODED, NULL, false, uncoded);
    make_like(fixture, "{\"a\":3}", true, MESSAGE_SUPERSEDED, "duplicate", ENDED, NULL, false,
              ended);
    make_like(fixture, "{\"a\":4}", true, MESSAGE_PARKED, "no_recipient", PARKED, NULL, false,
              parked);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":5}", own), QUEUE_DONE);
    assert_true(find_content(fixture, CODED, own, got));
    assert_string_equal(got, coded);
    assert_false(find_content(fixture, CODED, coded, got)); // itself
    assert_true(find_content(fixture, UNCODED, own, got));
    assert_string_equal(got, uncoded);
    assert_false(find_content(fixture, ENDED, own, got));
    assert_false(find_content(fixture, PARKED, own, got));
    assert_true(find_content(fixture, CODED, "not-stored-yet", got));
    fixture_pass(fixture, 10 * MINUTE_MS);
    assert_false(find_content(fixture, UNCODED, "not-stored-yet", got));
    fixture_pass(fixture, DAY_MS - 10 * MINUTE_MS - 1);
    assert_true(find_content(fixture, CODED, "not-stored-yet", got));
    fixture_pass(fixture, 1);
    assert_false(find_content(fixture, CODED, "not-stored-yet", got));
}

// As one that was released meets them: its like came after it, and it was composed much later.
static void the_window_is_the_distance_of_the_two(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t CODED[QUEUE_DIGEST_SIZE] = {1}, UNCODED[QUEUE_DIGEST_SIZE] = {2};
    queue_id own, coded, uncoded, got;
    assert_int_equal(accept_now(fixture->queue, "{\"a\":1}", own), QUEUE_DONE);
    fixture_pass(fixture, 10 * MINUTE_MS - 1);
    make_like(fixture, "{\"a\":2}", false, MESSAGE_SENT, NULL, UNCODED, NULL, false, uncoded);
    make_like(fixture, "{\"a\":3}", true, MESSAGE_SENT, NULL, CODED, NULL, false, coded);
    fixture_pass(fixture, 3 * DAY_MS);
    assert_true(find_content(fixture, UNCODED, own, got));
    assert_string_equal(got, uncoded);
    assert_true(find_content(fixture, CODED, own, got));
    assert_string_equal(got, coded);

    // A notice that people get once more, as they do what it is about once more.
    assert_int_equal(accept_now(fixture->queue, "{\"a\":4}", own), QUEUE_DONE);
    fixture_pass(fixture, 10 * MINUTE_MS);
    make_like(fixture, "{\"a\":5}", false, MESSAGE_SENT, NULL, UNCODED, NULL, false, uncoded);
    assert_false(find_content(fixture, UNCODED, own, got));
}

static bool find_newer(struct fixture *fixture, const uint8_t *digest, bool by_browser,
                       const char *own, queue_id ret_id)
{
    struct error err = {0};
    bool found = false;
    int64_t created_ms = load_row(fixture->reader, own).created_ms;
    assert_true(queue_find_newer(fixture->reader, digest, by_browser, own, created_ms, ret_id,
                                 &found, &err));
    return found;
}

static void a_newer_message_with_the_same_key_is_found(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t FLOW[QUEUE_DIGEST_SIZE] = {1}, BROWSER[QUEUE_DIGEST_SIZE] = {2};
    static const struct {
        enum message_state state;
        const char *reason;
        bool by_flow, by_browser;
    } CASES[] = {
        {MESSAGE_SENT, NULL, true, true},          {MESSAGE_QUEUED, NULL, true, true},
        {MESSAGE_SUPERSEDED, "newer", true, true}, {MESSAGE_SUPERSEDED, "duplicate", false, false},
        {MESSAGE_FAILED, NULL, true, false},       {MESSAGE_PARKED, NULL, true, false},
        {MESSAGE_CANCELLED, NULL, true, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        for (int by_browser = 0; by_browser < 2; by_browser++) {
            uint8_t digest[QUEUE_DIGEST_SIZE];
            queue_id older, newer, got;
            char payload[2][32];
            memcpy(digest, by_browser ? BROWSER : FLOW, sizeof(digest));
            digest[1] = (uint8_t)i;
            snprintf(payload[0], 32, "{\"%zu\":\"%d old\"}", i, by_browser);
            snprintf(payload[1], 32, "{\"%zu\":\"%d new\"}", i, by_browser);
            make_like(fixture, payload[0], true, MESSAGE_QUEUED, NULL, NULL, digest, by_browser,
                      older);
            fixture_pass(fixture, 1);
            make_like(fixture, payload[1], true, CASES[i].state, CASES[i].reason, NULL, digest,
                      by_browser, newer);
            bool want = by_browser ? CASES[i].by_browser : CASES[i].by_flow;
            assert_int_equal(find_newer(fixture, digest, by_browser, older, got), want);
            if (want)
                assert_string_equal(got, newer);
            assert_false(find_newer(fixture, digest, by_browser, newer, got));
            assert_false(find_newer(fixture, digest, !by_browser, older, got));
        }
    }
}

static void mails_of_one_payload_do_not_supersede_each_other(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t DIGEST[QUEUE_DIGEST_SIZE] = {7};
    queue_id id, got;
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    struct queue_mail mails[2];
    for (int i = 0; i < 2; i++) {
        mails[i] = (struct queue_mail){.envelope = envelope_at(queue_now_ms(fixture->queue)),
                                       .body = "{}",
                                       .body_size = 2,
                                       .state = MESSAGE_QUEUED};
        mails[i].envelope.supersede_digest = DIGEST;
        mails[i].envelope.content_digest = DIGEST;
    }
    assert_int_equal(compose(fixture->queue, id, mails, 2), QUEUE_DONE);
    assert_false(find_newer(fixture, DIGEST, false, id, got));
    assert_false(find_content(fixture, DIGEST, id, got));
}

// ---- lists and counts -------------------------------------------------------------------------

struct listed {
    int count, stop_after;
    queue_id ids[64];
};

static bool collect(void *context, const struct queue_message *message)
{
    struct listed *listed = context;
    memcpy(listed->ids[listed->count++], message->id, QUEUE_ID_SIZE);
    return listed->count != listed->stop_after;
}

static int list(struct fixture *fixture, struct queue_filter filter, struct listed *ret_listed)
{
    struct error err = {0};
    if (filter.limit == 0)
        filter.limit = 64;
    ret_listed->count = 0;
    if (!queue_list(fixture->reader, &filter, collect, ret_listed, &err))
        fail_msg("%s", err.message);
    return ret_listed->count;
}

static void a_list_is_newest_first_filtered_and_paged(void **state)
{
    struct fixture *fixture = *state;
    queue_id ids[6];
    int64_t start_ms = queue_now_ms(fixture->queue);
    struct listed got = {0};
    for (int i = 0; i < 6; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "{\"i\":%d}", i);
        make_queued(fixture->queue, payload, i % 2 ? LANE_BULK : LANE_CODE, start_ms + i, 0,
                    ids[i]);
        fixture_pass(fixture, 1);
    }
    assert_int_equal(settle_as(fixture->queue, ids[4], MESSAGE_FAILED, "rejected"), QUEUE_DONE);
    assert_int_equal(list(fixture, (struct queue_filter){0}, &got), 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(got.ids[i], ids[5 - i]);

    assert_int_equal(list(fixture, (struct queue_filter){.limit = 2}, &got), 2);
    assert_int_equal(list(fixture, (struct queue_filter){.limit = 2, .before_id = ids[4]}, &got),
                     2);
    assert_string_equal(got.ids[0], ids[3]);
    assert_int_equal(
        list(fixture, (struct queue_filter){.has_lane = true, .lane = LANE_BULK}, &got), 3);
    assert_int_equal(
        list(fixture, (struct queue_filter){.states = QUEUE_STATE_BIT(MESSAGE_FAILED)}, &got), 1);
    assert_string_equal(got.ids[0], ids[4]);
    assert_int_equal(list(fixture, (struct queue_filter){.recipient = "ZOE@Example.com"}, &got), 6);
    assert_int_equal(list(fixture, (struct queue_filter){.recipient = "zoe@example"}, &got), 0);
    assert_int_equal(list(fixture, (struct queue_filter){.template = "login_code_valid"}, &got), 6);
    assert_int_equal(list(fixture, (struct queue_filter){.template = "login"}, &got), 0);
    assert_int_equal(
        list(fixture, (struct queue_filter){.since_ms = start_ms + 2, .before_ms = start_ms + 4},
             &got),
        2);
    got.stop_after = 3;
    assert_int_equal(list(fixture, (struct queue_filter){0}, &got), 3);
}

static void a_list_goes_through_a_large_queue_in_stretches(void **state)
{
    struct fixture *fixture = *state;
    run_sql(fixture,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500)"
            " INSERT INTO message (seq, id, state, created, updated, body_form, route,"
            " payload_hash) SELECT " SQL_ROW_SEQ ", " SQL_ROW_ID
            ", CASE i % 1000 WHEN 1 THEN 'parked' ELSE 'sent' END,"
            " i, i, 0, 'r', x'00' FROM n");
    struct listed got = {0};
    struct queue_filter filter = {.states = QUEUE_STATE_BIT(MESSAGE_PARKED)};
    assert_int_equal(list(fixture, filter, &got), 4);
    queue_id id, want;
    row_id(3001, want);
    assert_string_equal(got.ids[0], want);
    row_id(1, want);
    assert_string_equal(got.ids[3], want);
    filter.limit = 3;
    assert_int_equal(list(fixture, filter, &got), 3);
    row_id(1001, id);
    filter.before_id = id;
    assert_int_equal(list(fixture, filter, &got), 1);
    row_id(2500, id);
    filter = (struct queue_filter){.limit = 50, .before_id = id};
    assert_int_equal(list(fixture, filter, &got), 50);
    row_id(2450, want);
    assert_string_equal(got.ids[49], want);
    struct error err = {0};
    filter.before_id = "id-02500";
    assert_false(queue_list(fixture->reader, &filter, collect, &got, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

static void the_statistics_count_every_state_and_lane(void **state)
{
    struct fixture *fixture = *state;
    queue_id id;
    struct queue_stats stats;
    struct error err = {0};
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_true(queue_stats(fixture->reader, &stats, &err));
    assert_int_equal(stats.count[MESSAGE_SENT], 0);
    assert_int_equal(stats.oldest_waiting_ms[LANE_CODE], 0);
    make_queued(fixture->queue, "{\"a\":1}", LANE_CODE, now_ms + 5, 0, id);
    assert_int_equal(claim(fixture->queue, id, "run"), QUEUE_DONE);
    make_queued(fixture->queue, "{\"a\":2}", LANE_CODE, now_ms + 3, 0, id);
    make_queued(fixture->queue, "{\"a\":3}", LANE_BULK, now_ms, 0, id);
    for (int i = 0; i < 3; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "{\"b\":%d}", i);
        make_queued(fixture->queue, payload, LANE_CODE, now_ms, 0, id);
        assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    }
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DONE);
    assert_true(queue_stats(fixture->reader, &stats, &err));
    assert_int_equal(stats.count[MESSAGE_RECEIVED], 1);
    assert_int_equal(stats.count[MESSAGE_QUEUED], 2);
    assert_int_equal(stats.count[MESSAGE_SENDING], 1);
    assert_int_equal(stats.count[MESSAGE_SENT], 3);
    assert_int_equal(stats.count[MESSAGE_PARKED], 0);
    assert_int_equal(stats.waiting[LANE_CODE], 2);
    assert_int_equal(stats.waiting[LANE_NOTICE], 0);
    assert_int_equal(stats.waiting[LANE_BULK], 1);
    assert_int_equal(stats.oldest_waiting_ms[LANE_CODE], now_ms + 3);
    assert_int_equal(stats.oldest_waiting_ms[LANE_BULK], now_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(received_rows_come_newest_first),
        QUEUE_TEST(codes_come_newest_first_and_the_rest_oldest_first),
        QUEUE_TEST(only_what_is_due_and_waits_is_due),
        QUEUE_TEST(thousands_of_due_rows_come_in_the_same_order),
        QUEUE_TEST(the_next_moment_is_a_due_time_or_a_deadline),
        QUEUE_TEST(overdue_rows_are_named),
        QUEUE_TEST(the_same_content_in_another_payload_is_found_in_its_window),
        QUEUE_TEST(the_window_is_the_distance_of_the_two),
        QUEUE_TEST(a_newer_message_with_the_same_key_is_found),
        QUEUE_TEST(mails_of_one_payload_do_not_supersede_each_other),
        QUEUE_TEST(a_list_is_newest_first_filtered_and_paged),
        QUEUE_TEST(a_list_goes_through_a_large_queue_in_stretches),
        QUEUE_TEST(the_statistics_count_every_state_and_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
