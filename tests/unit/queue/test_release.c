// What was set aside, and is let go again.
#include "queue_fixture.h"

#define PAYLOAD "{\"raw\":1}"

static enum queue_result release_it(struct queue *queue, const char *id)
{
    return act(queue, QUEUE_RELEASE, id, NULL);
}

static void park(struct queue *queue, const char *id, const struct queue_envelope *envelope)
{
    const struct queue_settlement parked = {
        .state = MESSAGE_PARKED, .reason = "no_recipient", .envelope = envelope};
    assert_int_equal(settle(queue, id, &parked), QUEUE_DONE);
}

static size_t count_received(struct queue_reader *reader, const char *id)
{
    char ids[8][QUEUE_ID_SIZE];
    size_t count = 0, found = 0;
    struct error err = {0};
    assert_true(queue_received(reader, 8, ids, &count, &err));
    for (size_t i = 0; i < count; i++)
        found += strcmp(ids[i], id) == 0;
    return found;
}

// ---- from the payload -----------------------------------------------------------------------

static void a_parked_payload_is_received_again(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    uint8_t supersede[QUEUE_DIGEST_SIZE] = {1};
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    struct queue_envelope envelope = envelope_at(now_ms);
    envelope.supersede_digest = supersede;
    park(fixture->queue, id, &envelope);
    assert_body(fixture->reader, id, PAYLOAD); // byte for byte, whatever was found out about it
    fixture_pass(fixture, MINUTE_MS);

    assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_RECEIVED);
    assert_string_equal(row.reason, "");
    assert_false(row.has_lane || row.has_supersede || row.composed || row.coded);
    assert_int_equal(row.not_before_ms, 0);
    assert_int_equal(row.created_ms, now_ms);
    assert_int_equal(row.updated_ms, now_ms + MINUTE_MS);
    assert_int_equal(row.deadline_ms, now_ms + 15 * MINUTE_MS); // once known
    assert_body(fixture->reader, id, PAYLOAD);
    assert_int_equal(count_received(fixture->reader, id), 1);

    // It goes the way that every payload goes.
    const struct queue_mail mail = {
        .envelope = envelope, .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
    assert_int_equal(compose(fixture->queue, id, &mail, 1), QUEUE_DONE);
    assert_body(fixture->reader, id, "{}");
}

static void what_was_never_understood_is_received_again(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    park(fixture->queue, id, NULL);
    assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
    assert_state(fixture->reader, id, MESSAGE_RECEIVED);
    assert_int_equal(load_row(fixture->reader, id).deadline_ms, 0);
    assert_int_equal(count_received(fixture->reader, id), 1);
}

static void what_it_has_cost_stays_counted(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    const struct queue_attempt attempt = {.outcome = "unknown", .reply_text = "cut off"};
    const struct queue_settlement parked = {
        .state = MESSAGE_PARKED, .attempt = &attempt, .charge = true, .charge_unknown = true};
    assert_int_equal(settle(fixture->queue, id, &parked), QUEUE_DONE);
    assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.unknown_outcomes, 1);
    assert_string_equal(row.last_reply, "cut off");
}

static void the_same_payload_is_known_while_it_is_parked_and_after(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], again[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue));
    envelope.coded = false; // else known for ten minutes only
    envelope.deadline_ms += DAY_MS;
    park(fixture->queue, id, &envelope);
    fixture_pass(fixture, HOUR_MS);
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, again), QUEUE_DUPLICATE);
    assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, again), QUEUE_DUPLICATE);
    assert_string_equal(again, id);
}

static void what_is_composed_anew_replaces_nothing_before(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], id[QUEUE_ID_SIZE], newer[QUEUE_ID_SIZE];
    uint8_t supersede[QUEUE_DIGEST_SIZE] = {1};
    int64_t now_ms = queue_now_ms(fixture->queue);
    make_queued(fixture->queue, "{\"old\":1}", LANE_CODE, now_ms, 0, old);
    assert_int_equal(accept_at(fixture->queue, PAYLOAD, now_ms + 1, id), QUEUE_DONE);
    struct queue_envelope envelope = envelope_at(now_ms + 1);
    envelope.supersede_digest = supersede;
    envelope.supersede_by_browser = true;
    park(fixture->queue, id, &envelope);
    bool found = true;
    struct error err = {0};
    for (int released = 0; released < 2; released++) {
        assert_true(
            queue_find_newer(fixture->reader, supersede, true, old, now_ms, newer, &found, &err));
        assert_false(found);
        if (!released)
            assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
    }
}

