// How many mails go out in a time, and which of those that wait has the next token.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>

#include "relay/rate_limit.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define START INT64_C(1763688000000)

static struct rates rates_of(const char *text)
{
    struct rates rates;
    struct error err = {0};
    if (!rates_parse(text, &rates, &err))
        fail_msg("%s: %s", text, err.message);
    return rates;
}

static struct rate_limit *limit_of(const char *recipient, const char *total)
{
    struct rates own = rates_of(recipient), all = rates_of(total);
    struct rate_limit *limit = rate_limit_create(&own, &all);
    assert_non_null(limit);
    return limit;
}

static const uint8_t ZOE[QUEUE_DIGEST_SIZE] = {1}, ADA[QUEUE_DIGEST_SIZE] = {2};

// A code of now that lives for an hour.
static struct rate_request code_for(const uint8_t *recipient, int64_t now_ms)
{
    return (struct rate_request){.lane = LANE_CODE,
                                 .recipient = recipient,
                                 .received_ms = now_ms,
                                 .deadline_ms = now_ms + HOUR};
}

static bool take(struct rate_limit *limit, const uint8_t *recipient, enum lane lane, int64_t now_ms)
{
    struct rate_request request = code_for(recipient, now_ms);
    struct rate_wait wait;
    request.lane = lane;
    return rate_limit_take(limit, &request, now_ms, &wait);
}

static void rates_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; // in the error
    } wrong[] = {
        {"", "is no rate"},
        {"5", "is no rate"},
        {"5/", "is no rate"},
        {"/1m", "is no rate"},
        {"5/1", "is no rate"},
        {"5/1m,", "is no rate"},
        {"5/1m, ", "is no rate"},
        {" ", "is no rate"},
        {"5/1m 20/1h", "is no rate"},
        {"-5/1m", "is no rate"},
        {"5 / 1m", "is no rate"},
        {"0/1m", "'off' is no limit"},
        {"5/500ms", "from 1s to 30d"},
        {"5/31d", "from 1s to 30d"},
        {"1/1s,2/2s,3/3s,4/4s", "more than 3"},
        {"1000001/1s", "is no rate"},
        {"OFF", "is no rate"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rates rates;
        struct error err = {0};
        assert_false(rates_parse(wrong[i].text, &rates, &err));
        if (err.code != ERR_INPUT || !strstr(err.message, wrong[i].want))
            fail_msg("'%s': %s", wrong[i].text, err.message);
    }
    struct rates rates = rates_of("5/1m,20/1h");
    assert_int_equal(rates.count, 2);
    assert_int_equal(rates.rate[0].count, 5);
    assert_int_equal(rates.rate[0].period_ms, MINUTE);
    assert_int_equal(rates.rate[1].period_ms, HOUR);
    assert_int_equal(rates_of("off").count, 0);
    rates = rates_of(" 5/1m ,\t20/1h\n");
    assert_int_equal(rates.count, 2);
    assert_int_equal(rates.rate[1].count, 20);
    assert_int_equal(rates.rate[1].period_ms, HOUR);
}

static void as_many_go_at_once_and_then_one_each_interval(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("5/1m", "off");
    for (int i = 0; i < 5; i++)
        assert_true(take(limit, ZOE, LANE_CODE, START));
    assert_false(take(limit, ZOE, LANE_CODE, START + 12 * SECOND - 1));
    assert_true(take(limit, ZOE, LANE_CODE, START + 12 * SECOND));
    assert_false(take(limit, ZOE, LANE_CODE, START + 12 * SECOND));
    // After a rest the bucket is full again, and holds no more than that.
    for (int i = 0; i < 5; i++)
        assert_true(take(limit, ZOE, LANE_CODE, START + HOUR));
    assert_false(take(limit, ZOE, LANE_CODE, START + HOUR));
    rate_limit_destroy(limit);
}

