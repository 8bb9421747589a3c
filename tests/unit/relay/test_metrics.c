// What is counted, and the page that tells it. Counts are the process's, so each test looks at what
// it has added, under names of its own where there are any.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/metrics.h"
#include "tests/support/folder.h"

struct fixture {
    char dir[FOLDER_PATH_SIZE];
    struct queue *queue;
    struct queue_reader *reader;
    struct metrics_sources sources;
    struct buffer page;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    folder_make(fixture->dir);
    const struct queue_options options = {.dir = fixture->dir};
    fixture->queue = queue_open(&options, &err);
    fixture->reader = fixture->queue ? queue_reader_create(fixture->queue, &err) : NULL;
    metrics_sources_init(&fixture->sources, fixture->queue, fixture->reader, fixture->dir);
    buffer_init(&fixture->page, (size_t)1024 * 1024);
    *state = fixture;
    return fixture->reader ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    buffer_finish(&fixture->page);
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    folder_remove(fixture->dir);
    free(fixture);
    return 0;
}

#define METRICS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static const char *write_page(struct fixture *fixture)
{
    buffer_clear(&fixture->page);
    metrics_write(&fixture->sources, &fixture->page);
    assert_false(fixture->page.failed);
    return fixture->page.data;
}

// The value of a series, written as on the page without the prefix; -1: there is none.
static double value_of(struct fixture *fixture, const char *series)
{
    char line[256];
    snprintf(line, sizeof(line), "\ncourier_relay_%s ", series);
    const char *at = strstr(write_page(fixture), line);
    return at ? strtod(at + strlen(line), NULL) : -1;
}

static void counts_of_a_known_route_begin_with_nothing(void **state)
{
    metrics_route("shop");
    assert_true(value_of(*state, "payloads_total{route=\"shop\",outcome=\"empty\"}") == 0);
    metrics_payload("shop", METRICS_EMPTY, 10);
    metrics_payload("shop", METRICS_EMPTY, 10);
    assert_true(value_of(*state, "payloads_total{route=\"shop\",outcome=\"empty\"}") == 2);
}

static void only_what_was_answered_200_is_an_accept(void **state)
{
    double before = value_of(*state, "accept_duration_seconds_count");
    metrics_payload("kratos", METRICS_ACCEPTED, 10);
    metrics_payload("kratos", METRICS_DUPLICATE, 10);
    metrics_payload("kratos", METRICS_NOT_JSON, 10);
    metrics_payload("kratos", METRICS_UNAVAILABLE, 10);
    assert_true(value_of(*state, "accept_duration_seconds_count") == before + 2);
}

static void buckets_hold_what_is_at_most_their_bound(void **state)
{
    static const struct {
        const char *le;
        double more;
    } buckets[] = {{"0.00025", 2}, {"0.0005", 3}, {"0.001", 3}, {"10", 3}, {"+Inf", 4}};
    double before[5], sum = value_of(*state, "commit_duration_seconds_sum");
    char series[96];
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < 5; i++) {
            snprintf(series, sizeof(series), "commit_duration_seconds_bucket{le=\"%s\"}",
                     buckets[i].le);
            double value = value_of(*state, series);
            if (pass == 0)
                before[i] = value;
            else
                assert_true(value == before[i] + buckets[i].more);
        }
        if (pass > 0)
            break;
        metrics_committed(-5); // a clock that was set
        metrics_committed(250);
        metrics_committed(251);
        metrics_committed(60 * 1000 * 1000);
    }
    double more = value_of(*state, "commit_duration_seconds_sum") - sum;
    assert_true(more > 60.0004 && more < 60.0006);
}

static void an_end_counts_by_lane_and_by_template(void **state)
{
    const enum lane lane = LANE_CODE;
    const char *by_lane = "ended_messages_total{state=\"expired\",lane=\"code\"}";
    double before = value_of(*state, by_lane);
    metrics_ended(MESSAGE_EXPIRED, &lane, "login_code_valid");
    assert_true(value_of(*state, by_lane) == before + 1);
    assert_true(value_of(*state, "ended_messages_by_template_total{state=\"expired\",template="
                                 "\"login_code_valid\"}") == 1);
    metrics_expired_rate_limited(lane);
    assert_true(value_of(*state, "expired_rate_limited_messages_total{lane=\"code\"}") == 1);
    metrics_ended(MESSAGE_CANCELLED, NULL, "");
    assert_true(value_of(*state, "ended_messages_total{state=\"cancelled\",lane=\"none\"}") == 1);
}

static void what_a_label_has_no_room_for_is_other(void **state)
{
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "reason_%d", i);
        metrics_parked(name);
    }
    double other = value_of(*state, "parked_messages_total{reason=\"other\"}");
    assert_true(other > 60 && other < 100);
    metrics_parked("reason_0");
    assert_true(value_of(*state, "parked_messages_total{reason=\"reason_0\"}") == 2);
    metrics_parked(
        "a reason that is much longer than whatever this program, or an operator's file, "
        "may give");
    assert_true(value_of(*state, "parked_messages_total{reason=\"other\"}") == other + 1);
}