// Two that differ only in their HTML are two payloads of one mail.
static void neither_of_two_is_the_others_duplicate_until_one_goes(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t content[QUEUE_DIGEST_SIZE] = {1};
    char ids[2][QUEUE_ID_SIZE], got[QUEUE_ID_SIZE];
    struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue));
    envelope.content_digest = content;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(accept_now(fixture->queue, i ? "{\"n\":1}" : "{\"n\":2}", ids[i]),
                         QUEUE_DONE);
        park(fixture->queue, ids[i], &envelope);
    }
    int64_t now_ms = queue_now_ms(fixture->queue);
    bool found = true;
    struct error err = {0};
    for (int released = 0; released <= 2; released++) {
        for (int i = 0; i < 2; i++) {
            assert_true(
                queue_find_content(fixture->reader, content, ids[i], now_ms, got, &found, &err));
            assert_false(found);
        }
        if (released < 2)
            assert_int_equal(release_it(fixture->queue, ids[released]), QUEUE_DONE);
    }
    // What is composed of nothing is nobody's first either.
    assert_int_equal(compose(fixture->queue, ids[0], NULL, 0), QUEUE_DONE);
    assert_true(queue_find_content(fixture->reader, content, ids[1], now_ms, got, &found, &err));
    assert_false(found);
}

// ---- from a canonical mail --------------------------------------------------------------------

static void a_parked_mail_is_due_at_once(void **state)
{
    struct fixture *fixture = *state;
    static const enum message_state from[] = {MESSAGE_PARKED, MESSAGE_HELD};
    for (size_t i = 0; i < 2; i++) {
        char id[QUEUE_ID_SIZE], payload[32], ids[4][QUEUE_ID_SIZE];
        size_t count = 0;
        struct error err = {0};
        int64_t now_ms = queue_now_ms(fixture->queue);
        snprintf(payload, sizeof(payload), "{\"n\":%zu}", i);
        make_queued(fixture->queue, payload, LANE_CODE, now_ms, now_ms + HOUR_MS, id);
        assert_int_equal(settle_as(fixture->queue, id, from[i], "no_content"), QUEUE_DONE);
        fixture_pass(fixture, MINUTE_MS);
        assert_int_equal(release_it(fixture->queue, id), QUEUE_DONE);
        struct queue_message row = load_row(fixture->reader, id);
        assert_int_equal(row.state, MESSAGE_QUEUED);
        assert_string_equal(row.reason, "released");
        assert_int_equal(row.not_before_ms, now_ms + MINUTE_MS);
        assert_int_equal(row.deadline_ms, now_ms + 15 * MINUTE_MS);
        assert_body(fixture->reader, id, payload);
        assert_true(
            queue_due(fixture->reader, LANE_CODE, now_ms + MINUTE_MS, 4, ids, &count, &err));
        assert_int_equal(count, 1);
        assert_string_equal(ids[0], id);
        assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_DONE);
    }
}

static void a_parked_mail_whose_like_has_gone_ends_as_its_duplicate(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t content[QUEUE_DIGEST_SIZE] = {1};
    static const enum message_state from[] = {MESSAGE_PARKED, MESSAGE_HELD};
    char ids[3][QUEUE_ID_SIZE];
    struct queue_mail mail = {.envelope = envelope_at(queue_now_ms(fixture->queue)),
                              .body = "{}",
                              .body_size = 2,
                              .state = MESSAGE_QUEUED};
    mail.envelope.content_digest = content;
    for (int i = 0; i < 3; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"n\":%d}", i);
        assert_int_equal(accept_now(fixture->queue, payload, ids[i]), QUEUE_DONE);
        assert_int_equal(compose(fixture->queue, ids[i], &mail, 1), QUEUE_DONE);
        if (i < 2)
            assert_int_equal(settle_as(fixture->queue, ids[i], from[i], "no_content"), QUEUE_DONE);
    }
    assert_int_equal(release_it(fixture->queue, ids[0]), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, ids[0]);
    assert_int_equal(row.state, MESSAGE_SUPERSEDED);
    assert_string_equal(row.reason, "duplicate");
    assert_false(row.has_body);
    // One that is held was known all the time, so the others are its duplicates.
    assert_int_equal(release_it(fixture->queue, ids[1]), QUEUE_DONE);
    assert_state(fixture->reader, ids[1], MESSAGE_QUEUED);
}

// ---- what is not released -----------------------------------------------------------------------

static void only_what_was_set_aside_is_released(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < MESSAGE_STATE_COUNT; i++) {
        enum message_state from = (enum message_state)i;
        char id[QUEUE_ID_SIZE], sql[160];
        bool is_aside = from == MESSAGE_PARKED || from == MESSAGE_HELD;
        snprintf(sql, sizeof(sql), "{\"n\":%d}", i);
        assert_int_equal(accept_now(fixture->queue, sql, id), QUEUE_DONE);
        snprintf(sql, sizeof(sql), "UPDATE message SET state = '%s' WHERE id = '%s'",
                 message_state_name(from), id);
        run_sql(fixture, sql);
        assert_int_equal(release_it(fixture->queue, id), is_aside ? QUEUE_DONE : QUEUE_WRONG_STATE);
        assert_state(fixture->reader, id, is_aside ? MESSAGE_RECEIVED : from);
    }
    assert_int_equal(release_it(fixture->queue, "nothing"), QUEUE_GONE);
    assert_int_equal(release_it(fixture->queue, "01938c5e-0000-7000-8000-000000000000"),
                     QUEUE_GONE);
}