static void all_rates_hold_together(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("5/1m,20/1h", "off");
    int64_t last_ms = START;
    int sent = 0;
    for (int64_t now_ms = START; now_ms < START + HOUR; now_ms += SECOND) {
        if (!take(limit, ZOE, LANE_CODE, now_ms))
            continue;
        last_ms = now_ms;
        if (++sent == 20)
            assert_in_range(now_ms - START, 2 * MINUTE, 4 * MINUTE); // 5 at once, then each 12 s
    }
    assert_in_range(sent, 38, 40); // 20, and as many again within the hour
    assert_true(last_ms > START + 50 * MINUTE);
    rate_limit_destroy(limit);
}

static void each_recipient_and_lane_has_its_own_and_notices_none(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("1/1m", "off");
    assert_true(take(limit, ZOE, LANE_CODE, START));
    assert_false(take(limit, ZOE, LANE_CODE, START));
    assert_true(take(limit, ADA, LANE_CODE, START));
    assert_true(take(limit, ZOE, LANE_BULK, START));
    assert_false(take(limit, ZOE, LANE_BULK, START));
    for (int i = 0; i < 100; i++)
        assert_true(take(limit, ZOE, LANE_NOTICE, START));
    rate_limit_destroy(limit);
}

static void without_a_limit_all_go(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("off", "off");
    for (int i = 0; i < 1000; i++)
        assert_true(take(limit, ZOE, LANE_CODE, START));
    rate_limit_destroy(limit);
}

static void too_many_altogether_wait_by_lane(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("off", "2/1s");
    struct rate_request request = code_for(ZOE, START);
    struct rate_wait wait = {0};
    assert_true(take(limit, ZOE, LANE_CODE, START));
    assert_true(rate_limit_total_ms(limit, LANE_CODE) <= START);
    assert_true(take(limit, ADA, LANE_CODE, START));
    assert_int_equal(rate_limit_total_ms(limit, LANE_CODE), START + 500);
    assert_true(rate_limit_total_ms(limit, LANE_BULK) <= START);
    assert_int_equal(rate_limit_total_ms(limit, LANE_NOTICE), 0);
    assert_false(rate_limit_take(limit, &request, START, &wait));
    assert_true(wait.is_total);
    assert_int_equal(wait.until_ms, START + 500);
    assert_true(take(limit, ZOE, LANE_NOTICE, START));
    assert_true(take(limit, ZOE, LANE_BULK, START));
    assert_true(take(limit, ZOE, LANE_CODE, START + 500));
    rate_limit_destroy(limit);
}

// What is refused by one of the two buckets takes nothing out of the other.
static void a_refusal_takes_no_token(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("1/1m", "3/1m");
    assert_true(take(limit, ZOE, LANE_CODE, START));
    for (int i = 0; i < 10; i++)
        assert_false(take(limit, ZOE, LANE_CODE, START));
    assert_true(take(limit, ADA, LANE_CODE, START));
    static const uint8_t EVE[QUEUE_DIGEST_SIZE] = {3}, BOB[QUEUE_DIGEST_SIZE] = {4};
    assert_true(take(limit, EVE, LANE_CODE, START));
    for (int i = 0; i < 10; i++)
        assert_false(take(limit, BOB, LANE_CODE, START));
    assert_true(take(limit, BOB, LANE_CODE, START + 20 * SECOND)); // his own is untouched
    rate_limit_destroy(limit);
}

static void what_was_given_back_is_anothers(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("1/1m", "1/1m");
    struct rate_request request = code_for(ZOE, START);
    for (int i = 0; i < 3; i++) {
        assert_true(take(limit, ZOE, LANE_CODE, START));
        assert_false(take(limit, ZOE, LANE_CODE, START));
        rate_limit_give_back(limit, &request);
    }
    assert_true(take(limit, ZOE, LANE_CODE, START));
    assert_false(take(limit, ADA, LANE_CODE, START));
    // A bucket that was never used has nothing to get back.
    request.recipient = ADA;
    request.lane = LANE_NOTICE;
    rate_limit_give_back(limit, &request);
    assert_false(take(limit, ADA, LANE_CODE, START));
    rate_limit_destroy(limit);
}

