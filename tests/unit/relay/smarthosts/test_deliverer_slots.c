// How many messages a smarthost is given at once, and how fast.
#include "deliverers_fixture.h"

#include "relay/smarthosts/connection_window.h"

static void a_connection_refused_while_others_are_at_work_is_a_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.transaction_timeout_ms = 60000;
    start(fixture, "hang");
    start(fixture, "hang");
    int refused = start(fixture, "full");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[refused], DELIVERY_SESSION); // so it is charged nothing
    assert_int_equal(fixture->went_down, 0);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 0);
    assert_int_equal(fixture->limit, 0); // not before another one has ended well
}

// Whether it is down shows when none at work has been answered: after so long, not before.
static void assert_doubted_for(struct fixture *fixture, int64_t doubt_ms)
{
    fixture->config.transaction_timeout_ms = 60000;
    start(fixture, "hang");
    int64_t began_ms = clock_boot_ms();
    start(fixture, "full");
    wait_for(fixture, 1);
    size_t were_down = fixture->went_down;
    int64_t ended_ms = clock_boot_ms();
    deliverers_tick(fixture->deliverers, began_ms + doubt_ms - 1);
    assert_int_equal(fixture->went_down, were_down);
    deliverers_tick(fixture->deliverers, ended_ms + doubt_ms);
    assert_int_equal(fixture->went_down, were_down + 1);
    assert_int_equal(fixture->reason, CIRCUIT_SESSION);
}

static void a_slow_smarthost_with_a_limit_is_not_down(void **state)
{
    struct fixture *fixture = *state;
    deliverers_pause(fixture->deliverers, "second", true); // nobody else takes the mail
    assert_doubted_for(fixture, 60000);
}

static void where_the_next_smarthost_is_well_it_is_used_soon(void **state)
{
    assert_doubted_for(*state, CONNECTION_WINDOW_DOUBT_MS);
}

static void an_answer_of_the_others_confirms_the_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.transaction_timeout_ms = 60000;
    start(fixture, "hang");
    start(fixture, "full");
    start(fixture, "sent");
    wait_for(fixture, 2);
    assert_int_equal(fixture->limit, 2);
    assert_int_equal(fixture->went_down, 0);
}

static void the_last_connection_refused_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    for (int i = 0; i < 4; i++)
        start(fixture, "full");
    wait_for(fixture, 4);
    assert_int_equal(fixture->went_down, 1);
    assert_int_equal(fixture->limit, 0);
    assert_true(deliverers_down(fixture->deliverers, began_ms));
}

static void no_more_are_started_than_the_rate_allows(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[0].rate =
        (struct rates){.rate = {{.count = 2, .period_ms = 20000}}, .count = 1};
    assert_true(create(fixture));
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(deliverers_free_slots(fixture->deliverers, began_ms), 2);
    start(fixture, "sent");
    start(fixture, "sent");
    assert_int_equal(start(fixture, "sent"), -1);
    assert_true(deliverers_are_paced(fixture->deliverers, clock_boot_ms()));
    assert_false(deliverers_down(fixture->deliverers, clock_boot_ms()));
    wait_for(fixture, 2);
    int64_t next_ms = deliverers_next_ms(fixture->deliverers, clock_boot_ms());
    assert_in_range(next_ms, began_ms + 10000, clock_boot_ms() + 20000);
    assert_in_range(deliverers_free_slots(fixture->deliverers, next_ms), 1, 2);
    assert_false(deliverers_are_paced(fixture->deliverers, next_ms));
}

// Neither while its probe may not go, nor by failed connections that the rate would have counted.
static void a_rate_does_not_hold_up_the_next_smarthost(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[0].rate =
        (struct rates){.rate = {{.count = 2, .period_ms = 3600000}}, .count = 1};
    assert_true(create(fixture));
    start(fixture, "sent");
    start(fixture, "refuse");
    wait_for(fixture, 2);
    assert_int_equal(fixture->went_down, 1);
    wait_for_probe(fixture);
    start(fixture, "sent"); // what the refused one did not use up is the probe's
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_true(
        deliverers_are_paced(fixture->deliverers, clock_boot_ms())); // it is well, and waited for
    assert_int_equal(start(fixture, "sent"), -1);

    deliverers_pause(fixture->deliverers, "first", true);
    start(fixture, "sent");
    wait_for(fixture, 4);
    assert_string_equal(fixture->smarthost_of[3], "second");
}

static void a_probe_that_the_rate_does_not_allow_is_not_waited_for(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[0].rate =
        (struct rates){.rate = {{.count = 2, .period_ms = 3600000}}, .count = 1};
    assert_true(create(fixture));
    start(fixture, "sent");
    start(fixture, "at mail"); // which counts: a message was begun
    wait_for(fixture, 2);
    assert_int_equal(fixture->went_down, 1);
    wait_for_probe(fixture);
    assert_false(deliverers_down(fixture->deliverers, clock_boot_ms()));
    assert_false(deliverers_are_paced(fixture->deliverers, clock_boot_ms()));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "second");
}

static size_t count_processes(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    AUTO_FREE char *text = calloc(1, 4096);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, 4095, file), count = 0;
    fclose(file);
    for (size_t i = 0; i < size; i++)
        count += text[i] == ' ';
    return count;
}

// More than one process carries; the further one ends when it has been idle.
static void a_further_deliverer_serves_while_there_is_work_for_it(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[0].idle_ms = 10;
    fixture->smarthosts[0].connections = DELIVERER_CONNECTIONS + 2;
    fixture->config.transaction_timeout_ms = 60000;
    assert_true(create(fixture));
    for (int i = 0; i < DELIVERER_CONNECTIONS; i++) {
        while (deliverers_free_slots(fixture->deliverers, clock_boot_ms()) == 0) {
            deliverers_wanted(fixture->deliverers, clock_boot_ms());
            int64_t now = clock_boot_ms(), next = deliverers_next_ms(fixture->deliverers, now);
            event_loop_wait(fixture->loop, (int)(next - now), NULL);
            deliverers_tick(fixture->deliverers, clock_boot_ms());
        }
        assert_true(start(fixture, "hang") >= 0);
    }
    assert_int_equal(count_processes(), 1);
    deliverers_wanted(fixture->deliverers, clock_boot_ms());
    while (deliverers_free_slots(fixture->deliverers, clock_boot_ms()) == 0)
        deliverers_tick(fixture->deliverers, clock_boot_ms());
    int further = start(fixture, "sent");
    assert_int_equal(count_processes(), 2);
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[further], DELIVERY_SENT);
    while (count_processes() > 1) {
        int64_t now = clock_boot_ms(), next = deliverers_next_ms(fixture->deliverers, now);
        event_loop_wait(fixture->loop, next == INT64_MAX ? -1 : (int)(next - now), NULL);
        deliverers_tick(fixture->deliverers, clock_boot_ms());
    }
    assert_int_equal(deliverers_under_way(fixture->deliverers), DELIVERER_CONNECTIONS);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return be_deliverer();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_refused_while_others_are_at_work_is_a_limit,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_smarthost_with_a_limit_is_not_down, set_up_two,
                                        tear_down),
        cmocka_unit_test_setup_teardown(where_the_next_smarthost_is_well_it_is_used_soon,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_of_the_others_confirms_the_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_last_connection_refused_is_a_smarthost_that_is_down,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rate_does_not_hold_up_the_next_smarthost, set_up_two,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_probe_that_the_rate_does_not_allow_is_not_waited_for,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(no_more_are_started_than_the_rate_allows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_further_deliverer_serves_while_there_is_work_for_it,
                                        set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
