// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/smarthosts/circuit.h"

static void opens_at_a_failure_and_closes_by_a_probe(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    assert_true(circuit_allows(&circuit, 1000));
    circuit_started(&circuit, 1000);
    circuit_failed(&circuit, CIRCUIT_SESSION, 1000, 1010);
    assert_int_equal(circuit_reason(&circuit), CIRCUIT_SESSION);
    assert_false(circuit_allows(&circuit, 1010));
    assert_int_equal(circuit_next_ms(&circuit), 1510);
    assert_true(circuit_allows(&circuit, 1510));
    circuit_started(&circuit, 1510);
    assert_false(circuit_allows(&circuit, 1511)); // one probe at a time
    assert_int_equal(circuit_next_ms(&circuit), INT64_MAX);
    assert_string_equal(circuit_state_name(&circuit), "probing");
    circuit_succeeded(&circuit, 1510, 1520);
    assert_true(circuit_allows(&circuit, 1520));
    assert_int_equal(circuit_reason(&circuit), CIRCUIT_NO_REASON);
    assert_int_equal(circuit.since_ms, 1520);
}

static void pauses_grow_to_a_limit(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    int64_t now = 0, pauses[8];
    for (int i = 0; i < 8; i++) {
        circuit_started(&circuit, now);
        circuit_failed(&circuit, CIRCUIT_SESSION, now, now);
        pauses[i] = circuit_next_ms(&circuit) - now;
        now = circuit_next_ms(&circuit);
    }
    static const int64_t want[] = {500, 1000, 2000, 4000, 8000, 15000, 15000, 15000};
    for (int i = 0; i < 8; i++)
        assert_int_equal(pauses[i], want[i]);
}

static void a_refusal_of_another_message_begins_with_the_first_pause(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    static const struct {
        bool is_new;
        int64_t pause_ms;
    } cases[] = {{true, 500}, {false, 1000}, {false, 2000}, {true, 500}, {true, 500}};
    int64_t now = 10;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        circuit_started(&circuit, now);
        circuit_refused(&circuit, cases[i].is_new, now, now);
        assert_int_equal(circuit_next_ms(&circuit) - now, cases[i].pause_ms);
        circuit_refused(&circuit, true, now - 1, now + 1); // begun before: it says nothing
        assert_int_equal(circuit_next_ms(&circuit) - now, cases[i].pause_ms);
        now = circuit_next_ms(&circuit);
    }
    assert_int_equal(circuit_reason(&circuit), CIRCUIT_SUSPICIOUS);
}

// Sixteen transactions under way when a smarthost dies all fail: that is one failure.
static void what_was_under_way_says_nothing_new(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    circuit_failed(&circuit, CIRCUIT_SESSION, 100, 200);
    for (int i = 0; i < 15; i++)
        circuit_failed(&circuit, CIRCUIT_SUSPICIOUS, 100 + i, 210);
    assert_int_equal(circuit_next_ms(&circuit), 700);
    assert_int_equal(circuit_reason(&circuit), CIRCUIT_SESSION);
    assert_int_equal(circuit.since_ms, 200);
    circuit_succeeded(&circuit, 150, 220); // an old success is no sign of health
    assert_false(circuit_allows(&circuit, 300));
}

static void a_probe_without_a_word_lets_another_go(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    circuit_failed(&circuit, CIRCUIT_SESSION, 0, 0);
    circuit_started(&circuit, 500);
    circuit_undecided(&circuit, 500, 600);
    assert_true(circuit_allows(&circuit, 600));
}

static void what_is_paused_takes_nothing_until_it_is_resumed(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    circuit_started(&circuit, 10);
    circuit_pause(&circuit, 20);
    assert_false(circuit_allows(&circuit, 30));
    assert_string_equal(circuit_state_name(&circuit), "paused");
    assert_string_equal(circuit_reason_name(circuit_reason(&circuit)), "paused");
    circuit_succeeded(&circuit, 10, 40); // what was under way has ended
    assert_false(circuit_allows(&circuit, 50));
    assert_int_equal(circuit.since_ms, 20);
    circuit_resume(&circuit, 60);
    assert_true(circuit_allows(&circuit, 60));
    assert_int_equal(circuit.since_ms, 60);
}

// Paused while it is open: no probe goes until it is resumed, and then one goes at once.
static void to_resume_an_open_one_probes_at_once(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit, 0);
    for (int64_t now = 0; now < 60000; now = circuit_next_ms(&circuit)) {
        circuit_started(&circuit, now);
        circuit_failed(&circuit, CIRCUIT_SESSION, now, now);
    }
    int64_t now = circuit.opened_at_ms + 1;
    circuit_pause(&circuit, now);
    assert_int_equal(circuit_next_ms(&circuit), INT64_MAX);
    assert_false(circuit_allows(&circuit, now + 60000));
    circuit_resume(&circuit, now + 1);
    assert_int_equal(circuit_reason(&circuit), CIRCUIT_SESSION);
    assert_true(circuit_allows(&circuit, now + 1));
    circuit_started(&circuit, now + 1);
    circuit_failed(&circuit, CIRCUIT_SESSION, now + 1, now + 2);
    assert_int_equal(circuit_next_ms(&circuit), now + 2 + CIRCUIT_PAUSE_FIRST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_at_a_failure_and_closes_by_a_probe),
        cmocka_unit_test(pauses_grow_to_a_limit),
        cmocka_unit_test(a_refusal_of_another_message_begins_with_the_first_pause),
        cmocka_unit_test(what_was_under_way_says_nothing_new),
        cmocka_unit_test(a_probe_without_a_word_lets_another_go),
        cmocka_unit_test(what_is_paused_takes_nothing_until_it_is_resumed),
        cmocka_unit_test(to_resume_an_open_one_probes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
