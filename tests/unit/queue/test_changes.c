// The life of a row once it was accepted: composing, leases, settling.
#include "queue_fixture.h"

// ---- compose ----------------------------------------------------------------------------------

static void composing_puts_the_mail_in_place_of_the_payload(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    uint8_t supersede[QUEUE_DIGEST_SIZE] = {1, 2, 3};
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", id), QUEUE_DONE);
    struct queue_mail mail = {.envelope = envelope_at(now_ms),
                              .body = "{\"mail\":1}",
                              .body_size = 10,
                              .state = MESSAGE_QUEUED,
                              .reason = "rate_limited",
                              .not_before_ms = now_ms + 5000};
    mail.envelope.supersede_digest = supersede;
    mail.envelope.supersede_by_browser = true;
    assert_int_equal(compose(fixture->queue, id, &mail, 1), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_QUEUED);
    assert_string_equal(row.reason, "rate_limited");
    assert_string_equal(row.channel, "email");
    assert_string_equal(row.template, "login_code_valid");
    assert_true(row.has_lane && row.lane == LANE_CODE);
    assert_string_equal(row.locale, "hu");
    assert_string_equal(row.recipient, "zoe@example.com");
    assert_string_equal(row.identity_id, "identity-1");
    assert_true(row.coded && row.composed);
    assert_true(row.has_supersede && row.supersede_by_browser);
    assert_memory_equal(row.supersede_digest, supersede, sizeof(supersede));
    assert_int_equal(row.not_before_ms, now_ms + 5000);
    assert_int_equal(row.deadline_ms, now_ms + 15 * MINUTE_MS);
    assert_int_equal(row.created_ms, now_ms);
    assert_body(fixture->reader, id, "{\"mail\":1}");
    // Once composed it is not composed again.
    assert_int_equal(compose(fixture->queue, id, &mail, 1), QUEUE_GONE);
}

struct listed {
    int count;
    struct queue_message rows[16];
};

static bool collect(void *context, const struct queue_message *message)
{
    struct listed *listed = context;
    assert_true(listed->count < 16);
    listed->rows[listed->count++] = *message;
    return true;
}

static void an_array_is_split_into_rows_of_one_payload(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", id), QUEUE_DONE);
    fixture_pass(fixture, 100);
    struct queue_mail mails[3];
    static const char *const BODIES[] = {"{\"m\":0}", "{\"m\":1}", "{\"m\":2}"};
    for (size_t i = 0; i < 3; i++)
        mails[i] = (struct queue_mail){.envelope = envelope_at(now_ms),
                                       .body = BODIES[i],
                                       .body_size = 7,
                                       .state = MESSAGE_QUEUED};
    mails[1].state = MESSAGE_SUPERSEDED;
    mails[1].reason = "duplicate";
    assert_int_equal(compose(fixture->queue, id, mails, 3), QUEUE_DONE);

    struct listed listed = {0};
    struct error err = {0};
    const struct queue_filter filter = {.limit = 16};
    assert_true(queue_list(fixture->reader, &filter, collect, &listed, &err));
    assert_int_equal(listed.count, 3);
    assert_string_equal(listed.rows[2].id, id);
    for (int i = 0; i < 3; i++) {
        const struct queue_message *row = &listed.rows[2 - i];
        assert_int_equal(row->array_index, i);
        assert_int_equal(row->created_ms, now_ms);
        assert_string_equal(row->route, "/kratos/webhook");
        assert_int_equal(row->state, i == 1 ? MESSAGE_SUPERSEDED : MESSAGE_QUEUED);
        assert_body(fixture->reader, row->id, i == 1 ? "" : BODIES[i]);
    }
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", listed.rows[0].id), QUEUE_DUPLICATE);
    assert_string_equal(listed.rows[0].id, id);
}

static bool count_traced(void *context, const struct queue_message *message)
{
    *(int *)context += *message->trace_id && *message->locale_source;
    return true;
}

static void what_it_came_from_is_kept_in_all_its_mails(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcome = OUTCOME_INIT;
    char id[QUEUE_ID_SIZE];
    static const char trace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
    int64_t now_ms = queue_now_ms(fixture->queue);
    queue_new_id(fixture->queue, id);
    const struct queue_accept accept = {.id = id,
                                        .route = "r",
                                        .trace_id = trace,
                                        .payload = "{}",
                                        .payload_size = 2,
                                        .received_ms = now_ms};
    queue_accept(fixture->queue, &accept, outcome_done, &outcome);
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE);
    assert_string_equal(load_row(fixture->reader, id).trace_id, trace);
    assert_string_equal(load_row(fixture->reader, id).locale_source, "");
    struct queue_mail mail = {
        .envelope = envelope_at(now_ms), .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
    mail.envelope.locale_source = "accept_language";
    const struct queue_mail mails[] = {mail, mail};
    assert_int_equal(compose(fixture->queue, id, mails, 2), QUEUE_DONE);
    int traced = 0;
    struct error err = {0};
    const struct queue_filter all = {.limit = 8};
    assert_true(queue_list(fixture->reader, &all, count_traced, &traced, &err));
    assert_int_equal(traced, 2);
    // It stays where the body goes.
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_DONE);
    assert_string_equal(load_row(fixture->reader, id).trace_id, trace);
    assert_string_equal(load_row(fixture->reader, id).locale_source, "accept_language");
}

