// Which connection goes where there are too many.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "tests/unit/relay/http/connections_fixture.h"

static void the_oldest_without_a_key_goes_for_a_new_one(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 3, 3, NEVER_MS, NEVER_MS);
    struct pair kept = open_from(table, "192.0.2.1");
    http_connections_admitted(table, kept.connection);
    struct pair second = open_from(table, "192.0.2.2"), third = open_from(table, "192.0.2.3");
    assert_false(is_ended(&second));
    struct pair fourth = open_from(table, "192.0.2.4");
    assert_true(is_ended(&second));
    // It is still in the table, and no longer counts.
    struct pair fifth = open_from(table, "192.0.2.5");
    assert_true(is_ended(&third));
    assert_false(is_ended(&kept) || is_ended(&fourth) || is_ended(&fifth));
    assert_int_equal(tally.crowded, 2);
    struct pair *all[] = {&kept, &second, &third, &fourth, &fifth};
    for (size_t i = 0; i < COUNT(all); i++)
        close_pair(table, all[i]);
    http_connections_destroy(table);
}

static void who_has_just_sent_something_goes_after_the_silent(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 2, NEVER_MS, NEVER_MS);
    struct pair first = open_from(table, "192.0.2.1");
    assert_int_equal(send(first.far, "P", 1, MSG_NOSIGNAL), 1);
    struct pair second = open_from(table, "192.0.2.1"), third = open_from(table, "192.0.2.1");
    assert_true(is_ended(&second));
    assert_false(is_ended(&first) || is_ended(&third));
    // The newest is not taken for silent, and where nobody else is, the oldest goes.
    struct pair other = open_from(table, "192.0.2.2");
    assert_int_equal(send(third.far, "P", 1, MSG_NOSIGNAL), 1);
    struct pair fourth = open_from(table, "192.0.2.1");
    assert_true(is_ended(&first));
    assert_false(is_ended(&third) || is_ended(&fourth) || is_ended(&other));
    struct pair *all[] = {&first, &second, &third, &fourth, &other};
    for (size_t i = 0; i < COUNT(all); i++)
        close_pair(table, all[i]);
    http_connections_destroy(table);
    assert_int_equal(tally.crowded, 2);
}

// One that has shown a key and was answered.
static struct pair open_kept(struct http_connections *table, const char *address)
{
    struct pair pair = open_from(table, address);
    http_connections_begun(table, pair.connection);
    http_connections_admitted(table, pair.connection);
    http_connections_waiting(table, pair.connection);
    http_connections_answering(table, pair.connection);
    http_connections_answered(table, pair.connection);
    return pair;
}

static void where_all_have_shown_a_key_the_one_idle_for_longest_goes(void **state)
{
    (void)state;
    struct tally tally = {0};
    enum { BEGUN, REFUSED, SENT, LATELY, LONGEST, NEXT, ELSEWHERE, KEPT };
    struct http_connections *table = create(&tally, KEPT + 2, KEPT - 1, NEVER_MS, NEVER_MS);
    struct pair kept[KEPT], new[3];
    for (size_t i = 0; i < KEPT; i++)
        kept[i] = open_kept(table, i == ELSEWHERE ? "192.0.2.2" : "192.0.2.1");
    http_connections_begun(table, kept[BEGUN].connection);
    http_connections_refused(table, kept[REFUSED].connection);
    http_connections_answered(table, kept[REFUSED].connection); // closed by the library next
    assert_int_equal(send(kept[SENT].far, "P", 1, MSG_NOSIGNAL), 1);
    http_connections_begun(table, kept[LATELY].connection);
    http_connections_answered(table, kept[LATELY].connection);
    static const size_t turns[] = {LONGEST, NEXT, LATELY};
    for (size_t i = 0; i < COUNT(new); i++) {
        new[i] = open_from(table, "192.0.2.1");
        for (size_t j = 0; j < COUNT(turns); j++)
            if (is_ended(&kept[turns[j]]) != (j <= i))
                fail_msg("%zu after %zu", turns[j], i);
        http_connections_begun(table, new[i].connection);
        http_connections_admitted(table, new[i].connection);
    }
    // Now none is idle, and what has a request under way stays.
    struct pair last = open_from(table, "192.0.2.1");
    assert_true(is_ended(&last));
    assert_false(is_ended(&kept[BEGUN]) || is_ended(&kept[REFUSED]) || is_ended(&kept[SENT]) ||
                 is_ended(&kept[ELSEWHERE]) || is_ended(&new[0]) || is_ended(&new[2]));
    for (size_t i = 0; i < COUNT(kept); i++)
        close_pair(table, &kept[i]);
    for (size_t i = 0; i < COUNT(new); i++)
        close_pair(table, &new[i]);
    close_pair(table, &last);
    http_connections_destroy(table);
    assert_int_equal(tally.crowded, 4);
    assert_int_equal(tally.admitted, 3);
}

