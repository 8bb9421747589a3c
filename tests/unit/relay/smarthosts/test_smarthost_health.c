// What the end of a transaction makes of a smarthost's circuit, and of the message.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "relay/smarthosts/smarthost_health.h"

static struct smarthost_health health;
static int64_t now_ms;

enum { MINUTE_MS = 60 * 1000 };

static int set_up(void **state)
{
    (void)state;
    now_ms = 1000;
    smarthost_health_init(&health, now_ms);
    return 0;
}

// A transaction of its own moment. An id is the recipient's domain as well.
static struct delivery_result ends(const char *id, struct delivery_result result)
{
    char recipient[32] = "a@";
    strncat(recipient, id, 20);
    now_ms++;
    const struct delivery delivery = {.id = id, .recipient = recipient, .started_boot_ms = now_ms};
    circuit_started(&health.circuit, now_ms);
    now_ms++;
    smarthost_health_judge(&health, &delivery, &result, now_ms);
    return result;
}

static struct delivery_result answered(const char *id, enum delivery_outcome outcome,
                                       const char *stage, int code)
{
    return ends(id,
                (struct delivery_result){.outcome = outcome, .stage = stage, .reply_code = code});
}

static void wait_for_probe(void)
{
    assert_int_equal(health.circuit.state, CIRCUIT_OPEN);
    now_ms = circuit_next_ms(&health.circuit);
}

static void open_by_suspicion(void)
{
    answered("one", DELIVERY_PERMANENT, "rcpt", 554);
    answered("two", DELIVERY_PERMANENT, "rcpt", 554);
    struct delivery_result third = answered("three", DELIVERY_PERMANENT, "rcpt", 554);
    assert_int_equal(third.outcome, DELIVERY_SUSPECT);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
}

static void a_refusal_that_is_not_suspicious_is_what_it_says(void **state)
{
    (void)state;
    static const struct {
        enum delivery_outcome outcome;
        const char *stage;
        int code;
    } cases[] = {
        {DELIVERY_PERMANENT, "rcpt", 550}, {DELIVERY_TEMPORARY, "rcpt", 450},
        {DELIVERY_PERMANENT, "data", 552}, {DELIVERY_PERMANENT, "dot", 554},
        {DELIVERY_TEMPORARY, "dot", 451},  {DELIVERY_TEMPORARY, "body", 0},
        {DELIVERY_PERMANENT, "mail", 552}, {DELIVERY_UNKNOWN, "dot", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct delivery_result result =
            answered("one", cases[i].outcome, cases[i].stage, cases[i].code);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_int_equal(result.set_back, 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
    }
}

static void a_suspect_is_set_back_further_each_time(void **state)
{
    (void)state;
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "rcpt", 554).set_back, 1);
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "rcpt", 554).set_back, 2);
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "rcpt", 554).outcome, DELIVERY_PERMANENT);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
}

static void who_is_denied_while_others_are_taken_has_had_an_attempt(void **state)
{
    (void)state;
    answered("good", DELIVERY_SENT, "dot", 250);
    static const char *const ids[] = {"one", "two", "three", "four"};
    for (size_t i = 0; i < 4; i++) {
        struct delivery_result result = answered(ids[i], DELIVERY_PERMANENT, "rcpt", 554);
        assert_int_equal(result.outcome, DELIVERY_SUSPECT);
        assert_true(result.is_charged);
        assert_int_equal(result.set_back, 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
    }
    struct delivery_result known = answered("good", DELIVERY_PERMANENT, "rcpt", 554);
    assert_false(known.is_charged);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
}

static void what_opened_by_relaying_denied_is_closed_by_a_recipient_that_is_taken(void **state)
{
    (void)state;
    open_by_suspicion();
    wait_for_probe();
    // To greet, to take MAIL, to know nobody of that name: all that says nothing.
    answered("four", DELIVERY_PERMANENT, "rcpt", 550);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    assert_true(circuit_allows(&health.circuit, now_ms)); // another may go at once
    struct delivery_result fifth = answered("five", DELIVERY_PERMANENT, "rcpt", 554);
    assert_int_equal(fifth.outcome, DELIVERY_SUSPECT);
    assert_int_equal(fifth.set_back, 0); // the circuit's pause holds it
    assert_false(circuit_allows(&health.circuit, now_ms));
    wait_for_probe();
    answered("six", DELIVERY_TEMPORARY, "dot", 451);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "rcpt", 554).outcome, DELIVERY_SUSPECT);
    now_ms += MINUTE_MS; // nobody else is suspect of the last one
    answered("seven", DELIVERY_TEMPORARY, "dot", 451);
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "rcpt", 554).outcome, DELIVERY_PERMANENT);
}

