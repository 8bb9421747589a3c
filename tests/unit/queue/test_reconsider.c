// What waits for a token of limits that were changed is asked again.
#include "queue_fixture.h"

#define OLD "recipient 1/60000ms, total"
#define NEW "recipient 9/60000ms, total"
enum { BATCH = 64 };

static bool reconsider(struct fixture *fixture, const char *limits, int64_t before_ms,
                       size_t *ret_count)
{
    struct error err = {0};
    bool more = false;
    if (!queue_reconsider(fixture->queue, limits, before_ms, ret_count, &more, &err))
        fail_msg("%s", err.message);
    return more;
}

static size_t reconsider_all(struct fixture *fixture, const char *limits)
{
    size_t all = 0, count = 0;
    bool more;
    fixture_pass(fixture, 1);
    int64_t before_ms = queue_now_ms(fixture->queue);
    do {
        more = reconsider(fixture, limits, before_ms, &count);
        assert_true(count <= BATCH);
        all += count;
    } while (more);
    return all;
}

static void put_off(struct fixture *fixture, enum lane lane, const char *reason, int64_t age_ms,
                    char ret_id[QUEUE_ID_SIZE])
{
    static int number;
    char text[64];
    int64_t now_ms = queue_now_ms(fixture->queue);
    snprintf(text, sizeof(text), "{\"s\":%d}", number++);
    make_queued(fixture->queue, text, lane, now_ms - age_ms, 0, ret_id);
    const struct queue_settlement settlement = {
        .state = MESSAGE_QUEUED, .reason = reason, .not_before_ms = now_ms + HOUR_MS};
    assert_int_equal(settle(fixture->queue, ret_id, &settlement), QUEUE_DONE);
}

static void what_was_put_off_under_other_limits_is_due(void **state)
{
    struct fixture *fixture = *state;
    char limited[2][QUEUE_ID_SIZE], refused[QUEUE_ID_SIZE];
    assert_int_equal(reconsider_all(fixture, OLD), 0);
    put_off(fixture, LANE_CODE, "rate_limited", 5, limited[0]);
    put_off(fixture, LANE_BULK, "rate_limited", 4, limited[1]);
    put_off(fixture, LANE_CODE, NULL, 3, refused);
    assert_int_equal(reconsider_all(fixture, OLD), 0);
    assert_int_equal(reconsider_all(fixture, NEW), 2);
    for (int i = 0; i < 2; i++) {
        struct queue_message row = load_row(fixture->reader, limited[i]);
        assert_int_equal(row.not_before_ms, 0);
        assert_int_equal(row.state, MESSAGE_QUEUED);
        assert_string_equal(row.reason, "rate_limited");
    }
    assert_true(load_row(fixture->reader, refused).not_before_ms > 0);
    // Each is asked once.
    put_off(fixture, LANE_CODE, "rate_limited", 2, refused);
    assert_int_equal(reconsider_all(fixture, NEW), 0);
}

static void many_take_many_batches_the_newest_first(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 3 * BATCH + 5 };
    char ids[COUNT][QUEUE_ID_SIZE];
    size_t count = 0;
    for (int i = 0; i < COUNT; i++)
        put_off(fixture, LANE_CODE, "rate_limited", i / 3, ids[i]); // of one age, too
    fixture_pass(fixture, 1);
    assert_true(reconsider(fixture, NEW, queue_now_ms(fixture->queue), &count));
    assert_int_equal(count, BATCH);
    assert_int_equal(load_row(fixture->reader, ids[0]).not_before_ms, 0);
    assert_true(load_row(fixture->reader, ids[COUNT - 1]).not_before_ms > 0);
    // A kill in between has the rest done by the next run.
    fixture_reopen(fixture);
    assert_int_equal(reconsider_all(fixture, NEW), COUNT - BATCH);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(load_row(fixture->reader, ids[i]).not_before_ms, 0);
    assert_int_equal(reconsider_all(fixture, NEW), 0);
}

static void what_this_run_puts_off_is_left(void **state)
{
    struct fixture *fixture = *state;
    char ids[2][QUEUE_ID_SIZE];
    size_t count = 0;
    put_off(fixture, LANE_CODE, "rate_limited", 5, ids[0]);
    fixture_pass(fixture, 10);
    int64_t begun_ms = queue_now_ms(fixture->queue);
    put_off(fixture, LANE_CODE, "rate_limited", 90, ids[1]);
    assert_false(reconsider(fixture, NEW, begun_ms, &count));
    assert_int_equal(count, 1);
    assert_int_equal(load_row(fixture->reader, ids[0]).not_before_ms, 0);
    assert_true(load_row(fixture->reader, ids[1]).not_before_ms > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(what_was_put_off_under_other_limits_is_due),
        QUEUE_TEST(many_take_many_batches_the_newest_first),
        QUEUE_TEST(what_this_run_puts_off_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
