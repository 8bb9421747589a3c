// Which refusals are a message's own fault, and which open the circuit.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "relay/smarthosts/suspicion.h"

static struct suspicion_message message(const char *id, const char *recipient, int64_t now_ms)
{
    return (struct suspicion_message){id, recipient, now_ms, now_ms, false};
}

static enum suspicion_verdict refused(struct suspicion *suspicion, const char *id,
                                      const char *recipient, int64_t now_ms)
{
    const struct suspicion_message it = message(id, recipient, now_ms);
    return suspicion_refused(suspicion, &it, false);
}

// One to a domain that it has lately taken mail to.
static enum suspicion_verdict refused_known(struct suspicion *suspicion, const char *id,
                                            const char *recipient, int64_t now_ms)
{
    struct suspicion_message it = message(id, recipient, now_ms);
    it.is_known_domain = true;
    return suspicion_refused(suspicion, &it, false);
}

static enum suspicion_verdict refused_at_dot(struct suspicion *suspicion, const char *id,
                                             int64_t now_ms)
{
    const struct suspicion_message it = message(id, "a@a.test", now_ms);
    suspicion_envelope_taken(suspicion, &it);
    return suspicion_refused_at_dot(suspicion, &it, false);
}

static void sent(struct suspicion *suspicion, const char *id, int64_t started_ms, int64_t now_ms)
{
    const struct suspicion_message it = {id, "b@b.test", started_ms, now_ms, true};
    suspicion_envelope_taken(suspicion, &it);
    suspicion_verdict(suspicion, &it, true);
}

static void knows_the_answers_of_a_smarthost_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *enhanced, *text;
        bool want;
    } cases[] = {
        {554, "5.7.1", "Relay access denied", true},
        {550, "5.7.1", "not allowed", true},
        {550, "5.7.26", NULL, true},
        {554, NULL, "no", true},
        {530, NULL, "authentication required", true},
        {550, NULL, "Relaying denied", true},
        {551, NULL, "we do not relay", true},
        {553, NULL, "sorry, that domain isn't in my list (no RELAY)", true},
        {550, "5.1.1", "User unknown in relay recipient table", false},
        {554, "5.1.1", "no such user", false},
        {550, NULL, "no such user", false},
        {550, NULL, NULL, false},
        {552, NULL, "relay is full", false},
        {556, "5.1.10", "null MX", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (suspicion_is_suspicious(cases[i].code, cases[i].enhanced, cases[i].text) !=
            cases[i].want)
            fail_msg("%d %s", cases[i].code, cases[i].text ? cases[i].text : "");
}

static void three_in_a_row_to_two_domains_open_the_circuit(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 1), SUSPICION_SUSPECT);
    assert_int_equal(refused(&suspicion, "2", "b@A.TEST", 2), SUSPICION_SUSPECT);
    assert_int_equal(refused(&suspicion, "3", "c@a.test", 3), SUSPICION_SUSPECT); // one domain
    assert_int_equal(refused(&suspicion, "4", "c@b.test", 4), SUSPICION_OPEN);
    assert_int_equal(refused(&suspicion, "5", "c@b.test", 5), SUSPICION_OPEN);
}

static void a_recipient_that_was_taken_between_breaks_the_row(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 1);
    refused(&suspicion, "2", "b@b.test", 2);
    sent(&suspicion, "good", 3, 3);
    assert_int_equal(refused(&suspicion, "3", "c@c.test", 4), SUSPICION_DENIED);
    assert_int_equal(refused(&suspicion, "4", "d@d.test", 5), SUSPICION_DENIED);
    assert_int_equal(refused_known(&suspicion, "5", "b@b.test", 6), SUSPICION_OPEN);
}