static void nothing_to_send_ends_as_cancelled(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    assert_int_equal(compose(fixture->queue, id, NULL, 0), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_CANCELLED);
    assert_string_equal(row.reason, "nothing_to_send");
    assert_body(fixture->reader, id, "");
}

static void a_mail_sealed_to_another_time_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    const struct queue_envelope envelope = envelope_at(queue_now_ms(fixture->queue) + 1);
    const struct queue_mail mail = {
        .envelope = envelope, .body = "{}", .body_size = 2, .state = MESSAGE_QUEUED};
    assert_int_equal(compose(fixture->queue, id, &mail, 1), QUEUE_GONE);
    assert_int_equal(
        settle(fixture->queue, id,
               &(struct queue_settlement){
                   .state = MESSAGE_QUEUED, .envelope = &envelope, .body = "{}", .body_size = 2}),
        QUEUE_GONE);
    assert_state(fixture->reader, id, MESSAGE_RECEIVED);
}

// ---- settle -----------------------------------------------------------------------------------

static bool collect_attempt(void *context, const struct queue_attempt_row *attempt)
{
    struct queue_attempt_row **next = context;
    *(*next)++ = *attempt;
    return true;
}

static void a_first_send_leaves_envelope_attempt_and_no_body(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    fixture_pass(fixture, 30);
    const struct queue_envelope envelope = envelope_at(now_ms);
    const struct queue_attempt attempt = {.started_ms = now_ms + 10,
                                          .smarthost = "mx1",
                                          .outcome = "sent",
                                          .reply_code = 250,
                                          .enhanced_code = "2.0.0",
                                          .reply_text = "queued as 7"};
    const struct queue_settlement settlement = {.state = MESSAGE_SENT,
                                                .envelope = &envelope,
                                                .attempt = &attempt,
                                                .charge = true,
                                                .ride = true};
    assert_int_equal(settle(fixture->queue, id, &settlement), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_SENT);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.unknown_outcomes, 0);
    assert_string_equal(row.smarthost, "mx1");
    assert_string_equal(row.last_reply, "250 2.0.0 queued as 7");
    assert_string_equal(row.recipient, "zoe@example.com");
    assert_body(fixture->reader, id, "");

    struct queue_attempt_row rows[4], *next = rows;
    struct error err = {0};
    assert_true(queue_attempts(fixture->reader, id, collect_attempt, &next, &err));
    assert_int_equal(next - rows, 1);
    assert_int_equal(rows[0].started_ms, now_ms + 10);
    assert_int_equal(rows[0].ended_ms, now_ms + 30);
    assert_string_equal(rows[0].outcome, "sent");
    assert_string_equal(rows[0].reply_text, "queued as 7");
    assert_int_equal(rows[0].reply_code, 250);
}

static void a_temporary_refusal_waits_as_a_mail_and_counts(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(accept_now(fixture->queue, "{\"raw\":1}", id), QUEUE_DONE);
    struct queue_envelope envelope = envelope_at(now_ms);
    struct queue_attempt attempt = {.smarthost = "mx1", .outcome = "temporary", .reply_code = 451};
    struct queue_settlement settlement = {.state = MESSAGE_QUEUED,
                                          .envelope = &envelope,
                                          .body = "{\"mail\":1}",
                                          .body_size = 10,
                                          .attempt = &attempt,
                                          .charge = true,
                                          .not_before_ms = now_ms + 2000};
    assert_int_equal(settle(fixture->queue, id, &settlement), QUEUE_DONE);
    assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_DONE);
    // From now on neither envelope nor body change.
    envelope.recipient = "eve@example.com";
    settlement.body = "{\"evil\":1}";
    attempt.outcome = "unknown";
    attempt.smarthost = "mx2";
    settlement.charge_unknown = true;
    assert_int_equal(settle(fixture->queue, id, &settlement), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_QUEUED);
    assert_int_equal(row.attempts, 2);
    assert_int_equal(row.unknown_outcomes, 1);
    assert_string_equal(row.recipient, "zoe@example.com");
    assert_string_equal(row.smarthost, "mx2");
    assert_body(fixture->reader, id, "{\"mail\":1}");
    struct queue_attempt_row rows[4], *next = rows;
    struct error err = {0};
    assert_true(queue_attempts(fixture->reader, id, collect_attempt, &next, &err));
    assert_int_equal(next - rows, 2);
    assert_string_equal(rows[0].smarthost, "mx1");
    assert_string_equal(rows[1].smarthost, "mx2");
}

