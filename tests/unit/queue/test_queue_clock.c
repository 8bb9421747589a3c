#include "queue_fixture.h"

static void time_starts_at_the_wall_clock_and_follows_the_boot_clock(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START);
    fixture->wall_ms += HOUR_MS; // somebody sets the clock
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START);
    fixture->boot_ms += 1234;
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 1234);
    fixture->wall_ms -= DAY_MS;
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 1234);
}

static void a_restart_in_one_boot_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->boot_ms += 5000;
    fixture->wall_ms -= HOUR_MS;
    fixture_reopen(fixture);
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 5000);
    fixture_close(fixture);
    fixture->boot_ms += 7000; // while nobody ran
    fixture_open(fixture);
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 12000);
}

static void across_a_reboot_the_wall_clock_counts_forwards_only(void **state)
{
    struct fixture *fixture = *state;
    fixture_pass(fixture, 5000);
    fixture_reboot(fixture, HOUR_MS);
    int64_t now_ms = WALL_START + 5000 + HOUR_MS;
    assert_int_equal(queue_now_ms(fixture->queue), now_ms);
    assert_int_equal(queue_away_ms(fixture->queue), HOUR_MS);
    fixture_reboot(fixture, -2 * HOUR_MS);
    assert_int_equal(queue_now_ms(fixture->queue), now_ms);
    assert_int_equal(queue_away_ms(fixture->queue), -2 * HOUR_MS);
    fixture_pass(fixture, 10);
    assert_int_equal(queue_now_ms(fixture->queue), now_ms + 10);
}

// The record may be a minute old when the power goes, and the wall clock may come back wrong.
static void time_does_not_run_behind_the_newest_message(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(accept_at(fixture->queue, "{}", WALL_START + 50000, NULL), QUEUE_DONE);
    fixture_reboot(fixture, -DAY_MS);
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 50000);
}

static int64_t recorded_wall_ms(const struct fixture *fixture)
{
    struct error err = {0};
    struct database database;
    assert_true(database_open(&database, fixture->dir, true, &err));
    struct query query = query_start(&database, "SELECT value FROM meta WHERE name = 'wall_ms'");
    assert_true(query_step(&query));
    int64_t wall_ms = query_get_int(&query);
    query_finish(&query);
    database_close(&database);
    return wall_ms;
}

// A battery that is dead starts a machine in 1970, and the network puts the clock right soon after.
// The power may go before the minute is over.
static void a_wall_clock_that_was_set_is_on_record_with_the_next_commit(void **state)
{
    struct fixture *fixture = *state;
    fixture_pass(fixture, 500);
    assert_int_equal(accept_now(fixture->queue, "{\"n\":1}", NULL), QUEUE_DONE);
    assert_int_equal(recorded_wall_ms(fixture), WALL_START);
    fixture->wall_ms += 500; // slewed
    assert_int_equal(accept_now(fixture->queue, "{\"n\":2}", NULL), QUEUE_DONE);
    assert_int_equal(recorded_wall_ms(fixture), WALL_START);
    fixture->wall_ms += 365 * DAY_MS;
    assert_int_equal(accept_now(fixture->queue, "{\"n\":3}", NULL), QUEUE_DONE);
    assert_int_equal(recorded_wall_ms(fixture), fixture->wall_ms);
    fixture->wall_ms -= 365 * DAY_MS;
    assert_int_equal(accept_now(fixture->queue, "{\"n\":4}", NULL), QUEUE_DONE);
    assert_int_equal(recorded_wall_ms(fixture), fixture->wall_ms);
}

static void a_boot_clock_that_is_behind_its_record_is_another_ones(void **state)
{
    struct fixture *fixture = *state;
    fixture_pass(fixture, 5000);
    fixture_close(fixture);
    fixture->boot_ms -= HOUR_MS; // in another time namespace
    fixture->wall_ms += 700;
    fixture_open(fixture);
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 5700);
    assert_false(queue_rebooted(fixture->queue)); // the marks are still there
    fixture_pass(fixture, 10);
    assert_int_equal(queue_now_ms(fixture->queue), WALL_START + 5710);
}

static void times_convert_to_the_other_clocks(void **state)
{
    struct fixture *fixture = *state;
    fixture->wall_ms += HOUR_MS;
    fixture->boot_ms += 1000;
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(queue_wall_ms(fixture->queue, now_ms), fixture->wall_ms);
    assert_int_equal(queue_wall_ms(fixture->queue, now_ms - 500), fixture->wall_ms - 500);
    assert_int_equal(queue_boot_ms(fixture->queue, now_ms), fixture->boot_ms);
    assert_int_equal(queue_boot_ms(fixture->queue, now_ms + 7), fixture->boot_ms + 7);
    assert_int_equal(queue_reader_now_ms(fixture->reader), now_ms);
    assert_int_equal(queue_reader_wall_ms(fixture->reader, now_ms + 1), fixture->wall_ms + 1);
}

// With the machine's own clocks: what the daemon says and what a command says is the same.
static void a_command_knows_the_daemons_time(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    fixture_init(&fixture);
    const struct queue_options options = {.dir = fixture.dir};
    for (int round = 0; round < 2; round++) {
        fixture.queue = queue_open(&options, &err);
        assert_non_null(fixture.queue);
        assert_false(queue_rebooted(fixture.queue));
        struct queue_reader *reader = queue_reader_open(fixture.dir, &err);
        assert_non_null(reader);
        int64_t before_ms = queue_now_ms(fixture.queue);
        int64_t now_ms = queue_reader_now_ms(reader);
        assert_in_range(now_ms, before_ms, queue_now_ms(fixture.queue));
        queue_reader_destroy(reader);
        queue_close(fixture.queue);
    }
    fixture.queue = NULL;
    fixture_finish(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(time_starts_at_the_wall_clock_and_follows_the_boot_clock),
        QUEUE_TEST(a_restart_in_one_boot_changes_nothing),
        QUEUE_TEST(across_a_reboot_the_wall_clock_counts_forwards_only),
        QUEUE_TEST(time_does_not_run_behind_the_newest_message),
        QUEUE_TEST(a_wall_clock_that_was_set_is_on_record_with_the_next_commit),
        QUEUE_TEST(a_boot_clock_that_is_behind_its_record_is_another_ones),
        QUEUE_TEST(times_convert_to_the_other_clocks),
        cmocka_unit_test(a_command_knows_the_daemons_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