static void who_denies_at_data_is_suspect_like_one_that_denies_at_rcpt(void **state)
{
    (void)state;
    static const char *const ids[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(answered(ids[i], DELIVERY_PERMANENT, "data", 554).outcome,
                         DELIVERY_SUSPECT);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    wait_for_probe();
    // That RCPT was taken says nothing of what DATA would have been answered with.
    answered("four", DELIVERY_TEMPORARY, "data", 451);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    now_ms += MINUTE_MS; // nobody else is suspect of the last one
    answered("five", DELIVERY_TEMPORARY, "dot", 451);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
    assert_int_equal(answered("one", DELIVERY_PERMANENT, "data", 554).outcome, DELIVERY_PERMANENT);
}

static void one_message_that_is_denied_at_data_ends(void **state)
{
    (void)state;
    assert_int_equal(answered("poison", DELIVERY_PERMANENT, "data", 554).outcome, DELIVERY_SUSPECT);
    answered("good", DELIVERY_SENT, "dot", 250);
    assert_int_equal(answered("poison", DELIVERY_PERMANENT, "data", 554).outcome,
                     DELIVERY_PERMANENT);
    answered("good", DELIVERY_SENT, "dot", 250);
    for (int i = 1; i <= 3; i++) // and with nobody to speak for the smarthost at the third time
        assert_int_equal(answered("alone", DELIVERY_PERMANENT, "data", 554).outcome,
                         i < 3 ? DELIVERY_SUSPECT : DELIVERY_PERMANENT);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
}

// The lowest turn of these, each "id domain"; the older ones first.
static const char *next_probe(const char *const candidates[][2], size_t count)
{
    size_t best = 0;
    uint64_t best_turn = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        char recipient[32];
        snprintf(recipient, sizeof(recipient), "b@%s", candidates[i][1]);
        const struct probe_candidate candidate = {candidates[i][0], recipient, 1000 + (int64_t)i};
        uint64_t turn = smarthost_health_turn(&health, &candidate);
        if (turn < best_turn) {
            best_turn = turn;
            best = i;
        }
    }
    return candidates[best][0];
}

static void who_is_likely_to_be_taken_is_the_next_probe(void **state)
{
    (void)state;
    static const char *const waiting[][2] = {
        {"two", "two"},     {"unknown", "x"},        {"taken", "Good"}, {"fresh", "one"},
        {"fresher", "two"}, {"newer taken", "good"}, {"one", "one"},    {"newer unknown", "y"},
        {"three", "three"}, {"latest", "three"},
    };
    static const char *const orders[3][10] = {
        {"newer taken", "taken", "newer unknown", "unknown", "latest", "fresher", "fresh", "one",
         "two", "three"},
        {"taken", "newer taken", "unknown", "newer unknown", "fresh", "fresher", "latest", "one",
         "two", "three"},
        {"one", "two", "three", "unknown", "taken", "fresh", "fresher", "newer taken",
         "newer unknown", "latest"},
    };
    answered("good", DELIVERY_SENT, "dot", 250);
    now_ms += MINUTE_MS; // that speaks for it no more
    open_by_suspicion();
    for (unsigned k = 0; k < 3; k++) {
        const char *left[10][2];
        memcpy(left, waiting, sizeof(left));
        health.probes = k;
        for (size_t count = 10; count > 0; count--) {
            const char *got = next_probe((const char *const(*)[2])left, count);
            assert_string_equal(got, orders[k][10 - count]);
            size_t at = 0;
            while (left[at][0] != got)
                at++;
            memmove(left[at], left[at + 1], (count - at - 1) * sizeof(left[0]));
        }
    }
}