static void an_operator_is_told_of_a_bucket_now_and_then(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("1/1m", "off");
    struct rate_wait wait = {0};
    int told = 0;
    assert_true(take(limit, ZOE, LANE_CODE, START));
    for (int64_t now_ms = START; now_ms < START + 2 * RATE_TELL_MS; now_ms += SECOND) {
        struct rate_request request = code_for(ZOE, now_ms);
        if (!rate_limit_take(limit, &request, now_ms, &wait))
            told += wait.is_news;
    }
    assert_int_equal(told, 2);
    rate_limit_destroy(limit);
}

// Those that name one set of the table push out who has the most left.
static void the_fullest_bucket_is_forgotten_first(void **state)
{
    (void)state;
    struct rate_limit *limit = limit_of("2/1h", "off");
    uint8_t digest[6][QUEUE_DIGEST_SIZE] = {{0}};
    for (uint8_t i = 0; i < 6; i++)
        digest[i][0] = i;
    for (int i = 0; i < 2; i++)
        assert_true(take(limit, digest[0], LANE_CODE, START)); // empty
    for (int round = 0; round < 100; round++)
        for (int i = 1; i < 6; i++)
            take(limit, digest[i], LANE_CODE, START + round);
    assert_false(take(limit, digest[0], LANE_CODE, START + 100));
    rate_limit_destroy(limit);
}

// ---- a flood for one recipient ------------------------------------------------------------------

enum { FLOOD_MAX = 3000 };

struct waiting {
    int64_t received_ms, until_ms, sent_ms; // sent 0: waits; -1: expired
    bool has_waited;
};

struct flood {
    struct waiting all[FLOOD_MAX];
    size_t count, writes, sent, expired;
    bool oldest_first; // the order in which what is due is looked at
};

static void look_at(struct rate_limit *limit, struct flood *flood, struct waiting *one,
                    int64_t now_ms)
{
    const struct rate_request request = {.lane = flood->oldest_first ? LANE_BULK : LANE_CODE,
                                         .recipient = ZOE,
                                         .received_ms = one->received_ms,
                                         .deadline_ms = one->received_ms + HOUR,
                                         .has_waited = one->has_waited};
    struct rate_wait wait;
    if (rate_limit_take(limit, &request, now_ms, &wait)) {
        one->sent_ms = now_ms;
        flood->sent++;
        return;
    }
    assert_true(wait.until_ms > now_ms);
    assert_true(wait.until_ms <= request.deadline_ms);
    one->until_ms = wait.until_ms;
    one->has_waited = true;
    flood->writes++;
}

static void look_at_due(struct rate_limit *limit, struct flood *flood, int64_t now_ms)
{
    for (size_t i = 0; i < flood->count; i++) {
        struct waiting *one = &flood->all[flood->oldest_first ? i : flood->count - 1 - i];
        if (one->sent_ms != 0 || one->until_ms > now_ms)
            continue;
        if (one->received_ms + HOUR <= now_ms) {
            one->sent_ms = -1;
            flood->expired++;
        } else {
            look_at(limit, flood, one, now_ms);
        }
    }
}

// One arrives each every_ms, until there are so many; then time passes until none waits.
static void run_flood(struct flood *flood, const char *rates, size_t count, int64_t every_ms)
{
    struct rate_limit *limit = limit_of(rates, "off");
    int64_t now_ms = START;
    for (; flood->sent + flood->expired < count; now_ms += 100) {
        look_at_due(limit, flood, now_ms);
        while (flood->count < count && START + (int64_t)flood->count * every_ms <= now_ms) {
            struct waiting *one = &flood->all[flood->count++];
            one->received_ms = one->until_ms = START + (int64_t)(flood->count - 1) * every_ms;
            look_at(limit, flood, one, now_ms);
        }
        assert_true(now_ms < START + 3 * HOUR);
    }
    rate_limit_destroy(limit);
}