static void a_received_row_waits_only_as_a_mail(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{}", id), QUEUE_DONE);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_QUEUED, NULL), QUEUE_GONE);
    const struct queue_settlement counts = {
        .state = MESSAGE_RECEIVED, .charge = true, .charge_unknown = true};
    assert_int_equal(settle(fixture->queue, id, &counts), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_RECEIVED);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.unknown_outcomes, 1);
    assert_body(fixture->reader, id, "{}");
}

static void ends_keep_the_body_only_where_it_could_help(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum message_state state;
        bool keeps;
    } CASES[] = {
        {MESSAGE_SENT, false},    {MESSAGE_SUPERSEDED, false}, {MESSAGE_CANCELLED, false},
        {MESSAGE_EXPIRED, false}, {MESSAGE_FAILED, true},      {MESSAGE_UNKNOWN, true},
        {MESSAGE_PARKED, true},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char payload[32], id[QUEUE_ID_SIZE];
        snprintf(payload, sizeof(payload), "{\"end\":%zu}", i);
        make_queued(fixture->queue, payload, LANE_CODE, queue_now_ms(fixture->queue), 0, id);
        assert_int_equal(settle_as(fixture->queue, id, CASES[i].state, "why"), QUEUE_DONE);
        assert_state(fixture->reader, id, CASES[i].state);
        assert_string_equal(load_row(fixture->reader, id).reason, "why");
        assert_body(fixture->reader, id, CASES[i].keeps ? payload : "");
        // An end is an end.
        assert_int_equal(settle_as(fixture->queue, id, MESSAGE_SENT, NULL), QUEUE_GONE);
        assert_int_equal(settle_as(fixture->queue, id, MESSAGE_QUEUED, NULL), QUEUE_GONE);
        assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_GONE);
        assert_state(fixture->reader, id, CASES[i].state);
    }
    assert_int_equal(settle_as(fixture->queue, "nothing", MESSAGE_SENT, NULL), QUEUE_GONE);
}

static void a_message_is_claimed_once(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"r\":1}", id), QUEUE_DONE);
    assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_GONE); // not composed
    make_queued(fixture->queue, "{}", LANE_CODE, queue_now_ms(fixture->queue), 0, id);
    assert_int_equal(claim(fixture->queue, id, "run-1"), QUEUE_DONE);
    assert_state(fixture->reader, id, MESSAGE_SENDING);
    assert_int_equal(claim(fixture->queue, id, "run-2"), QUEUE_GONE);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_RECEIVED, NULL), QUEUE_GONE);
    assert_int_equal(claim(fixture->queue, "nothing", "run-1"), QUEUE_GONE);
}

static void too_long_texts_are_cut_between_characters(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE], reason[QUEUE_TEXT_SIZE + 2];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + QUEUE_TEXT_SIZE - 2, "\xc3\xa9", 3); // its second byte would not fit
    make_queued(fixture->queue, "{}", LANE_BULK, queue_now_ms(fixture->queue), 0, id);
    assert_int_equal(settle_as(fixture->queue, id, MESSAGE_PARKED, reason), QUEUE_DONE);
    assert_int_equal(strlen(load_row(fixture->reader, id).reason), QUEUE_TEXT_SIZE - 2);
}

static void flush_waits_for_all_that_was_submitted(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct outcome outcomes[20];
    char ids[20][QUEUE_ID_SIZE];
    for (int i = 0; i < 20; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"f\":%d}", i);
        outcomes[i] = (struct outcome)OUTCOME_INIT;
        queue_new_id(fixture->queue, ids[i]);
        const struct queue_accept accept = {.id = ids[i],
                                            .route = "/r",
                                            .payload = payload,
                                            .payload_size = strlen(payload),
                                            .received_ms = 1};
        queue_accept(fixture->queue, &accept, outcome_done, &outcomes[i]);
    }
    assert_true(queue_flush(fixture->queue, &err));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(outcomes[i].count, 1);
        assert_int_equal(outcomes[i].result, QUEUE_DONE);
    }
}

// ---- seals ------------------------------------------------------------------------------------