static void a_rejection_goes_by_what_its_code_is_about(void **state)
{
    static const struct {
        const char *code, *class;
    } cases[] = {{"5.1.1", "address"}, {"5.7.26", "policy"}, {"5.0.0", "other"}, {NULL, "other"},
                 {"5", "other"},       {"5.9.1", "other"},   {"5.11.1", "other"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char series[96];
        snprintf(series, sizeof(series), "rejected_messages_total{class=\"%s\"}", cases[i].class);
        double before = value_of(*state, series);
        metrics_rejected(cases[i].code);
        assert_true(value_of(*state, series) == before + 1);
    }
}

static void lifetime_left_is_of_codes_alone(void **state)
{
    double before = value_of(*state, "code_lifetime_left_seconds_count");
    metrics_delivered(LANE_NOTICE, 5, 60 * 1000);
    assert_true(value_of(*state, "code_lifetime_left_seconds_count") == before);
    metrics_delivered(LANE_CODE, 5, 60 * 1000);
    assert_true(value_of(*state, "code_lifetime_left_seconds_count") == before + 1);
    assert_true(value_of(*state, "code_lifetime_left_seconds_bucket{le=\"60\"}") >= 1);
    assert_true(value_of(*state, "queue_wait_seconds_bucket{lane=\"notice\",le=\"0.005\"}") == 1);
}

static void a_smarthost_is_in_one_state_until_it_is_gone(void **state)
{
    static const char closed[] = "smarthost_circuit{smarthost=\"a:25\",state=\"closed\"}";
    static const char paused[] = "smarthost_circuit{smarthost=\"a:25\",state=\"paused\"}";
    static const char ends[] =
        "smarthost_certificate_not_after_timestamp_seconds{smarthost=\"a:25\"}";
    struct circuit circuit;
    circuit_init(&circuit, 0);
    struct metrics_smarthost smarthost = {"a:25", &circuit, 3, 64};
    metrics_smarthost(&smarthost);
    assert_true(value_of(*state, closed) == 1 && value_of(*state, paused) == 0);
    assert_true(value_of(*state, "smarthost_transactions{smarthost=\"a:25\"}") == 3);
    assert_true(value_of(*state, ends) == -1);
    metrics_certificate("a:25", 2000000000);
    circuit_pause(&circuit, 1);
    metrics_smarthost(&smarthost);
    assert_true(value_of(*state, closed) == 0 && value_of(*state, paused) == 1);
    assert_true(value_of(*state, ends) == 2000000000);
    metrics_smarthost_gone("a:25");
    assert_true(value_of(*state, closed) == -1 && value_of(*state, ends) == -1);
}

static void the_queue_tells_its_depths_and_its_disk(void **state)
{
    struct fixture *fixture = *state;
    assert_true(value_of(fixture, "queue_messages{state=\"received\"}") == 0);
    assert_true(value_of(fixture, "queue_oldest_waiting_seconds{lane=\"code\"}") == 0);
    assert_true(value_of(fixture, "queue_database_bytes") > 0);
    assert_true(value_of(fixture, "queue_wal_bytes") >= 0);
    assert_true(value_of(fixture, "queue_disk_free_bytes") > 0);
    assert_true(value_of(fixture, "queue_writable") == 1);
    fixture->sources.stats.waiting[LANE_CODE] = 1;
    fixture->sources.stats.oldest_waiting_ms[LANE_CODE] = queue_now_ms(fixture->queue) - 90000;
    double age = value_of(fixture, "queue_oldest_waiting_seconds{lane=\"code\"}");
    assert_true(age >= 90 && age < 100); // as looked up before: not every page looks
}

static void a_reload_that_is_refused_shows_until_the_next(void **state)
{
    assert_true(value_of(*state, "config_last_reload_successful") == 1);
    metrics_reloaded(false);
    assert_true(value_of(*state, "config_last_reload_successful") == 0);
    metrics_reloaded(true);
    assert_true(value_of(*state, "config_last_reload_successful") == 1);
}

static void names_are_quoted(void **state)
{
    metrics_route("a\"b\\c\nd");
    assert_true(value_of(*state, "payloads_total{route=\"a\\\"b\\\\c d\",outcome=\"accepted\"}") ==
                0);
}

enum { THREADS = 4, EACH = 2000 };

static void *count_much(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++) {
        char name[16];
        snprintf(name, sizeof(name), "t%d", i % 20);
        metrics_compose_failed(name);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++) {
        char series[64];
        snprintf(series, sizeof(series), "compose_failures_total{reason=\"t%d\"}", i);
        assert_int_equal((int)value_of(*state, series), THREADS * EACH / 20);
    }
}

// promtool judges the whole page (tests/integration/test_metrics.py); this is what it would not.
static void each_line_is_a_series_of_the_family_before_it(void **state)
{
    metrics_start("1.2.3");
    const char *at = write_page(*state);
    char family[128] = "";
    while (*at) {
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        if (strncmp(at, "# TYPE ", 7) == 0)
            snprintf(family, sizeof(family), "%.*s", (int)strcspn(at + 7, " "), at + 7);
        else if (*at != '#')
            assert_int_equal(strncmp(at, family, strlen(family)), 0);
        at = end + 1;
    }
    assert_true(value_of(*state, "build_info{version=\"1.2.3\"}") == 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        METRICS_TEST(counts_of_a_known_route_begin_with_nothing),
        METRICS_TEST(only_what_was_answered_200_is_an_accept),
        METRICS_TEST(buckets_hold_what_is_at_most_their_bound),
        METRICS_TEST(an_end_counts_by_lane_and_by_template),
        METRICS_TEST(what_a_label_has_no_room_for_is_other),
        METRICS_TEST(a_rejection_goes_by_what_its_code_is_about),
        METRICS_TEST(lifetime_left_is_of_codes_alone),
        METRICS_TEST(a_smarthost_is_in_one_state_until_it_is_gone),
        METRICS_TEST(the_queue_tells_its_depths_and_its_disk),
        METRICS_TEST(a_reload_that_is_refused_shows_until_the_next),
        METRICS_TEST(names_are_quoted),
        METRICS_TEST(threads_lose_nothing),
        METRICS_TEST(each_line_is_a_series_of_the_family_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