static void each_probe_that_fails_changes_the_order_of_the_next(void **state)
{
    (void)state;
    static const char *const waiting[][2] = {{"old", "x"}, {"new", "y"}, {"one", "one"}};
    open_by_suspicion();
    static const char *const want[] = {"new", "old", "one", "new"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(next_probe(waiting, 3), want[i]);
        wait_for_probe();
        answered("other", DELIVERY_PERMANENT, "rcpt", 554);
    }
    wait_for_probe();
    answered("two", DELIVERY_SENT, "dot", 250);
    assert_string_equal(next_probe(waiting, 3), "old"); // closed: the lanes' order again
    const struct probe_candidate one = {"one", "a@one", 1};
    assert_int_equal(smarthost_health_turn(&health, &one), 0);
    assert_true(smarthost_health_suspects(&health, "one"));
    assert_false(smarthost_health_suspects(&health, "two"));
}

// A stranger's stream of addresses that are refused must not lengthen the wait of the others.
static void the_pause_grows_by_those_alone_that_were_refused_before(void **state)
{
    (void)state;
    open_by_suspicion();
    static const struct {
        const char *id;
        int64_t pause_ms;
    } cases[] = {
        {"a", 500}, {"b", 500}, {"one", 1000}, {"two", 2000}, {"c", 500}, {"one", 1000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wait_for_probe();
        answered(cases[i].id, DELIVERY_PERMANENT, "rcpt", 554);
        assert_int_equal(circuit_next_ms(&health.circuit) - now_ms, cases[i].pause_ms);
    }
}

static void what_opened_after_the_dot_is_closed_only_by_a_message_that_is_sent(void **state)
{
    (void)state;
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(answered(ids[i], DELIVERY_PERMANENT, "dot", 552).outcome,
                         i < 10 ? DELIVERY_PERMANENT : DELIVERY_SUSPECT);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    wait_for_probe();
    answered("new", DELIVERY_TEMPORARY, "dot", 451);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    answered("new", DELIVERY_SENT, "dot", 250);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
}

// Then it begins to deny relaying as well: the next probe waits, as behind any other that failed.
static void a_probe_that_is_denied_waits_whatever_opened_the_circuit(void **state)
{
    (void)state;
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    for (size_t i = 0; i < 11; i++)
        answered(ids[i], DELIVERY_PERMANENT, "dot", 552);
    for (int i = 0; i < 6; i++) {
        wait_for_probe();
        assert_int_equal(answered("10", DELIVERY_PERMANENT, "rcpt", 554).outcome, DELIVERY_SUSPECT);
        assert_false(circuit_allows(&health.circuit, now_ms));
    }
    wait_for_probe();
    answered("new", DELIVERY_TEMPORARY, "dot", 451); // what opened it first is still not known
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SUSPICIOUS);
    answered("new", DELIVERY_SENT, "dot", 250);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
}