static void a_row_that_was_tampered_with_does_not_open(void **state)
{
    (void)state;
    static const char *const TAMPERS[] = {
        // Of eight bytes one differs, whatever they were.
        "UPDATE message SET body = substr(body, 1, 40) || zeroblob(8) || substr(body, 49)",
        "UPDATE message SET body = substr(body, 1, 20)",
        "UPDATE message SET body = x'02' || substr(body, 2)",
        "UPDATE message SET body = x'01ffffffff' || substr(body, 6)",
        "UPDATE message SET id = '01900000-0000-7000-8000-000000000000', seq = 7036874417766400",
        "UPDATE message SET recipient = 'eve@example.com'",
        "UPDATE message SET created = created + 1",
        "UPDATE message SET deadline = deadline + 1",
        "UPDATE message SET body_form = 1",
        "UPDATE message SET state = 'odd'",
    };
    for (size_t i = 0; i < sizeof(TAMPERS) / sizeof(TAMPERS[0]); i++) {
        struct fixture victim;
        fixture_init(&victim);
        fixture_open(&victim);
        char id[QUEUE_ID_SIZE];
        make_queued(victim.queue, "{\"code\":\"123456\"}", LANE_CODE, queue_now_ms(victim.queue), 0,
                    id);
        assert_body(victim.reader, id, "{\"code\":\"123456\"}");
        run_sql(&victim, TAMPERS[i]);
        if (strstr(TAMPERS[i], "SET id"))
            snprintf(id, sizeof(id), "01900000-0000-7000-8000-000000000000");
        struct queue_message row = {0};
        struct error err = {0};
        bool found = false, is_row = !strstr(TAMPERS[i], "odd");
        char *body = NULL;
        size_t size = 0;
        assert_int_equal(queue_load(victim.reader, id, &row, &found, &body, &size, &err), is_row);
        assert_null(body);
        if (is_row)
            assert_int_equal(row.fault,
                             strstr(TAMPERS[i], "ffffffff") ? BODY_OF_UNKNOWN_KEY : BODY_DAMAGED);
        else
            assert_int_equal(err.code, ERR_CORRUPT);
        // It can still be put aside, with the body it has.
        if (is_row) {
            assert_int_equal(settle_as(victim.queue, id, MESSAGE_PARKED, "damaged"), QUEUE_DONE);
            assert_state(victim.reader, id, MESSAGE_PARKED);
        }
        fixture_finish(&victim);
    }
}

static bool count_row(void *context, const struct queue_message *message)
{
    assert_true(message->has_body);
    ++*(int *)context;
    return true;
}

// It would be due for ever, and found by nobody.
static void a_row_that_lost_its_id_is_parked_when_it_is_met(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][QUEUE_ID_SIZE], found[8][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    struct error err = {0};
    for (int i = 0; i < 2; i++)
        make_queued(fixture->queue, i ? "{\"s\":1}" : "{\"s\":2}", LANE_CODE, now_ms, 0, ids[i]);
    assert_int_equal(accept_now(fixture->queue, "{\"s\":3}", ids[2]), QUEUE_DONE);
    run_sql(fixture, "UPDATE message SET id = '1' || substr(id, 2) WHERE state = 'received' OR"
                     " seq = (SELECT min(seq) FROM message)");
    size_t count = 0;
    assert_false(queue_due(fixture->reader, LANE_CODE, now_ms, 8, found, &count, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(count, 1); // it keeps nobody else waiting
    assert_string_equal(found[0], ids[1]);
    assert_false(queue_received(fixture->reader, 8, found, &count, &err));
    assert_true(queue_flush(fixture->queue, &err));
    assert_true(queue_received(fixture->reader, 8, found, &count, &err));
    assert_int_equal(count, 0);
    assert_true(queue_due(fixture->reader, LANE_CODE, now_ms, 8, found, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(found[0], ids[1]);
    const struct queue_filter parked = {
        .states = QUEUE_STATE_BIT(MESSAGE_PARKED), .reason = "damaged", .limit = 8};
    int parked_count = 0;
    assert_true(queue_list(fixture->reader, &parked, count_row, &parked_count, &err));
    assert_int_equal(parked_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(composing_puts_the_mail_in_place_of_the_payload),
        QUEUE_TEST(an_array_is_split_into_rows_of_one_payload),
        QUEUE_TEST(what_it_came_from_is_kept_in_all_its_mails),
        QUEUE_TEST(nothing_to_send_ends_as_cancelled),
        QUEUE_TEST(a_mail_sealed_to_another_time_is_not_written),
        QUEUE_TEST(a_first_send_leaves_envelope_attempt_and_no_body),
        QUEUE_TEST(a_temporary_refusal_waits_as_a_mail_and_counts),
        QUEUE_TEST(a_received_row_waits_only_as_a_mail),
        QUEUE_TEST(ends_keep_the_body_only_where_it_could_help),
        QUEUE_TEST(a_message_is_claimed_once),
        QUEUE_TEST(too_long_texts_are_cut_between_characters),
        QUEUE_TEST(flush_waits_for_all_that_was_submitted),
        cmocka_unit_test(a_row_that_was_tampered_with_does_not_open),
        QUEUE_TEST(a_row_that_lost_its_id_is_parked_when_it_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
