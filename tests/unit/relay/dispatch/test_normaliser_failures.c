#include "dispatcher_fixture.h"
#include "relay/dispatch/composition.h"

// ---- what a composer says ---------------------------------------------------------------------

enum failure { FAILED, DIED, TIMED_OUT, NOT_CANONICAL, UNKNOWN_ROUTE, TOO_LARGE };

static void end_request(size_t request, enum failure failure)
{
    const char *reason = failure == UNKNOWN_ROUTE ? "unknown_route"
                         : failure == TOO_LARGE   ? "too_large"
                                                  : "normaliser_failed";
    json_auto_t *failed = json_pack("{s:s}", "reason", reason);
    struct compose_request *asked = seen.requests[request];
    void *context = seen.composers.context;
    assert_true(request < seen.request_count);
    switch (failure) {
    case FAILED:
    case UNKNOWN_ROUTE:
    case TOO_LARGE:
        seen.composers.done(context, asked, COMPOSE_FAILED, failed, NULL);
        break;
    case DIED:
        seen.composers.done(context, asked, COMPOSE_DIED, NULL, NULL);
        break;
    case TIMED_OUT:
        seen.composers.done(context, asked, COMPOSE_TIMED_OUT, NULL, NULL);
        break;
    case NOT_CANONICAL:
        answer(request, mail_with("park", "not_canonical"));
        break;
    }
}

static enum compose_task last_task(void)
{
    return seen.requests[seen.request_count - 1]->task;
}

static void receive(struct fixture *fixture, char ret_id[QUEUE_ID_SIZE])
{
    int64_t now_ms = queue_now_ms(fixture->queue);
    offer(fixture, now_ms, ret_id);
    commit(fixture, now_ms, ret_id);
}

// A payload on which the normaliser fails until it is given up on; then Kratos' own text does.
static void receive_failing(struct fixture *fixture, enum failure failure)
{
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    while (last_task() == COMPOSE_PAYLOAD)
        end_request(seen.request_count - 1, failure);
    answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
}

static void receive_good(struct fixture *fixture)
{
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
}

static void quiet(void)
{
    log_setup(LOG_JSON, LOG_ERROR + 1); // `normaliser_down` is what is meant to happen
}

// ---- one payload ------------------------------------------------------------------------------

static void each_failure_costs_at_most_two_runs_of_the_normaliser(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum failure failure;
        size_t runs;
        const char *reason;
    } cases[] = {{FAILED, 2, "normaliser_failed"},     {DIED, 2, "composer_died"},
                 {TIMED_OUT, 1, "normaliser_timeout"}, {UNKNOWN_ROUTE, 1, "unknown_route"},
                 {TOO_LARGE, 2, "too_large"},          {NOT_CANONICAL, 1, "not_canonical"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[QUEUE_ID_SIZE];
        size_t first = seen.request_count;
        receive(fixture, id);
        while (last_task() == COMPOSE_PAYLOAD)
            end_request(seen.request_count - 1, cases[i].failure);
        assert_int_equal(seen.request_count - first, cases[i].runs + 1);
        assert_int_equal(last_task(), COMPOSE_FALLBACK);

        // Nor does Kratos' own text help here: what the operator can mend is the first cause.
        answer(seen.request_count - 1, mail_with("park", "no_recipient"));
        settle_down(fixture);
        assert_int_equal(seen.request_count - first, cases[i].runs + 1);
        assert_row(fixture, id, MESSAGE_PARKED, cases[i].reason);
    }
    assert_memory_empty(fixture);
}

static void a_fallback_that_fails_is_not_tried_again(void **state)
{
    struct fixture *fixture = *state;
    static const enum failure failures[] = {FAILED, DIED, TIMED_OUT};
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        char id[QUEUE_ID_SIZE];
        receive(fixture, id);
        end_request(seen.request_count - 1, TIMED_OUT);
        size_t count = seen.request_count;
        end_request(count - 1, failures[i]);
        settle_down(fixture);
        assert_int_equal(seen.request_count, count);
        assert_row(fixture, id, MESSAGE_PARKED, "normaliser_timeout");
    }
}

static void a_second_try_keeps_count_of_the_time(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    assert_int_equal(seen.requests[0]->spent_ms, 0);
    seen.requests[0]->spent_ms = 400;
    end_request(0, DIED);
    assert_int_equal(seen.requests[1]->task, COMPOSE_PAYLOAD);
    assert_int_equal(seen.requests[1]->spent_ms, 400);
}

