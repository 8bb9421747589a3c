// Which refusals are a message's own fault, and which open the circuit.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "relay/suspicion.h"

static struct suspicion_message message(const char *id, const char *recipient, int64_t now_ms)
{
    return (struct suspicion_message){id, recipient, now_ms, now_ms};
}

static enum suspicion_verdict refused(struct suspicion *suspicion, const char *id,
                                      const char *recipient, int64_t now_ms)
{
    const struct suspicion_message it = message(id, recipient, now_ms);
    return suspicion_refused(suspicion, &it);
}

static enum suspicion_verdict refused_at_dot(struct suspicion *suspicion, const char *id,
                                             int64_t now_ms)
{
    const struct suspicion_message it = message(id, "a@a.test", now_ms);
    suspicion_rcpt_taken(suspicion, &it);
    return suspicion_refused_at_dot(suspicion, &it);
}

static void sent(struct suspicion *suspicion, const char *id, int64_t started_ms, int64_t now_ms)
{
    const struct suspicion_message it = {id, "b@b.test", started_ms, now_ms};
    suspicion_rcpt_taken(suspicion, &it);
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
    assert_int_equal(refused(&suspicion, "3", "c@c.test", 4), SUSPICION_SUSPECT);
    assert_int_equal(refused(&suspicion, "4", "d@d.test", 5), SUSPICION_SUSPECT);
    assert_int_equal(refused(&suspicion, "5", "e@e.test", 6), SUSPICION_OPEN);
}

static void a_message_ends_where_another_was_taken_meanwhile(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "1", "a@a.test", 10);
    sent(&suspicion, "good", 5, 11); // it may have been taken before
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 12), SUSPICION_SUSPECT);
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
    suspicion_rcpt_taken(&suspicion, &it);
    assert_int_equal(suspicion_count(&suspicion, "1"), 0);
    assert_int_equal(refused(&suspicion, "1", "a@a.test", 12), SUSPICION_SUSPECT);
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

static void with_another_domain_refused_it_does_not_end(void **state)
{
    (void)state;
    struct suspicion suspicion;
    suspicion_init(&suspicion);
    refused(&suspicion, "other", "b@b.test", 1);
    for (int64_t i = 2; i < 20; i++)
        assert_int_not_equal(refused(&suspicion, "1", "a@a.test", i), SUSPICION_OWN);
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
    // The others of which a permanent refusal is what it says are not held back for long.
    sent(&suspicion, "good", now_ms, now_ms);
    now_ms++;
    assert_int_equal(refused_at_dot(&suspicion, "eleventh", now_ms), SUSPICION_OWN);
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

static void what_was_refused_after_the_dot_before_a_probe_passed_is_forgotten(void **state)
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
    suspicion_relieved(&suspicion);
    assert_int_equal(refused_at_dot(&suspicion, "new", 20), SUSPICION_OWN);
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
        cmocka_unit_test(a_message_ends_where_another_was_taken_meanwhile),
        cmocka_unit_test(its_own_recipient_that_was_taken_speaks_for_nobody_else),
        cmocka_unit_test(alone_a_message_ends_at_its_third_refusal),
        cmocka_unit_test(with_another_domain_refused_it_does_not_end),
        cmocka_unit_test(most_of_the_last_twenty_after_the_dot_open_the_circuit),
        cmocka_unit_test(half_of_the_verdicts_are_not_most),
        cmocka_unit_test(what_was_refused_after_the_dot_before_a_probe_passed_is_forgotten),
        cmocka_unit_test(a_session_is_one_messages_fault_only_where_others_passed_meanwhile),
        cmocka_unit_test(the_third_death_in_a_row_is_the_deliverers_unless_one_message_does_it),
        cmocka_unit_test(who_had_trouble_longest_ago_has_the_next_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
