#include "deliverers_fixture.h"

static void tells_each_outcome(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"sent",    "temporary", "permanent",
                                        "unknown", "expired",   "cut"};
    for (size_t i = 0; i < 6; i++) {
        int index = start(fixture, names[i]);
        assert_true(index >= 0);
        wait_for(fixture, i + 1);
        assert_string_equal(delivery_outcome_name(fixture->outcomes[index]), names[i]);
    }
    assert_int_equal(fixture->went_down, 0);
}

static void takes_no_more_than_there_are_slots(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 4);
    for (int i = 0; i < 4; i++)
        assert_true(start(fixture, "hang") >= 0);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 0);
    assert_int_equal(start(fixture, "sent"), -1);
    assert_int_equal(deliverers_under_way(fixture->deliverers), 4);
}

static void a_dead_deliverer_is_judged_by_its_marks(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *id;
        enum delivery_outcome want;
    } cases[] = {
        {"die", DELIVERY_TEMPORARY}, // charged: nothing else can have killed the deliverer
        {"die at the dot", DELIVERY_UNKNOWN},
        {"die with a verdict", DELIVERY_SENT},
    };
    for (size_t i = 0; i < 3; i++) {
        int index = start(fixture, cases[i].id);
        wait_for(fixture, i + 1);
        assert_int_equal(fixture->outcomes[index], cases[i].want);
    }
    assert_int_equal(fixture->went_down, 0);
    start(fixture, "sent"); // by a new deliverer
    wait_for(fixture, 4);
    assert_int_equal(fixture->outcomes[3], DELIVERY_SENT);
    assert_int_equal(fixture->died, 3);
}

// Nobody knows which of two it was: neither is charged, until one does it again.
static void of_several_in_a_dead_deliverer_none_is_charged_at_first(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "hang");
    start(fixture, "die");
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[0], DELIVERY_CUT);
    assert_int_equal(fixture->outcomes[1], DELIVERY_CUT);
    start(fixture, "sent");
    wait_for(fixture, 3);
    start(fixture, "another");
    start(fixture, "die");
    wait_for(fixture, 5);
    assert_int_equal(fixture->outcomes[3], DELIVERY_CUT);
    assert_int_equal(fixture->outcomes[4], DELIVERY_TEMPORARY);
    assert_int_equal(fixture->went_down, 0);
}

static void a_deliverer_that_dies_before_it_is_ready_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.smtp_helo = text_mute;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    start(fixture, "die");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
    assert_int_equal(fixture->reason, CIRCUIT_SESSION);
    assert_true(deliverers_down(fixture->deliverers, began_ms));
}

// The hung transaction ends by the deliverer's death, which waits for the others to end.
static void a_hung_deliverer_is_killed_and_replaced(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "sent");
    wait_for(fixture, 1);
    int hung = start(fixture, "hang");
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[hung], DELIVERY_TEMPORARY);
    assert_int_equal(fixture->went_down, 0);
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_int_equal(fixture->outcomes[2], DELIVERY_SENT);
}

// Not each of them in turn: while the others are at it a refused connection would tell nothing.
static void one_that_hangs_before_any_answer_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    start(fixture, "hang");
    start(fixture, "another");
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->outcomes[1], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
    assert_int_equal(fixture->reason, CIRCUIT_SESSION);
    start_at(fixture, "sent", began_ms);
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "second");
}

// The first is overdue, the second has all the time in the world.
static void start_overdue(struct fixture *fixture, const char *id)
{
    assert_true(start(fixture, id) >= 0);
    fixture->config.transaction_timeout_ms = 60000;
    assert_true(start(fixture, "another") >= 0);
}

static void a_frozen_deliverer_is_killed_with_all_that_it_has(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "sent");
    wait_for(fixture, 1);
    start_overdue(fixture, "freeze");
    wait_for(fixture, 3);
    assert_int_equal(fixture->died, 1);
    start(fixture, "sent"); // by a new deliverer
    wait_for(fixture, 4);
    assert_int_equal(fixture->outcomes[3], DELIVERY_SENT);
}