static void a_stored_mail_that_takes_too_long_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    answer(0, json_pack("[o, o]", mail_in("code", LIFETIME_MS),
                        mail_with("park", "unsupported_channel")));
    seen.slots = 1; // the first of them comes back from the queue
    settle_down(fixture);
    for (size_t i = 1; i <= 2; i++) {
        assert_int_equal(seen.request_count, i + 1);
        assert_int_equal(last_task(), COMPOSE_RENDER);
        end_request(i, TIMED_OUT);
    }
    settle_down(fixture);
    assert_int_equal(seen.request_count, 3);
    assert_row(fixture, id, MESSAGE_PARKED, "compose_timeout");
}

// What a second try says of the payload counts, not what befell the first one.
static void the_cause_is_that_of_the_last_try_that_answered(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    end_request(0, DIED);
    answer(1, mail_with("park", "no_content"));
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
    answer(2, mail_with("park", "no_recipient"));
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_PARKED, "no_content");
}

// ---- one after the other ----------------------------------------------------------------------

static void after_so_many_failures_the_normaliser_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    static const enum failure failures[] = {FAILED, DIED, TIMED_OUT, NOT_CANONICAL, TIMED_OUT};
    for (int i = 0; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, failures[i]);
    size_t count = seen.request_count;
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    assert_int_equal(seen.request_count, count + 1);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
    answer(count, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_int_equal(seen.request_count, count + 1);
}

static void take_down(struct fixture *fixture)
{
    quiet();
    for (int i = 0; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, FAILED);
}

// What others did to the normaliser is no reason to keep somebody's code back.
static void who_is_turned_away_in_vain_asks_it_after_all(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *park; // of the fallback's mail; NULL: the fallback dies
    } cases[] = {
        {"no_recipient"}, {"no_content"}, {"bad_recipient"}, {"unsupported_channel"}, {NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        take_down(fixture);
        char id[QUEUE_ID_SIZE];
        size_t count = seen.request_count;
        receive(fixture, id);
        assert_int_equal(last_task(), COMPOSE_FALLBACK);
        if (cases[i].park)
            answer(count, mail_with("park", cases[i].park));
        else
            end_request(count, DIED);
        settle_down(fixture);
        assert_int_equal(seen.request_count, count + 2);
        assert_int_equal(last_task(), COMPOSE_PAYLOAD);
        assert_true(seen.requests[count + 1]->is_last_resort);
        answer(count + 1, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
        assert_int_equal(seen.request_count, count + 2);
        assert_int_equal(job_table_find(&fixture->dispatcher->jobs, id)->state, JOB_READY);
        // And it is up again.
        receive_good(fixture);
        assert_int_equal(last_task(), COMPOSE_PAYLOAD);
    }
}

static void who_asks_it_after_all_does_so_once(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum failure failure;
        const char *reason;
    } cases[] = {{FAILED, "normaliser_failed"},
                 {DIED, "composer_died"},
                 {TIMED_OUT, "normaliser_timeout"},
                 {NOT_CANONICAL, "not_canonical"}};
    take_down(fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[QUEUE_ID_SIZE];
        size_t asked = 0;
        receive(fixture, id);
        for (size_t request = seen.request_count - 1; request < seen.request_count; request++) {
            bool is_fallback = seen.requests[request]->task == COMPOSE_FALLBACK;
            asked += !is_fallback;
            if (is_fallback)
                answer(request, mail_with("park", "no_content"));
            else
                end_request(request, cases[i].failure);
        }
        settle_down(fixture);
        assert_int_equal(asked, 1);
        assert_row(fixture, id, MESSAGE_PARKED, cases[i].reason);
    }
}

static void what_is_no_json_is_not_asked_about(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    take_down(fixture);
    size_t count = seen.request_count;
    admit(fixture, queue_now_ms(fixture->queue), mail_with("park", "unparseable"), id);
    assert_int_equal(seen.request_count, count + 1);
    assert_row(fixture, id, MESSAGE_PARKED, "unparseable");
}

// One that times out now and then among many that go well: what it costs is counted.
static void time_outs_among_successes_take_it_down_as_well(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    for (int i = 0; i < 3; i++) {
        char id[QUEUE_ID_SIZE];
        receive_good(fixture);
        receive(fixture, id);
        assert_int_equal(last_task(), COMPOSE_PAYLOAD);
        seen.requests[seen.request_count - 1]->spent_ms = 1100;
        end_request(seen.request_count - 1, TIMED_OUT);
        answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
    }
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
}

// Another composer has to load for each.
static void deaths_among_successes_take_it_down_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    for (int i = 0; i < 40; i++) {
        receive_good(fixture);
        receive_failing(fixture, DIED);
    }
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
}

