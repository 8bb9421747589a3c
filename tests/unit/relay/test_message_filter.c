// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "relay/message_filter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW_MS INT64_C(1800000000000) // 2027-01-15T08:00:00Z
#define HOUR_MS INT64_C(3600000)

static bool set(struct message_filter *filter, const char *name, const char *value)
{
    struct error err = {0};
    if (message_filter_set(filter, name, value, NOW_MS, &err))
        return true;
    assert_int_equal(err.code, ERR_INPUT);
    assert_true(strlen(err.message) > 0);
    return false;
}

static void each_word_narrows(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"state", "held"},       {"recipient", "a@b.c"},   {"template", "t"},
        {"lane", "code"},        {"smarthost", "s"},       {"reason", "r"},
        {"since", "2027-01-01"}, {"before", "2027-01-01"}, {"older_than", "1h"},
        {"newer_than", "1h30m"},
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        struct message_filter filter = {0};
        assert_false(message_filter_is_narrow(&filter));
        assert_true(message_filter_knows(words[i][0]));
        assert_true(set(&filter, words[i][0], words[i][1]));
        assert_true(message_filter_is_narrow(&filter));
    }
    struct message_filter filter = {0};
    assert_true(set(&filter, "limit", "7"));
    assert_false(message_filter_is_narrow(&filter));
    assert_false(message_filter_knows("all"));
    assert_false(set(&filter, "all", "true"));
}

static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"state", ""},
        {"state", "waiting"},
        {"state", "queued,,held"},
        {"state", "Queued"},
        {"lane", "fast"},
        {"recipient", ""},
        {"recipient", "a b@c"},
        {"template", ""},
        {"since", "yesterday"},
        {"before", "2027-02-30"},
        {"older_than", "1"},
        {"older_than", "-1h"},
        {"newer_than", "2y"},
        {"limit", "0"},
        {"limit", "1000001"},
        {"limit", "many"},
        {"since", "2027-01-01T00:00:00 01:00"},
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        struct message_filter filter = {0}, before = {0};
        assert_false(set(&filter, words[i][0], words[i][1]));
        assert_memory_equal(&filter, &before, sizeof(filter));
    }
    char text[QUEUE_RECIPIENT_SIZE + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct message_filter filter = {0};
    assert_false(set(&filter, "recipient", text));
    assert_true(set(&filter, "recipient", text + 1));
    text[QUEUE_TEXT_SIZE] = '\0';
    assert_false(set(&filter, "reason", text));
    assert_true(set(&filter, "reason", text + 1));
}

static void several_states_are_any_of_them(void **state)
{
    (void)state;
    struct message_filter filter = {0};
    assert_true(set(&filter, "state", "queued,held"));
    assert_int_equal(filter.states,
                     QUEUE_STATE_BIT(MESSAGE_QUEUED) | QUEUE_STATE_BIT(MESSAGE_HELD));
}

static void of_several_bounds_the_narrowest_counts(void **state)
{
    (void)state;
    struct message_filter filter = {0};
    assert_true(set(&filter, "older_than", "1h"));
    assert_true(set(&filter, "before", "2027-01-15T07:30:00Z"));
    assert_int_equal(filter.before_ms, NOW_MS - HOUR_MS);
    assert_true(set(&filter, "newer_than", "3h"));
    assert_true(set(&filter, "since", "2027-01-15T06:00:00Z"));
    assert_int_equal(filter.since_ms, NOW_MS - 2 * HOUR_MS);
}

static void a_day_begins_at_midnight(void **state)
{
    (void)state;
    struct message_filter filter = {0};
    assert_true(set(&filter, "since", "2027-01-15"));
    assert_true(set(&filter, "before", "2027-01-16"));
    assert_int_equal(filter.since_ms, NOW_MS - 8 * HOUR_MS);
    assert_int_equal(filter.before_ms, NOW_MS + 16 * HOUR_MS);
}

static void the_queues_clock_is_another(void **state)
{
    (void)state;
    struct message_filter filter = {0};
    assert_true(set(&filter, "since", "2027-01-15T08:00:00Z"));
    assert_int_equal(message_filter_for_queue(&filter, 0).since_ms, NOW_MS);
    assert_int_equal(message_filter_for_queue(&filter, 1000).since_ms, NOW_MS - 1000);
    assert_int_equal(message_filter_for_queue(&filter, 1000).before_ms, 0);
    assert_int_not_equal(message_filter_for_queue(&filter, NOW_MS).since_ms, 0); // no bound
    assert_null(message_filter_for_queue(&filter, 0).recipient);
    assert_true(set(&filter, "recipient", "a+b@example.com"));
    assert_string_equal(message_filter_for_queue(&filter, 0).recipient, "a+b@example.com");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_narrows),
        cmocka_unit_test(what_is_wrong_is_refused_and_changes_nothing),
        cmocka_unit_test(several_states_are_any_of_them),
        cmocka_unit_test(of_several_bounds_the_narrowest_counts),
        cmocka_unit_test(a_day_begins_at_midnight),
        cmocka_unit_test(the_queues_clock_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