static void any_address_s_longest_idle_makes_room_in_all(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 2, 2, NEVER_MS, NEVER_MS);
    struct pair first = open_kept(table, "192.0.2.1"), second = open_kept(table, "192.0.2.2");
    struct pair third = open_from(table, "192.0.2.3");
    assert_true(is_ended(&first));
    assert_false(is_ended(&second) || is_ended(&third));
    close_pair(table, &first);
    close_pair(table, &second);
    close_pair(table, &third);
    http_connections_destroy(table);
}

static void who_is_idle_without_a_key_has_no_room_before_the_others(void **state)
{
    (void)state;
    struct tally tally = {0};
    enum { LIMIT = 16 };
    struct http_connections *table = create(&tally, LIMIT, LIMIT, NEVER_MS, NEVER_MS);
    struct pair pairs[LIMIT + 1];
    pairs[0] = open_from(table, "192.0.2.1");
    http_connections_begun(table, pairs[0].connection);
    http_connections_answered(table, pairs[0].connection); // it has looked at health
    for (size_t i = 1; i < LIMIT; i++)
        pairs[i] = open_kept(table, "192.0.2.1");
    pairs[LIMIT] = open_from(table, "192.0.2.1");
    for (size_t i = 0; i < COUNT(pairs); i++)
        assert_int_equal(is_ended(&pairs[i]), i == 0);
    for (size_t i = 0; i < COUNT(pairs); i++)
        close_pair(table, &pairs[i]);
    http_connections_destroy(table);
}

// New connections of a proxy come together, before the first of them has said anything; strangers
// look the same, so an eighth is all that they get of those that are kept.
static void a_few_newcomers_have_room_before_the_idle_and_strangers_no_more(void **state)
{
    (void)state;
    enum { LIMIT = 16, FEW = LIMIT / 8, NEW = 5 };
    struct tally tally = {0};
    struct http_connections *table = create(&tally, LIMIT * 2, LIMIT, NEVER_MS, NEVER_MS);
    struct pair kept[LIMIT], new[NEW];
    for (size_t i = 0; i < LIMIT; i++)
        kept[i] = open_kept(table, "192.0.2.1");
    for (size_t i = 0; i < NEW; i++) {
        new[i] = open_from(table, "192.0.2.1");
        if (i < FEW)
            assert_false(is_ended(&new[0]));
        else
            assert_true(is_ended(&new[i - FEW]));
    }
    for (size_t i = 0; i < LIMIT; i++)
        if (is_ended(&kept[i]) != (i < FEW))
            fail_msg("%zu", i);
    for (size_t i = 0; i < LIMIT; i++)
        close_pair(table, &kept[i]);
    for (size_t i = 0; i < NEW; i++)
        close_pair(table, &new[i]);
    http_connections_destroy(table);
}

static void where_all_have_requests_under_way_the_newest_goes(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 2, 2, NEVER_MS, NEVER_MS);
    struct pair pairs[3];
    for (size_t i = 0; i < COUNT(pairs); i++) {
        pairs[i] = open_from(table, "192.0.2.1");
        http_connections_admitted(table, pairs[i].connection);
    }
    assert_false(is_ended(&pairs[0]) || is_ended(&pairs[1]));
    assert_true(is_ended(&pairs[2]));
    // One that closes makes room.
    close_pair(table, &pairs[0]);
    struct pair next = open_from(table, "192.0.2.1");
    assert_false(is_ended(&next));
    close_pair(table, &pairs[1]);
    close_pair(table, &pairs[2]);
    close_pair(table, &next);
    http_connections_destroy(table);
    assert_int_equal(tally.admitted, 0);
}

static void an_address_has_its_own_limit(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool are_one;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"::1", "127.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tally tally = {0};
        struct http_connections *table = create(&tally, 8, 1, NEVER_MS, NEVER_MS);
        struct pair first = open_from(table, cases[i].first);
        struct pair second = open_from(table, cases[i].second);
        if (is_ended(&first) != cases[i].are_one || is_ended(&second))
            fail_msg("%s and %s", cases[i].first, cases[i].second);
        close_pair(table, &first);
        close_pair(table, &second);
        http_connections_destroy(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_without_a_key_goes_for_a_new_one),
        cmocka_unit_test(who_has_just_sent_something_goes_after_the_silent),
        cmocka_unit_test(where_all_have_shown_a_key_the_one_idle_for_longest_goes),
        cmocka_unit_test(any_address_s_longest_idle_makes_room_in_all),
        cmocka_unit_test(who_is_idle_without_a_key_has_no_room_before_the_others),
        cmocka_unit_test(a_few_newcomers_have_room_before_the_idle_and_strangers_no_more),
        cmocka_unit_test(where_all_have_requests_under_way_the_newest_goes),
        cmocka_unit_test(an_address_has_its_own_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