static void one_that_answers_goes_on_with_the_others(void **state)
{
    struct fixture *fixture = *state;
    start_overdue(fixture, "hang");
    int64_t limit_ms = fixture->deliveries[0].limit_ms;
    while (clock_boot_ms() < limit_ms)
        event_loop_wait(fixture->loop, (int)(limit_ms - clock_boot_ms()), NULL);
    deliverers_tick(fixture->deliverers, clock_boot_ms()); // it is asked
    int64_t kill_ms = deliverers_next_ms(fixture->deliverers, clock_boot_ms());
    event_loop_wait(fixture->loop, 20000, NULL);
    assert_true(deliverers_next_ms(fixture->deliverers, clock_boot_ms()) > kill_ms);
    deliverers_tick(fixture->deliverers, kill_ms);
    assert_int_equal(deliverers_under_way(fixture->deliverers), 2);
    start(fixture, "sent"); // nothing new by that one: its next would wait
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[2], DELIVERY_SENT);
    assert_int_equal(deliverers_under_way(fixture->deliverers), 2);
    assert_int_equal(fixture->died, 0);
}

static void a_session_fault_opens_the_circuit_until_a_probe(void **state)
{
    struct fixture *fixture = *state;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    start(fixture, "refuse");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
    assert_true(deliverers_down(fixture->deliverers, began_ms));
    assert_int_equal(start_at(fixture, "sent", began_ms), -1);

    wait_for_probe(fixture);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 1);
    assert_true(start(fixture, "sent") >= 0);
    assert_int_equal(start(fixture, "sent"), -1); // one probe at a time
    wait_for(fixture, 2);
    assert_int_equal(fixture->came_up, 1);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 4);
}

static void the_next_smarthost_serves_while_the_first_is_down(void **state)
{
    struct fixture *fixture = *state;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    start(fixture, "refuse");
    wait_for(fixture, 1);
    assert_string_equal(fixture->smarthost_of[0], "first");
    assert_false(deliverers_down(fixture->deliverers, began_ms));
    start_at(fixture, "sent", began_ms);
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_int_equal(fixture->outcomes[1], DELIVERY_SENT);
    assert_string_equal(fixture->in_use, "second ");
    wait_for_probe(fixture);
    start(fixture, "sent"); // the probe, and back
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_string_equal(fixture->in_use, "second first ");
}

// As they come from the queue.
static const struct delivery denied = {.id = "denied"}, sent = {.id = "sent"};

// A message that the first has refused for what may be its own fault goes by the second.
static void a_suspect_goes_by_the_next_smarthost(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "denied");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SUSPECT);
    assert_true(deliverers_has_other(fixture->deliverers, &denied, clock_boot_ms()));
    start(fixture, "denied");
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_false(deliverers_has_other(fixture->deliverers, &denied, clock_boot_ms()));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_int_equal(fixture->went_down, 0);
}

// Where more are refused than suspicion remembers, none goes to and fro between two smarthosts.
static void who_refused_a_message_is_known_while_it_is_in_memory(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "denied");
    wait_for(fixture, 1);
    struct delivery *delivery = &fixture->deliveries[0];
    delivery->id = "denied, and forgotten";
    assert_true(deliverers_has_other(fixture->deliverers, delivery, clock_boot_ms()));
    assert_true(deliverers_start(fixture->deliverers, delivery, clock_boot_ms()));
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[0], "second");
    assert_int_equal(fixture->outcomes[0], DELIVERY_SUSPECT);
    delivery->id = "forgotten by both";
    assert_false(deliverers_has_other(fixture->deliverers, delivery, clock_boot_ms()));
}

// The next one was never used; where it is, that mail is the first to show whether it is well.
static void what_one_has_taken_is_the_first_probe_of_the_next(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "sent");
    wait_for(fixture, 1);
    static const char *const strangers[] = {"denied 1", "denied 2", "denied 3"};
    deliverers_pause(fixture->deliverers, "first", true);
    for (size_t i = 0; i < 3; i++) {
        static const char *const recipients[] = {"a@1", "a@2", "a@3"};
        start_to(fixture, strangers[i], recipients[i], clock_boot_ms());
        wait_for(fixture, 2 + i);
    }
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
    wait_for_probe(fixture);
    const struct probe_candidate newest = {"new", "a@new", 3}, known = {"old", "c@d", 1};
    int64_t now_ms = clock_boot_ms();
    assert_true(deliverers_turn(fixture->deliverers, &known, now_ms) <
                deliverers_turn(fixture->deliverers, &newest, now_ms));
}

