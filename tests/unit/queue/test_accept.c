// A payload comes in, once.
#include "queue_fixture.h"

static void an_accepted_payload_is_there_as_it_came(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    assert_int_equal(accept_now(fixture->queue, "{\"a\":\"\xc3\xa9\"}", id), QUEUE_DONE);
    struct queue_message row = load_row(fixture->reader, id);
    assert_int_equal(row.state, MESSAGE_RECEIVED);
    assert_string_equal(row.route, "/kratos/webhook");
    assert_string_equal(row.key_name, "kratos");
    assert_int_equal(row.created_ms, now_ms);
    assert_int_equal(row.deadline_ms, 0);
    assert_false(row.has_lane);
    assert_false(row.composed);
    assert_body(fixture->reader, id, "{\"a\":\"\xc3\xa9\"}");
}

static void a_body_of_any_bytes_and_size_comes_back(void **state)
{
    struct fixture *fixture = *state;
    enum { SIZE = 1024 * 1024 };
    char *payload = malloc(SIZE), id[QUEUE_ID_SIZE];
    assert_non_null(payload);
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (char)(i * 7 + i / 256);
    struct outcome outcome = OUTCOME_INIT;
    queue_new_id(fixture->queue, id);
    const struct queue_accept accept = {
        .id = id, .route = "/r", .payload = payload, .payload_size = SIZE, .received_ms = 5};
    queue_accept(fixture->queue, &accept, outcome_done, &outcome);
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE);
    struct queue_message row;
    struct error err = {0};
    bool found = false;
    char *body = NULL;
    size_t size = 0;
    assert_true(queue_load(fixture->reader, id, &row, &found, &body, &size, &err));
    assert_true(found && size == SIZE && body[size] == '\0');
    assert_memory_equal(body, payload, SIZE);
    assert_string_equal(row.key_name, "");
    free(body);
    free(payload);
}

static void a_missing_id_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct queue_message row;
    struct error err = {0};
    bool found = true;
    assert_true(queue_load(fixture->reader, "nothing", &row, &found, NULL, NULL, &err));
    assert_false(found);
}

static void the_same_payload_again_names_the_first(void **state)
{
    struct fixture *fixture = *state;
    char first[QUEUE_ID_SIZE], id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{\"n\":1}", first), QUEUE_DONE);
    assert_int_equal(accept_now(fixture->queue, "{\"n\":1}", id), QUEUE_DUPLICATE);
    assert_string_equal(id, first);
    assert_int_equal(accept_now(fixture->queue, "{\"n\":2}", id), QUEUE_DONE);
    // Whatever became of it, and after a restart.
    assert_int_equal(settle_as(fixture->queue, first, MESSAGE_FAILED, "rejected"), QUEUE_DONE);
    fixture_reopen(fixture);
    assert_int_equal(accept_now(fixture->queue, "{\"n\":1}", id), QUEUE_DUPLICATE);
    assert_string_equal(id, first);
}

static void another_route_is_another_message(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    assert_int_equal(accept_now(fixture->queue, "{}", NULL), QUEUE_DONE);
    queue_new_id(fixture->queue, id);
    struct outcome outcome = OUTCOME_INIT;
    const struct queue_accept accept = {.id = id,
                                        .route = "/other",
                                        .payload = "{}",
                                        .payload_size = 2,
                                        .received_ms = queue_now_ms(fixture->queue)};
    queue_accept(fixture->queue, &accept, outcome_done, &outcome);
    assert_int_equal(outcome_wait(&outcome), QUEUE_DONE);
}

static void an_id_is_used_once(void **state)
{
    struct fixture *fixture = *state;
    struct outcome outcomes[3] = {OUTCOME_INIT, OUTCOME_INIT, OUTCOME_INIT};
    char id[QUEUE_ID_SIZE];
    queue_new_id(fixture->queue, id);
    static const char *const PAYLOADS[] = {"{\"u\":1}", "{\"u\":2}", "{\"u\":3}"};
    for (int i = 0; i < 3; i++) {
        struct queue_accept accept = {.id = i < 2 ? id : "no-uuid",
                                      .route = "/r",
                                      .payload = PAYLOADS[i],
                                      .payload_size = 7,
                                      .received_ms = 1};
        queue_accept(fixture->queue, &accept, outcome_done, &outcomes[i]);
    }
    assert_int_equal(outcome_wait(&outcomes[0]), QUEUE_DONE);
    assert_int_equal(outcome_wait(&outcomes[1]), QUEUE_REFUSED);
    assert_int_equal(outcome_wait(&outcomes[2]), QUEUE_REFUSED);
    assert_true(queue_writable(fixture->queue));
    assert_body(fixture->reader, id, "{\"u\":1}");
}