// Kratos' own text is of no use to one mail of several.
static void one_of_several_mails_asks_it_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    for (int i = 0; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, TIMED_OUT);
    struct job *job = job_create("any", "kratos", "{}", 2);
    for (int is_part = 1; is_part >= 0; is_part--) {
        job->is_part = is_part;
        job->request.task = COMPOSE_PAYLOAD;
        composition_choose(fixture->dispatcher, &job->request);
        assert_int_equal(job->request.task, is_part ? COMPOSE_PAYLOAD : COMPOSE_FALLBACK);
    }
    job_destroy(job);
}

static void what_says_nothing_of_the_normaliser_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    for (int i = 0; i < 2 * ROUTE_FAILURES_MAX; i++) {
        receive_failing(fixture, UNKNOWN_ROUTE);
        receive_failing(fixture, TOO_LARGE);
        admit(fixture, queue_now_ms(fixture->queue), mail_with("park", "unparseable"), id);
        receive(fixture, id);
        answer(seen.request_count - 1, mail_with("park", "too_large"));
        assert_int_equal(last_task(), COMPOSE_FALLBACK);
        answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
    }
    for (int i = 1; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, TIMED_OUT);
    admit(fixture, queue_now_ms(fixture->queue), mail_with("park", "unparseable"), id);
    receive(fixture, id);
    answer(seen.request_count - 1, mail_with("park", "too_large"));
    answer(seen.request_count - 1, mail_in("code", LIFETIME_MS));
    receive_failing(fixture, UNKNOWN_ROUTE);
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_PAYLOAD); // one failure is missing
    quiet();
    end_request(seen.request_count - 1, TIMED_OUT);
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
}

static void a_success_starts_the_count_anew(void **state)
{
    struct fixture *fixture = *state;
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i < ROUTE_FAILURES_MAX; i++)
            receive_failing(fixture, TIMED_OUT);
        receive_good(fixture);
    }
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_PAYLOAD);
}

// A payload that waits for its second try when the normaliser goes down: not before the fallback's.
static void a_second_try_is_spared_as_well(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    char id[QUEUE_ID_SIZE];
    receive(fixture, id);
    size_t early = seen.request_count - 1;
    for (int i = 0; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, TIMED_OUT);
    end_request(early, FAILED);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);
    answer(seen.request_count - 1, mail_with("park", "no_recipient"));
    assert_int_equal(last_task(), COMPOSE_PAYLOAD); // which it has after all
    answer(seen.request_count - 1, mail_with("park", "no_content"));
    answer(seen.request_count - 1, mail_with("park", "no_recipient"));
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_PARKED, "no_content");
}

static void note_reload(void *context, const json_t *faults)
{
    *(const char **)context = faults ? "refused" : "in force";
}

static void a_reload_gives_the_normaliser_another_chance(void **state)
{
    struct fixture *fixture = *state;
    quiet();
    for (int i = 0; i < ROUTE_FAILURES_MAX; i++)
        receive_failing(fixture, TIMED_OUT);
    const char *told = NULL;
    json_auto_t *init = json_object(), *faults = json_array();
    char id[QUEUE_ID_SIZE];

    dispatcher_reload(fixture->dispatcher, init, NULL, 0, note_reload, &told);
    seen.reload_done(seen.reload_context, faults);
    assert_string_equal(told, "refused");
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_FALLBACK);

    dispatcher_reload(fixture->dispatcher, init, NULL, 0, note_reload, &told);
    seen.reload_done(seen.reload_context, NULL);
    assert_string_equal(told, "in force");
    receive(fixture, id);
    assert_int_equal(last_task(), COMPOSE_PAYLOAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(each_failure_costs_at_most_two_runs_of_the_normaliser),
        DISPATCHER_TEST(a_fallback_that_fails_is_not_tried_again),
        DISPATCHER_TEST(a_second_try_keeps_count_of_the_time),
        DISPATCHER_TEST(a_stored_mail_that_takes_too_long_is_tried_again),
        DISPATCHER_TEST(the_cause_is_that_of_the_last_try_that_answered),
        DISPATCHER_TEST(after_so_many_failures_the_normaliser_is_left_alone),
        DISPATCHER_TEST(who_is_turned_away_in_vain_asks_it_after_all),
        DISPATCHER_TEST(who_asks_it_after_all_does_so_once),
        DISPATCHER_TEST(what_is_no_json_is_not_asked_about),
        DISPATCHER_TEST(time_outs_among_successes_take_it_down_as_well),
        DISPATCHER_TEST(deaths_among_successes_take_it_down_in_the_end),
        DISPATCHER_TEST(one_of_several_mails_asks_it_all_the_same),
        DISPATCHER_TEST(what_says_nothing_of_the_normaliser_is_not_counted),
        DISPATCHER_TEST(a_success_starts_the_count_anew),
        DISPATCHER_TEST(a_second_try_is_spared_as_well),
        DISPATCHER_TEST(a_reload_gives_the_normaliser_another_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