// It is asked of each smarthost once, and ends with the last one's answer; no circuit minds.
static void what_one_is_unable_to_take_goes_by_the_next_one(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "unable");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_UNABLE);
    struct delivery *delivery = &fixture->deliveries[0];
    int64_t now_ms = clock_boot_ms();
    assert_true(deliverers_has_able(fixture->deliverers, delivery->unable, now_ms));
    assert_true(deliverers_take(fixture->deliverers, delivery, now_ms));
    deliverers_pause(fixture->deliverers, "second", true);
    assert_false(deliverers_has_able(fixture->deliverers, delivery->unable, now_ms));
    assert_false(deliverers_start(fixture->deliverers, delivery, now_ms)); // not the first again
    deliverers_pause(fixture->deliverers, "second", false);
    assert_true(deliverers_start(fixture->deliverers, delivery, clock_boot_ms()));
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[0], "second");
    assert_int_equal(fixture->outcomes[0], DELIVERY_PERMANENT);
    assert_false(deliverers_has_other(fixture->deliverers, delivery, now_ms));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[1], "first");
}

// The same again would end it by the refusals of one smarthost, before another has seen it.
static void a_suspect_waits_for_the_next_smarthost_where_that_is_busy(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[1].connections = 1;
    fixture->config.transaction_timeout_ms = 60000;
    assert_true(create(fixture));
    start(fixture, "denied");
    wait_for(fixture, 1);
    deliverers_pause(fixture->deliverers, "first", true);
    assert_true(start(fixture, "hang") >= 0);
    deliverers_pause(fixture->deliverers, "first", false);

    assert_false(deliverers_take(fixture->deliverers, &denied, clock_boot_ms()));
    assert_int_equal(start(fixture, "denied"), -1);
    assert_true(deliverers_has_other(fixture->deliverers, &denied, clock_boot_ms()));
    assert_true(deliverers_have_slot(fixture->deliverers, clock_boot_ms()));
    assert_true(deliverers_take(fixture->deliverers, &sent, clock_boot_ms()));
    deliverers_pause(fixture->deliverers, "second", true); // nothing to wait for
    assert_true(start(fixture, "denied") >= 0);
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[2], "first");
}

static void a_deliverer_that_cannot_start_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.smtp_helo = text_bad;
    start(fixture, "sent");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
}

static void a_paused_smarthost_takes_nothing_and_the_next_is_used(void **state)
{
    struct fixture *fixture = *state;
    int hanging = start(fixture, "hang"); // and nothing else: the first's deliverer gets no answer
    assert_false(deliverers_pause(fixture->deliverers, "nobody", true));
    assert_true(deliverers_pause(fixture->deliverers, "first", true));
    assert_int_equal(fixture->reason, CIRCUIT_PAUSED);
    assert_int_equal(fixture->done, 0); // what is under way there ends by itself
    start(fixture, "sent");
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_int_equal(fixture->outcomes[hanging], DELIVERY_SESSION);
    assert_true(deliverers_pause(fixture->deliverers, "second", true));
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
    assert_int_equal(start(fixture, "sent"), -1);
    assert_int_equal(fixture->went_down, 2);

    json_auto_t *all = deliverers_describe(fixture->deliverers, NULL);
    assert_int_equal(json_array_size(all), 2);
    json_auto_t *one = deliverers_describe(fixture->deliverers, "first");
    const json_t *row = json_array_get(one, 0);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "first");
    assert_string_equal(json_string_value(json_object_get(row, "state")), "paused");
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "paused");
    assert_int_equal(json_integer_value(json_object_get(row, "under_way")), 0);

    assert_true(deliverers_pause(fixture->deliverers, "first", false));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_int_equal(fixture->came_up, 1);
    assert_string_equal(fixture->in_use, "second first ");
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return be_deliverer();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_each_outcome, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_no_more_than_there_are_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_deliverer_is_judged_by_its_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_several_in_a_dead_deliverer_none_is_charged_at_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_deliverer_that_dies_before_it_is_ready_is_a_smarthost_that_is_down, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_paused_smarthost_takes_nothing_and_the_next_is_used,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(what_one_is_unable_to_take_goes_by_the_next_one, set_up_two,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_suspect_goes_by_the_next_smarthost, set_up_two,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_refused_a_message_is_known_while_it_is_in_memory,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(what_one_has_taken_is_the_first_probe_of_the_next,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_suspect_waits_for_the_next_smarthost_where_that_is_busy,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_frozen_deliverer_is_killed_with_all_that_it_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_answers_goes_on_with_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_hung_deliverer_is_killed_and_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            one_that_hangs_before_any_answer_is_a_smarthost_that_is_down, set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_session_fault_opens_the_circuit_until_a_probe, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_next_smarthost_serves_while_the_first_is_down,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_deliverer_that_cannot_start_is_a_smarthost_that_is_down,
                                        set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