static void a_payload_is_known_for_its_window(void **state)
{
    struct fixture *fixture = *state;
    enum becomes { UNCOMPOSED, CODED, UNCODED, UNCODED_PARKED, NOTHING };
    static const struct {
        const char *payload;
        enum becomes becomes;
        int64_t window_ms;
    } CASES[] = {
        {"{\"k\":1}", UNCOMPOSED, DAY_MS},      {"{\"k\":2}", CODED, DAY_MS},
        {"{\"k\":3}", UNCODED, 10 * MINUTE_MS}, {"{\"k\":4}", UNCODED_PARKED, DAY_MS},
        {"{\"k\":5}", NOTHING, 10 * MINUTE_MS},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char id[QUEUE_ID_SIZE];
        int64_t created_ms = queue_now_ms(fixture->queue);
        assert_int_equal(accept_now(fixture->queue, CASES[i].payload, id), QUEUE_DONE);
        struct queue_envelope envelope = envelope_at(created_ms);
        envelope.coded = CASES[i].becomes == CODED;
        struct queue_settlement settlement = {.state = MESSAGE_SENT, .envelope = &envelope};
        if (CASES[i].becomes == UNCODED_PARKED)
            settlement.state = MESSAGE_PARKED;
        if (CASES[i].becomes == NOTHING)
            assert_int_equal(compose(fixture->queue, id, NULL, 0), QUEUE_DONE);
        else if (CASES[i].becomes != UNCOMPOSED)
            assert_int_equal(settle(fixture->queue, id, &settlement), QUEUE_DONE);
        fixture_pass(fixture, CASES[i].window_ms - 1);
        assert_int_equal(accept_now(fixture->queue, CASES[i].payload, NULL), QUEUE_DUPLICATE);
        fixture_pass(fixture, 1);
        assert_int_equal(accept_now(fixture->queue, CASES[i].payload, NULL), QUEUE_DONE);
    }
}

static void *accept_in_thread(void *context)
{
    struct fixture *fixture = context;
    intptr_t done = 0;
    for (int i = 0; i < 50; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"race\":%d}", i);
        done += accept_now(fixture->queue, payload, NULL) == QUEUE_DONE;
    }
    return (void *)done;
}

static void two_threads_with_one_payload_make_one_message(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    void *theirs = NULL;
    assert_int_equal(pthread_create(&thread, NULL, accept_in_thread, fixture), 0);
    intptr_t ours = (intptr_t)accept_in_thread(fixture);
    pthread_join(thread, &theirs);
    assert_int_equal(ours + (intptr_t)theirs, 50);
    struct queue_stats stats;
    struct error err = {0};
    assert_true(queue_stats(fixture->reader, &stats, &err));
    assert_int_equal(stats.count[MESSAGE_RECEIVED], 50);
}

static void count_done(void *context, enum queue_result result, const char *id)
{
    (void)id;
    if (result == QUEUE_DONE)
        atomic_fetch_add((_Atomic int *)context, 1);
}

// What comes while a commit runs goes into the next one together.
static void the_same_payload_twice_in_one_commit_is_one_message(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    _Atomic int done = 0;
    for (int i = 0; i < 100; i++) {
        char payload[32], id[QUEUE_ID_SIZE];
        snprintf(payload, sizeof(payload), "{\"pair\":%d}", i / 2);
        queue_new_id(fixture->queue, id);
        const struct queue_accept accept = {.id = id,
                                            .route = "/r",
                                            .payload = payload,
                                            .payload_size = strlen(payload),
                                            .received_ms = queue_now_ms(fixture->queue)};
        queue_accept(fixture->queue, &accept, count_done, &done);
    }
    assert_true(queue_flush(fixture->queue, &err));
    assert_int_equal(done, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(an_accepted_payload_is_there_as_it_came),
        QUEUE_TEST(a_body_of_any_bytes_and_size_comes_back),
        QUEUE_TEST(a_missing_id_is_not_found),
        QUEUE_TEST(the_same_payload_again_names_the_first),
        QUEUE_TEST(another_route_is_another_message),
        QUEUE_TEST(an_id_is_used_once),
        QUEUE_TEST(a_payload_is_known_for_its_window),
        QUEUE_TEST(two_threads_with_one_payload_make_one_message),
        QUEUE_TEST(the_same_payload_twice_in_one_commit_is_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
