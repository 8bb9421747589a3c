// Other smarthosts, or other settings of them, while messages are under way.
#include "deliverers_fixture.h"

// The fixture's configuration once more, of smarthosts whose URIs are these.
struct changed {
    struct config config;
    struct smarthost smarthosts[2];
};

static void change(struct fixture *fixture, struct changed *changed, size_t count, char *first_uri)
{
    struct error err = {0};
    memcpy(changed->smarthosts, fixture->smarthosts, sizeof(changed->smarthosts));
    changed->smarthosts[0].uri = first_uri;
    changed->config = fixture->config;
    changed->config.smarthosts = changed->smarthosts;
    changed->config.smarthost_count = count;
    assert_true(deliverers_reload(fixture->deliverers, &changed->config, &err));
}

static int set_up_uris(void **state)
{
    int failed = set_up_two(state);
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2; i++)
        fixture->smarthosts[i].uri = text_good;
    return failed;
}

static void one_that_stays_as_it_was_keeps_its_circuit(void **state)
{
    struct fixture *fixture = *state;
    static struct changed same, other;
    int64_t began_ms = clock_boot_ms(); // before its pause, however long this takes
    start(fixture, "refuse");
    wait_for(fixture, 1);
    change(fixture, &same, 1, text_good);
    assert_true(deliverers_down(fixture->deliverers, began_ms));
    // It may be well again by what was changed: that shows at once, and is not told before.
    change(fixture, &other, 1, text_mute);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 1);
    assert_int_equal(fixture->came_up, 0);
    assert_true(start(fixture, "sent") >= 0);
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "first");
    assert_int_equal(fixture->came_up, 1);
    assert_int_equal(fixture->died, 0);
}

static void one_that_is_paused_stays_so(void **state)
{
    struct fixture *fixture = *state;
    static struct changed other;
    assert_true(deliverers_pause(fixture->deliverers, "first", true));
    change(fixture, &other, 2, text_mute);
    start(fixture, "sent");
    wait_for(fixture, 1);
    assert_string_equal(fixture->smarthost_of[0], "second");
    change(fixture, &other, 1, text_good);
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
}

static void what_is_under_way_to_one_that_goes_ends_there(void **state)
{
    struct fixture *fixture = *state;
    static struct changed other, again;
    start(fixture, "refuse");
    wait_for(fixture, 1);
    int under_way = start(fixture, "hang");
    change(fixture, &other, 1, text_mute);
    change(fixture, &again, 1, text_bad); // the one that goes is behind it now
    assert_int_equal(deliverers_under_way(fixture->deliverers), 1);
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_int_equal(fixture->outcomes[under_way], DELIVERY_SESSION); // it has said nothing
    assert_string_equal(fixture->smarthost_of[under_way], "second");
    assert_int_equal(fixture->outcomes[2], DELIVERY_SENT);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_string_equal(fixture->in_use, "second first ");
    assert_int_equal(deliverers_under_way(fixture->deliverers), 0);
    change(fixture, &other, 1, text_bad);
    assert_int_equal(fixture->went_down, 1); // the first; of the second nobody wants to know
}

// Else each new password would be given the whole rate once more.
static void a_rate_that_stays_the_same_counts_on(void **state)
{
    struct fixture *fixture = *state;
    static struct changed other, faster;
    deliverers_destroy(fixture->deliverers);
    fixture->smarthosts[0].rate =
        (struct rates){.rate = {{.count = 2, .period_ms = 3600000}}, .count = 1};
    assert_true(create(fixture));
    start(fixture, "sent");
    start(fixture, "sent");
    wait_for(fixture, 2);
    change(fixture, &other, 1, text_mute);
    assert_true(deliverers_are_paced(fixture->deliverers, clock_boot_ms()));
    assert_int_equal(start(fixture, "sent"), -1);
    fixture->smarthosts[0].rate.rate[0].count = 3; // another one begins anew
    change(fixture, &faster, 1, text_good);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 3);
}

// However often a password is changed, each smarthost is asked about a message by itself.
static void what_one_is_unable_to_take_is_never_kept_from_another(void **state)
{
    struct fixture *fixture = *state;
    static struct {
        struct config config;
        struct smarthost smarthosts[3];
    } changed[100];
    start(fixture, "unable");
    wait_for(fixture, 1);
    struct delivery *delivery = &fixture->deliveries[0];
    assert_true(deliverers_start(fixture->deliverers, delivery, clock_boot_ms()));
    wait_for(fixture, 2);
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        struct error err = {0};
        struct smarthost *smarthosts = changed[i].smarthosts;
        memcpy(smarthosts, fixture->smarthosts, sizeof(fixture->smarthosts));
        smarthosts[2] = smarthosts[1];
        snprintf(smarthosts[2].name, SMARTHOST_NAME_SIZE, "third");
        smarthosts[2].uri = i % 2 == 0 ? text_mute : text_bad;
        changed[i].config = fixture->config;
        changed[i].config.smarthosts = smarthosts;
        changed[i].config.smarthost_count = 3;
        assert_true(deliverers_reload(fixture->deliverers, &changed[i].config, &err));
        assert_true(deliverers_has_able(fixture->deliverers, delivery->unable, clock_boot_ms()));
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return be_deliverer();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_stays_as_it_was_keeps_its_circuit, set_up_uris,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_rate_that_stays_the_same_counts_on, set_up_uris,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_paused_stays_so, set_up_uris, tear_down),
        cmocka_unit_test_setup_teardown(what_one_is_unable_to_take_is_never_kept_from_another,
                                        set_up_uris, tear_down),
        cmocka_unit_test_setup_teardown(what_is_under_way_to_one_that_goes_ends_there, set_up_uris,
                                        tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
