// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/process.h"
#include "relay/composers.h"

// The composer of these tests is this program itself, started with its parent's number as its
// only argument. What a request's id says is what it does.

static char *program;

// ---- the stand-in composer
// ------------------------------------------------------------------------

static void answer(const char *text)
{
    struct frame frame = {.header = text, .header_size = strlen(text)};
    if (!frame_write(PROCESS_SOCKET_FD, &frame, NULL))
        _exit(1);
}

static void obey(const char *id)
{
    if (strcmp(id, "die") == 0)
        _exit(3);
    if (strcmp(id, "hang") == 0)
        pause();
    if (strcmp(id, "babble") == 0)
        answer("{\"op\":\"what\"}");
    else if (strcmp(id, "fail") == 0)
        answer("{\"op\":\"failed\",\"reason\":\"normaliser_failed\"}");
    else
        answer("{\"op\":\"composed\",\"mails\":[]}");
}

static int be_composer(void)
{
    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame frame;
    while (frame_read(&reader, PROCESS_SOCKET_FD, &frame, NULL) == FRAME_READY) {
        json_auto_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
        const char *op = json_string_value(json_object_get(header, "op"));
        const char *normaliser = json_string_value(json_object_get(header, "normaliser"));
        if (strcmp(op, "init") == 0 && strcmp(normaliser, "bad") == 0) {
            answer("{\"op\":\"faults\",\"faults\":[{\"where\":\"bad:1\",\"what\":\"no\"}]}");
            break;
        }
        if (strcmp(op, "init") == 0)
            answer("{\"op\":\"ready\"}");
        else
            obey(json_string_value(json_object_get(header, "id")));
    }
    frame_reader_finish(&reader);
    return 0;
}

// ---- the test's side
// --------------------------------------------------------------------------------

struct outcome {
    struct compose_request *request;
    enum compose_end end;
};

struct fixture {
    struct event_loop *loop;
    const char *normaliser;
    struct composers *composers;
    struct outcome outcomes[64];
    size_t count, troubles;
};

static void on_done(void *context, struct compose_request *request, enum compose_end end,
                    const json_t *header, const struct frame *frame)
{
    (void)frame;
    struct fixture *fixture = context;
    assert_int_equal(header != NULL, end != COMPOSE_DIED);
    fixture->outcomes[fixture->count++] = (struct outcome){request, end};
}

static void on_trouble(void *context, const struct error *err)
{
    (void)err;
    ((struct fixture *)context)->troubles++;
}

static struct composers *create(struct fixture *fixture, struct error *err)
{
    const struct composers_handlers handlers = {
        .done = on_done, .trouble = on_trouble, .context = fixture};
    json_auto_t *init = json_pack("{s:s, s:s}", "op", "init", "normaliser", fixture->normaliser);
    return composers_create(fixture->loop, program, init, &handlers, NULL, err);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    fixture->loop = event_loop_create(&err);
    fixture->normaliser = "good";
    fixture->composers = create(fixture, &err);
    *state = fixture;
    return fixture->composers ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    composers_destroy(fixture->composers);
    event_loop_destroy(fixture->loop);
    free(fixture);
    return 0;
}

static struct compose_request request_of(const char *id)
{
    return (struct compose_request){.task = COMPOSE_PAYLOAD,
                                    .id = id,
                                    .blob = "{}",
                                    .blob_size = 2,
                                    .received_boot_ms = clock_boot_ms()};
}

// Beats until count outcomes have come.
static void wait_for(struct fixture *fixture, size_t count)
{
    int64_t give_up = clock_boot_ms() + 20000;
    while (fixture->count < count) {
        assert_true(clock_boot_ms() < give_up);
        int64_t next = composers_next_ms(fixture->composers);
        int64_t wait = next == INT64_MAX ? 1000 : next - clock_boot_ms();
        assert_true(event_loop_wait(fixture->loop, wait < 0 ? 0 : (int)wait, NULL));
        composers_tick(fixture->composers, clock_boot_ms());
    }
}

static void answers_each_request_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request requests[20];
    for (size_t i = 0; i < 20; i++) {
        requests[i] = request_of(i % 5 == 4 ? "fail" : "ok");
        composers_submit(fixture->composers, &requests[i]);
    }
    wait_for(fixture, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_ptr_equal(fixture->outcomes[i].request, &requests[i]);
        assert_int_equal(fixture->outcomes[i].end, i % 5 == 4 ? COMPOSE_FAILED : COMPOSED);
    }
}

static void what_kills_a_composer_costs_only_itself(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request deadly = request_of("die"), good = request_of("ok"),
                           babbling = request_of("babble"), last = request_of("ok");
    composers_submit(fixture->composers, &deadly);
    composers_submit(fixture->composers, &good);
    composers_submit(fixture->composers, &babbling);
    composers_submit(fixture->composers, &last);
    wait_for(fixture, 4);
    for (size_t i = 0; i < 4; i++) {
        struct compose_request *request = fixture->outcomes[i].request;
        assert_int_equal(fixture->outcomes[i].end,
                         request == &deadly || request == &babbling ? COMPOSE_DIED : COMPOSED);
    }
}

// While one composer hangs, a second one takes what waits, long before the first one's second
// is over.
static void a_hanging_payload_does_not_hold_the_others_up(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request hanging = request_of("hang"), good[5];
    int64_t began = clock_boot_ms();
    composers_submit(fixture->composers, &hanging);
    for (size_t i = 0; i < 5; i++) {
        good[i] = request_of("ok");
        composers_submit(fixture->composers, &good[i]);
    }
    wait_for(fixture, 6);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fixture->outcomes[i].end, COMPOSED);
    assert_ptr_equal(fixture->outcomes[5].request, &hanging);
    assert_int_equal(fixture->outcomes[5].end, COMPOSE_DIED);
    assert_true(clock_boot_ms() - began >= 1000);
}

static void a_forgotten_request_is_not_told_of(void **state)
{
    struct fixture *fixture = *state;
    struct compose_request first = request_of("ok"), second = request_of("ok"),
                           third = request_of("ok");
    composers_submit(fixture->composers, &first);
    composers_submit(fixture->composers, &second);
    composers_submit(fixture->composers, &third);
    composers_forget(fixture->composers, &first);
    composers_forget(fixture->composers, &third);
    struct compose_request fourth = request_of("ok");
    composers_submit(fixture->composers, &fourth);
    wait_for(fixture, 2);
    assert_ptr_equal(fixture->outcomes[0].request, &second);
    assert_ptr_equal(fixture->outcomes[1].request, &fourth);
}

static void faults_at_start_are_named(void **state)
{
    struct fixture *fixture = *state;
    fixture->normaliser = "bad";
    struct error err = {0};
    assert_null(create(fixture, &err));
    assert_string_equal(err.message, "bad:1: no");
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return be_composer();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_each_request_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_kills_a_composer_costs_only_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hanging_payload_does_not_hold_the_others_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_forgotten_request_is_not_told_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_at_start_are_named, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