static void whoever_is_denied_while_others_are_taken_opens_no_circuit(void **state)
{
    (void)state;
    enum { MINUTE_MS = 60 * 1000 };
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    sent(&suspicion, "good", 0, 0);
    char id[8], recipient[32];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "%d", i);
        snprintf(recipient, sizeof(recipient), "a@%d.test", i);
        assert_int_equal(refused(&suspicion, id, recipient, MINUTE_MS - 1), SUSPICION_DENIED);
    }
    // Nobody speaks for it any more, or a domain is refused that never was.
    assert_int_equal(refused(&suspicion, "last", "a@b.test", MINUTE_MS), SUSPICION_OPEN);
    assert_int_equal(refused_known(&suspicion, "known", "b@b.test", 1), SUSPICION_OPEN);
    assert_int_equal(refused(&suspicion, "next", "a@c.test", 2), SUSPICION_OPEN);
    sent(&suspicion, "better", 3, 3);
    for (int i = 0; i < 3; i++)
        refused(&suspicion, "0", "a@0.test", 4);
    const struct suspicion_message it = message("1", "a@1.test", 4);
    assert_int_equal(suspicion_refused(&suspicion, &it, true), SUSPICION_OPEN); // it is open
}

static void a_message_ends_where_another_was_taken_meanwhile(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 10);
    sent(&suspicion, "good", 5, 11); // it may have been taken before
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 12), SUSPICION_DENIED);
    sent(&suspicion, "better", 13, 14);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 15), SUSPICION_OWN);
    assert_int_equal(suspicion_turn(&suspicion, "1"), 0); // it is not remembered any more
}

static void its_own_recipient_that_was_taken_speaks_for_nobody_else(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 10);
    const struct suspicion_message it = message("1", "a@a.test", 11);
    suspicion_envelope_taken(&suspicion, &it);
    assert_int_equal(suspicion_count(&suspicion, "1"), 0);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 12), SUSPICION_DENIED);
}

static void alone_a_message_ends_at_its_third_refusal(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 1), SUSPICION_SUSPECT);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 2), SUSPICION_SUSPECT);
    assert_int_equal(suspicion_count(&suspicion, "1"), 2);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 3), SUSPICION_OWN);
}

static void with_another_recipient_refused_it_does_not_end(void **state)
{
    (void)state;
    static const char *const others[] = {"b@b.test", "b@a.test"};
    for (size_t k = 0; k < 2; k++) {
        struct suspicion suspicion;
        suspicion_init(&suspicion);
        refused(&suspicion, "other", others[k], 1);
        for (int64_t i = 2; i < 20; i++)
            assert_int_not_equal(refused(&suspicion, "1", "a@a.test", i), SUSPICION_OWN);
    }
}

// Mail that comes one by one: who has ended still stands for the smarthost's refusing.
static void who_has_ended_spares_the_next_one(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    for (int i = 0; i < 3; i++)
        refused(&suspicion, "first", "a@a.test", i);
    assert_int_equal(suspicion_turn(&suspicion, "first"), 0);
    for (int i = 3; i < 10; i++)
        assert_int_equal(refused(&suspicion, "second", "b@a.test", i), SUSPICION_SUSPECT);
}

static void five_recipients_of_one_domain_open_the_circuit(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    static const char *const recipients[] = {"a@a.test", "b@a.test", "c@a.test", "d@a.test",
                                             "B@a.test", "e@a.test", "f@a.test"};
    char id[8];
    for (int i = 0; i < 7; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(refused(&suspicion, id, recipients[i], i),
                         i < 5 ? SUSPICION_SUSPECT : SUSPICION_OPEN);
    }
}

// One mail that is taken between two spells of refusing all.
static void one_that_was_taken_does_not_end_all_that_wait(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    static const char *const ids[] = {"1", "2", "3", "4", "5", "6"};
    static const char *const recipients[] = {"a@a.test", "b@b.test", "c@c.test",
                                             "d@d.test", "e@e.test", "f@f.test"};
    for (int i = 0; i < 6; i++)
        refused(&suspicion, ids[i], recipients[i], i);
    sent(&suspicion, "good", 10, 11);
    for (int i = 0; i < 2; i++)
        assert_int_equal(refused(&suspicion, ids[i], recipients[i], 12 + i), SUSPICION_DENIED);
    for (int i = 2; i < 6; i++)
        assert_int_equal(refused_known(&suspicion, ids[i], recipients[i], 12 + i), SUSPICION_OPEN);
}