static void it_is_released_once(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    park(fixture->queue, id, NULL);
    struct outcome outcomes[2] = {OUTCOME_INIT, OUTCOME_INIT};
    for (int i = 0; i < 2; i++)
        queue_act(fixture->queue, QUEUE_RELEASE, id, outcome_acted, &outcomes[i]);
    assert_int_equal(outcome_wait(&outcomes[0]), QUEUE_DONE);
    assert_int_equal(outcome_wait(&outcomes[1]), QUEUE_WRONG_STATE);
}

static void without_its_body_it_stays_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    size_t swept = 0;
    bool more = false;
    struct error err = {0};
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    park(fixture->queue, id, NULL);
    fixture_pass(fixture, 7 * DAY_MS - 1);
    assert_true(queue_sweep(fixture->queue, 0, 10, &swept, &more, &err));
    assert_body(fixture->reader, id, PAYLOAD); // seven days at least
    fixture_pass(fixture, 1);
    assert_true(queue_sweep(fixture->queue, 0, 10, &swept, &more, &err));
    assert_int_equal(release_it(fixture->queue, id), QUEUE_BODY_DROPPED);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_PARKED);
    assert_false(row.has_body);
}

// ---- one mail of several ------------------------------------------------------------------------

static bool keep_second(void *context, const struct queue_message *message)
{
    if (message->array_index == 1)
        *(struct queue_message *)context = *message;
    return true;
}

static void a_part_keeps_the_whole_payload_and_its_place(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct error err = {0};
    assert_int_equal(accept_now(fixture->queue, PAYLOAD, id), QUEUE_DONE);
    const struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue));
    const struct queue_mail parked = {.envelope = envelope,
                                      .body = PAYLOAD,
                                      .body_size = strlen(PAYLOAD),
                                      .body_is_payload = true,
                                      .state = MESSAGE_PARKED,
                                      .reason = "not_canonical"};
    const struct queue_mail mails[] = {parked, parked};
    assert_int_equal(compose(fixture->queue, id, mails, 2), QUEUE_DONE);
    struct queue_message second = {0};
    assert_true(queue_list(fixture->reader, &(struct queue_filter){.limit = 9}, keep_second,
                           &second, &err));
    const char *const ids[] = {id, second.id};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(release_it(fixture->queue, ids[i]), QUEUE_DONE);
        struct queue_message row = load_row(fixture->reader, ids[i]);
        assert_int_equal(row.state, MESSAGE_RECEIVED);
        assert_int_equal(row.array_index, i);
        assert_true(row.is_part && !row.composed);
        assert_body(fixture->reader, ids[i], PAYLOAD);

        // Parked once more it is still that part; and once it is a mail it is none.
        park(fixture->queue, ids[i], &envelope);
        assert_true(load_row(fixture->reader, ids[i]).is_part);
        assert_body(fixture->reader, ids[i], PAYLOAD);
        assert_int_equal(release_it(fixture->queue, ids[i]), QUEUE_DONE);
        const struct queue_mail mail = {
            .envelope = envelope, .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
        assert_int_equal(compose(fixture->queue, ids[i], &mail, 1), QUEUE_DONE);
        row = load_row(fixture->reader, ids[i]);
        assert_int_equal(row.array_index, i);
        assert_true(row.composed && !row.is_part);
        assert_body(fixture->reader, ids[i], "{}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(a_parked_payload_is_received_again),
        QUEUE_TEST(what_was_never_understood_is_received_again),
        QUEUE_TEST(what_it_has_cost_stays_counted),
        QUEUE_TEST(the_same_payload_is_known_while_it_is_parked_and_after),
        QUEUE_TEST(what_is_composed_anew_replaces_nothing_before),
        QUEUE_TEST(neither_of_two_is_the_others_duplicate_until_one_goes),
        QUEUE_TEST(a_parked_mail_is_due_at_once),
        QUEUE_TEST(a_parked_mail_whose_like_has_gone_ends_as_its_duplicate),
        QUEUE_TEST(only_what_was_set_aside_is_released),
        QUEUE_TEST(it_is_released_once),
        QUEUE_TEST(without_its_body_it_stays_where_it_is),
        QUEUE_TEST(a_part_keeps_the_whole_payload_and_its_place),
    };
    return cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