// No pause begins behind its answer, so its own schedule keeps it from being each next probe.
static void one_that_is_denied_while_silence_has_the_circuit_open_is_set_back(void **state)
{
    for (int is_spoken_for = 0; is_spoken_for <= 1; is_spoken_for++) {
        set_up(state);
        static const char *const ids[] = {"one", "two", "three"};
        for (size_t i = 0; i < 3; i++)
            answered(ids[i], DELIVERY_TEMPORARY, "body", 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
        wait_for_probe();
        now_ms += is_spoken_for ? 0 : MINUTE_MS; // by the envelopes that were taken
        struct delivery_result denied = answered("denied", DELIVERY_PERMANENT, "rcpt", 554);
        assert_int_equal(denied.outcome, DELIVERY_SUSPECT);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
        assert_int_equal(denied.is_charged, is_spoken_for);
        assert_int_equal(denied.set_back, !is_spoken_for);
    }
}

// Each time that it goes the smarthost breaks off at MAIL; the others pass. It cannot keep the
// circuit open, nor does it go again at once.
static void one_message_that_breaks_sessions_does_not_hold_the_circuit_open(void **state)
{
    (void)state;
    answered("poison", DELIVERY_SESSION, "mail", 0);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
    wait_for_probe();
    const struct probe_candidate poison = {"poison", "a@poison", 2}, good = {"good", "a@good", 1};
    assert_true(smarthost_health_turn(&health, &poison) > 0);
    assert_int_equal(smarthost_health_turn(&health, &good), 0);
    answered("good", DELIVERY_SENT, "dot", 250);
    for (int i = 2; i < 10; i++) {
        struct delivery_result result = answered("poison", DELIVERY_SESSION, "mail", 0);
        assert_int_equal(result.outcome, DELIVERY_SESSION); // uncharged
        assert_int_equal(result.set_back, i);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
        answered("good", DELIVERY_SENT, "dot", 250);
    }
    // What ends before MAIL is never one message's fault.
    answered("poison", DELIVERY_SESSION, "connect", 0);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
}

static void a_deliverer_that_died_heals_nothing(void **state)
{
    (void)state;
    answered("one", DELIVERY_SESSION, "connect", 0);
    wait_for_probe();
    const struct delivery_result died = {
        .outcome = DELIVERY_CUT, .stage = "connect", .has_died = true, .was_alone = true};
    assert_int_equal(ends("one", died).outcome, DELIVERY_TEMPORARY);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
    assert_true(circuit_allows(&health.circuit, now_ms));
    const struct delivery_result hung = {
        .outcome = DELIVERY_TEMPORARY, .stage = "connect", .has_died = true};
    assert_int_equal(ends("two", hung).outcome, DELIVERY_TEMPORARY);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
}

// Whatever it waited for, as a pipe in place of a file, the next one may wait for as well.
static void a_deliverer_that_hangs_before_any_answer_opens_the_circuit(void **state)
{
    (void)state;
    const struct delivery_result hung = {
        .outcome = DELIVERY_SESSION, .stage = "connect", .has_died = true, .has_hung = true};
    assert_int_equal(ends("poison", hung).outcome, DELIVERY_SESSION);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
    wait_for_probe();
    const struct probe_candidate poison = {"poison", "a@poison", 2}, two = {"two", "a@two", 1};
    assert_true(smarthost_health_turn(&health, &poison) > smarthost_health_turn(&health, &two));
    answered("two", DELIVERY_SENT, "dot", 250);
    assert_int_equal(health.circuit.state, CIRCUIT_CLOSED);
    // Once another has passed, it is that message's own.
    assert_true(ends("poison", hung).set_back > 0);
    assert_int_equal(health.circuit.state, CIRCUIT_CLOSED);
}

static void deliverers_that_die_of_every_message_open_the_circuit(void **state)
{
    (void)state;
    static const char *const ids[] = {"one", "two", "three"};
    const struct delivery_result died = {
        .outcome = DELIVERY_CUT, .stage = "connect", .has_died = true, .was_alone = true};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ends(ids[i], died).outcome, i < 2 ? DELIVERY_TEMPORARY : DELIVERY_SESSION);
        suspicion_count_death(&health.suspicion);
    }
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
}