// One of the machines behind its name takes nothing: which one is met is luck.
static void one_that_refuses_each_second_mail_ends_none(void **state)
{
    (void)state;
    enum { MINUTE_MS = 60 * 1000, RETRY_MS = 5000 };
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 0);
    for (int64_t now_ms = RETRY_MS; now_ms < 20 * RETRY_MS; now_ms += RETRY_MS) {
        sent(&suspicion, "good", now_ms - 4, now_ms - 3);
        refused(&suspicion, "2", "b@b.test", now_ms - 2);
        sent(&suspicion, "better", now_ms - 1, now_ms - 1);
        assert_int_equal(refused(&suspicion, "1", "a@a.test", now_ms), SUSPICION_DENIED);
    }
    int64_t later_ms = 20 * RETRY_MS + MINUTE_MS; // nobody else any more
    sent(&suspicion, "best", later_ms, later_ms);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", later_ms), SUSPICION_OWN);
}

static void while_the_circuit_is_open_by_suspicion_nothing_is_its_own(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    const struct suspicion_message it = message("1", "a@a.test", 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(suspicion_refused(&suspicion, &it, true), SUSPICION_SUSPECT);
        sent(&suspicion, "good", i + 2, i + 2);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(suspicion_refused_at_dot(&suspicion, &it, true), SUSPICION_OPEN);
}

static void most_of_the_last_twenty_after_the_dot_open_the_circuit(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    char id[8];
    int64_t now_ms = 0;
    for (int i = 0; i < 9; i++, now_ms++)
        sent(&suspicion, "good", now_ms, now_ms);
    for (int i = 0; i < 10; i++, now_ms++) { // ten of nineteen, but not eleven
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(refused_at_dot(&suspicion, id, now_ms), SUSPICION_OWN);
    }
    assert_int_equal(refused_at_dot(&suspicion, "eleventh", now_ms++), SUSPICION_OPEN);
    for (int i = 0; i < 11; i++, now_ms++) // of twenty, but nine are left
        sent(&suspicion, "good", now_ms, now_ms);
    assert_int_equal(refused_at_dot(&suspicion, "another", now_ms), SUSPICION_OWN);
}

static void half_of_the_verdicts_are_not_most(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    for (int64_t now_ms = 0; now_ms < 60; now_ms += 2) {
        sent(&suspicion, "good", now_ms, now_ms);
        assert_int_equal(refused_at_dot(&suspicion, "bad", now_ms + 1), SUSPICION_OWN);
    }
}

// A smarthost that takes one in ten closes the circuit each time, and must not kill the others.
static void one_that_was_sent_does_not_end_those_refused_after_the_dot(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    char id[8];
    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(refused_at_dot(&suspicion, id, i),
                         i < 10 ? SUSPICION_OWN : SUSPICION_OPEN);
    }
    sent(&suspicion, "good", 20, 21);
    for (int i = 22; i < 26; i++) // the twelfth is suspect as well
        assert_int_equal(refused_at_dot(&suspicion, "10", i), SUSPICION_OPEN);
    for (int i = 26; i < 40; i++)
        sent(&suspicion, "good", i, i);
    assert_int_equal(refused_at_dot(&suspicion, "10", 40), SUSPICION_OWN);
}

static void alone_after_the_dot_a_message_ends_at_its_third_refusal(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    for (int i = 0; i < 10; i++)
        refused_at_dot(&suspicion, "those before", i);
    assert_int_equal(refused_at_dot(&suspicion, "1", 10), SUSPICION_OPEN);
    assert_int_equal(refused_at_dot(&suspicion, "1", 11), SUSPICION_OPEN);
    assert_int_equal(refused_at_dot(&suspicion, "1", 12), SUSPICION_OWN);
}

