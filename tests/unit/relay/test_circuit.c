// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "relay/circuit.h"

static void opens_at_a_failure_and_closes_by_a_probe(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit);
    assert_true(circuit_allows(&circuit, 1000));
    circuit_started(&circuit, 1000);
    assert_true(circuit_failed(&circuit, 1000, 1010)); // news
    assert_false(circuit_allows(&circuit, 1010));
    assert_int_equal(circuit_next_ms(&circuit), 1510);
    assert_true(circuit_allows(&circuit, 1510));
    circuit_started(&circuit, 1510);
    assert_false(circuit_allows(&circuit, 1511)); // one probe at a time
    assert_int_equal(circuit_next_ms(&circuit), INT64_MAX);
    assert_true(circuit_succeeded(&circuit, 1510)); // news
    assert_true(circuit_allows(&circuit, 1512));
    assert_false(circuit_succeeded(&circuit, 1512)); // no news
}

static void pauses_grow_to_a_limit(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit);
    int64_t now = 0, pauses[8];
    for (int i = 0; i < 8; i++) {
        circuit_started(&circuit, now);
        assert_int_equal(circuit_failed(&circuit, now, now), i == 0);
        pauses[i] = circuit_next_ms(&circuit) - now;
        now = circuit_next_ms(&circuit);
    }
    static const int64_t want[] = {500, 1000, 2000, 4000, 8000, 15000, 15000, 15000};
    for (int i = 0; i < 8; i++)
        assert_int_equal(pauses[i], want[i]);
}

// Sixteen transactions under way when a smarthost dies all fail: that is one failure.
static void what_was_under_way_says_nothing_new(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit);
    assert_true(circuit_failed(&circuit, 100, 200));
    for (int i = 0; i < 15; i++)
        assert_false(circuit_failed(&circuit, 100 + i, 210));
    assert_int_equal(circuit_next_ms(&circuit), 700);
    assert_false(circuit_succeeded(&circuit, 150)); // an old success is no sign of health
    assert_false(circuit_allows(&circuit, 300));
}

static void a_probe_without_a_word_lets_another_go(void **state)
{
    (void)state;
    struct circuit circuit;
    circuit_init(&circuit);
    circuit_failed(&circuit, 0, 0);
    circuit_started(&circuit, 500);
    circuit_undecided(&circuit, 500, 600);
    assert_true(circuit_allows(&circuit, 600));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_at_a_failure_and_closes_by_a_probe),
        cmocka_unit_test(pauses_grow_to_a_limit),
        cmocka_unit_test(what_was_under_way_says_nothing_new),
        cmocka_unit_test(a_probe_without_a_word_lets_another_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