// It takes MAIL and then hangs, or breaks off, whatever comes.
static void one_that_says_nothing_to_several_messages_is_down(void **state)
{
    (void)state;
    static const struct {
        enum delivery_outcome outcome;
        const char *stage;
    } cases[] = {
        {DELIVERY_TEMPORARY, "rcpt"}, {DELIVERY_TEMPORARY, "body"}, {DELIVERY_UNKNOWN, "dot"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_up(state);
        for (int k = 0; k < 9; k++) // one message may be what it is silent about
            answered("poison", cases[i].outcome, cases[i].stage, 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
        answered("good", DELIVERY_SENT, "dot", 250);
        answered("one", cases[i].outcome, cases[i].stage, 0);
        answered("two", cases[i].outcome, cases[i].stage, 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
        struct delivery_result third = answered("one", cases[i].outcome, cases[i].stage, 0);
        assert_int_equal(third.outcome, cases[i].outcome);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
        const struct probe_candidate one = {"one", "a@one", 2}, new = {"new", "a@new", 1};
        assert_true(smarthost_health_turn(&health, &one) > smarthost_health_turn(&health, &new));
        wait_for_probe();
        answered("new", cases[i].outcome, cases[i].stage, 0); // MAIL that was taken is no health
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
        wait_for_probe();
        answered("newer", DELIVERY_TEMPORARY, "rcpt", 450);
        assert_int_equal(circuit_reason(&health.circuit),
                         i == 0 ? CIRCUIT_NO_REASON : CIRCUIT_SESSION);
        answered("newest", DELIVERY_TEMPORARY, "dot", 451);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON);
        answered("one", cases[i].outcome, cases[i].stage, 0);
        answered("two", cases[i].outcome, cases[i].stage, 0);
        assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_NO_REASON); // a new row
    }
}

// Else its retry, due when nothing else waits, would be the next probe, and so on to its last copy.
static void a_probe_that_had_no_answer_goes_by_another_smarthost_next(void **state)
{
    (void)state;
    answered("one", DELIVERY_SESSION, "connect", 0);
    wait_for_probe();
    answered("two", DELIVERY_UNKNOWN, "dot", 0);
    assert_int_equal(circuit_reason(&health.circuit), CIRCUIT_SESSION);
    assert_true(smarthost_health_suspects(&health, "two"));
    assert_false(smarthost_health_suspects(&health, "one"));
}

#define HEALTH_TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEALTH_TEST(a_refusal_that_is_not_suspicious_is_what_it_says),
        HEALTH_TEST(a_suspect_is_set_back_further_each_time),
        HEALTH_TEST(who_is_denied_while_others_are_taken_has_had_an_attempt),
        HEALTH_TEST(what_opened_by_relaying_denied_is_closed_by_a_recipient_that_is_taken),
        HEALTH_TEST(who_denies_at_data_is_suspect_like_one_that_denies_at_rcpt),
        HEALTH_TEST(one_message_that_is_denied_at_data_ends),
        HEALTH_TEST(who_is_likely_to_be_taken_is_the_next_probe),
        HEALTH_TEST(each_probe_that_fails_changes_the_order_of_the_next),
        HEALTH_TEST(the_pause_grows_by_those_alone_that_were_refused_before),
        HEALTH_TEST(what_opened_after_the_dot_is_closed_only_by_a_message_that_is_sent),
        HEALTH_TEST(a_probe_that_is_denied_waits_whatever_opened_the_circuit),
        HEALTH_TEST(one_that_is_denied_while_silence_has_the_circuit_open_is_set_back),
        HEALTH_TEST(one_message_that_breaks_sessions_does_not_hold_the_circuit_open),
        HEALTH_TEST(a_deliverer_that_died_heals_nothing),
        HEALTH_TEST(a_deliverer_that_hangs_before_any_answer_opens_the_circuit),
        HEALTH_TEST(deliverers_that_die_of_every_message_open_the_circuit),
        HEALTH_TEST(one_that_says_nothing_to_several_messages_is_down),
        HEALTH_TEST(a_probe_that_had_no_answer_goes_by_another_smarthost_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