static void a_session_is_one_messages_fault_only_where_others_passed_meanwhile(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    struct suspicion_message it = message("1", "a@a.test", 1);
    assert_true(suspicion_session_ended(&suspicion, &it));
    it = message("1", "a@a.test", 2);
    assert_true(suspicion_session_ended(&suspicion, &it)); // nothing passed
    sent(&suspicion, "good", 3, 3);
    it = message("1", "a@a.test", 4);
    assert_false(suspicion_session_ended(&suspicion, &it));
    it = message("2", "a@a.test", 5);
    assert_true(suspicion_session_ended(&suspicion, &it)); // nothing is known of this one
}

static void the_third_death_in_a_row_is_the_deliverers_unless_one_message_does_it(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    const struct suspicion_message one = message("1", "a@a.test", 1);
    const struct suspicion_message two = message("2", "b@b.test", 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(suspicion_died(&suspicion, &one, true), SUSPICION_CHARGE);
        suspicion_count_death(&suspicion);
    }
    assert_int_equal(suspicion_died(&suspicion, &two, true), SUSPICION_BROKEN);
    suspicion_count_death(&suspicion);
    suspicion_alive(&suspicion);
    const struct suspicion_message three = message("3", "c@c.test", 2);
    assert_int_equal(suspicion_died(&suspicion, &three, false), SUSPICION_SPARE);
    assert_int_equal(suspicion_died(&suspicion, &two, false), SUSPICION_CHARGE); // the second time
}

static void who_had_trouble_longest_ago_has_the_next_turn(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 1);
    refused(&suspicion, "2", "b@b.test", 2);
    assert_true(suspicion_turn(&suspicion, "1") < suspicion_turn(&suspicion, "2"));
    refused(&suspicion, "1", "a@a.test", 3);
    assert_true(suspicion_turn(&suspicion, "1") > suspicion_turn(&suspicion, "2"));
    assert_int_equal(suspicion_turn(&suspicion, "nobody"), 0);
    char id[8];
    for (int i = 0; i < SUSPICION_MESSAGES - 1; i++) { // memory is bounded
        snprintf(id, sizeof(id), "n%d", i);
        refused(&suspicion, id, "c@c.test", 4);
    }
    assert_int_equal(suspicion_turn(&suspicion, "2"), 0);
    assert_true(suspicion_turn(&suspicion, "1") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_answers_of_a_smarthost_that_is_wrong),
        cmocka_unit_test(three_in_a_row_to_two_domains_open_the_circuit),
        cmocka_unit_test(a_recipient_that_was_taken_between_breaks_the_row),
        cmocka_unit_test(whoever_is_denied_while_others_are_taken_opens_no_circuit),
        cmocka_unit_test(a_message_ends_where_another_was_taken_meanwhile),
        cmocka_unit_test(its_own_recipient_that_was_taken_speaks_for_nobody_else),
        cmocka_unit_test(alone_a_message_ends_at_its_third_refusal),
        cmocka_unit_test(with_another_recipient_refused_it_does_not_end),
        cmocka_unit_test(who_has_ended_spares_the_next_one),
        cmocka_unit_test(five_recipients_of_one_domain_open_the_circuit),
        cmocka_unit_test(one_that_was_taken_does_not_end_all_that_wait),
        cmocka_unit_test(one_that_refuses_each_second_mail_ends_none),
        cmocka_unit_test(while_the_circuit_is_open_by_suspicion_nothing_is_its_own),
        cmocka_unit_test(most_of_the_last_twenty_after_the_dot_open_the_circuit),
        cmocka_unit_test(half_of_the_verdicts_are_not_most),
        cmocka_unit_test(one_that_was_sent_does_not_end_those_refused_after_the_dot),
        cmocka_unit_test(alone_after_the_dot_a_message_ends_at_its_third_refusal),
        cmocka_unit_test(a_session_is_one_messages_fault_only_where_others_passed_meanwhile),
        cmocka_unit_test(the_third_death_in_a_row_is_the_deliverers_unless_one_message_does_it),
        cmocka_unit_test(who_had_trouble_longest_ago_has_the_next_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