// However many wait, each is written once when it comes, once when it loses that token, and once
// for each place that a newer one takes from it: not at each token.
static void a_flood_is_not_written_again_at_each_token(void **state)
{
    (void)state;
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct flood *flood = calloc(1, sizeof(*flood));
        flood->oldest_first = oldest_first;
        run_flood(flood, "5/1m,20/1h", FLOOD_MAX, 2);
        assert_in_range(flood->sent, 38, 40); // no token of the hour was lost
        assert_true(flood->writes <= 2 * FLOOD_MAX + 100);
        free(flood);
    }
}

// One a second for twenty minutes against one each three minutes: the newest is never far.
static void the_newest_has_the_next_token(void **state)
{
    (void)state;
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct flood *flood = calloc(1, sizeof(*flood));
        enum { COUNT = 1200 };
        flood->oldest_first = oldest_first;
        run_flood(flood, "20/1h", COUNT, SECOND);
        size_t late = 0;
        for (size_t i = 20; i < COUNT; i++) // those after the burst that went while others came
            if (flood->all[i].sent_ms > 0 && flood->all[i].sent_ms < START + COUNT * SECOND) {
                assert_in_range(flood->all[i].sent_ms - flood->all[i].received_ms, 0, 2 * SECOND);
                late++;
            }
        assert_in_range(late, 5, 7);
        assert_true(flood->writes <= 2 * COUNT + 100);
        // The very last one waits for one token, whatever stands before it.
        struct waiting *last = &flood->all[COUNT - 1];
        assert_true(last->sent_ms > 0);
        assert_true(last->sent_ms - last->received_ms <= 3 * MINUTE + SECOND);
        free(flood);
    }
}

// A person who asks again some time after the flood goes as if it had not been.
static void after_a_flood_nobody_pays_for_its_dead(void **state)
{
    (void)state;
    struct flood *flood = calloc(1, sizeof(*flood));
    struct rate_limit *limit = limit_of("5/1m,20/1h", "off");
    for (flood->count = 0; flood->count < FLOOD_MAX;) {
        struct waiting *one = &flood->all[flood->count++];
        one->received_ms = START;
        look_at(limit, flood, one, START);
    }
    int64_t now_ms = START;
    for (; flood->sent + flood->expired < FLOOD_MAX; now_ms += 100)
        look_at_due(limit, flood, now_ms);
    assert_true(now_ms <= START + HOUR + SECOND);
    struct rate_wait wait = {0};
    struct rate_request late = code_for(ZOE, now_ms);
    if (!rate_limit_take(limit, &late, now_ms, &wait))
        assert_true(wait.until_ms <= now_ms + 3 * MINUTE);
    late.has_waited = true; // and where a newer one takes that token too
    late.received_ms--;
    if (!rate_limit_take(limit, &late, now_ms, &wait))
        assert_true(wait.until_ms <= now_ms + 7 * MINUTE);
    rate_limit_destroy(limit);
    free(flood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_read_strictly),
        cmocka_unit_test(as_many_go_at_once_and_then_one_each_interval),
        cmocka_unit_test(all_rates_hold_together),
        cmocka_unit_test(each_recipient_and_lane_has_its_own_and_notices_none),
        cmocka_unit_test(without_a_limit_all_go),
        cmocka_unit_test(too_many_altogether_wait_by_lane),
        cmocka_unit_test(a_refusal_takes_no_token),
        cmocka_unit_test(what_was_given_back_is_anothers),
        cmocka_unit_test(an_operator_is_told_of_a_bucket_now_and_then),
        cmocka_unit_test(the_fullest_bucket_is_forgotten_first),
        cmocka_unit_test(a_flood_is_not_written_again_at_each_token),
        cmocka_unit_test(the_newest_has_the_next_token),
        cmocka_unit_test(after_a_flood_nobody_pays_for_its_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
