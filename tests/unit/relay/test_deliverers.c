// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/base/frame.h"
#include "relay/base/process.h"
#include "relay/config/config.h"
#include "relay/deliverers.h"

// The deliverer of these tests is this program itself, started with its parent's number as its
// only argument. What a message's id says is what it does.

static char *program;

// ---- the stand-in deliverer
// -----------------------------------------------------------------------

static void answer(json_t *header)
{
    AUTO_FREE char *text = json_dumps(header, 0);
    json_decref(header);
    struct frame frame = {.header = text, .header_size = strlen(text)};
    if (!frame_write(PROCESS_SOCKET_FD, &frame, NULL))
        _exit(1);
}

static void obey(struct dots *dots, const char *id, int mark)
{
    if (strcmp(id, "die") == 0)
        _exit(3);
    if (strcmp(id, "die at the dot") == 0 || strcmp(id, "die with a verdict") == 0) {
        dots_begin(dots, (size_t)mark);
        if (strcmp(id, "die with a verdict") == 0)
            dots_verdict(dots, (size_t)mark, 250);
        _exit(3);
    }
    if (strcmp(id, "hang") == 0 || strcmp(id, "another") == 0)
        return;
    if (strcmp(id, "denied") == 0) {
        answer(json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "op", "result", "id", id, "outcome",
                         "permanent", "stage", "rcpt", "reply_code", 554, "enhanced_code",
                         "5.7.1"));
        return;
    }
    const char *outcome = strcmp(id, "refuse") == 0 ? "session" : id;
    answer(json_pack("{s:s, s:s, s:s, s:i}", "op", "result", "id", id, "outcome", outcome,
                     "reply_code", 250));
}

static int be_deliverer(void)
{
    struct dots *dots = dots_map(PROCESS_SOCKET_FD + 1, NULL);
    struct frame_reader reader;
    frame_reader_init(&reader);
    struct frame frame;
    while (dots && frame_read(&reader, PROCESS_SOCKET_FD, &frame, NULL) == FRAME_READY) {
        json_auto_t *header = json_loadb(frame.header, frame.header_size, 0, NULL);
        const char *op = json_string_value(json_object_get(header, "op"));
        const char *helo = json_string_value(json_object_get(header, "helo"));
        if (strcmp(op, "init") == 0 && strcmp(helo, "bad") == 0)
            answer(json_pack("{s:s, s:[{s:s, s:s}]}", "op", "faults", "faults", "where", "helo",
                             "what", "no such host"));
        else if (strcmp(op, "init") == 0 && strcmp(helo, "mute") != 0)
            answer(json_pack("{s:s}", "op", "ready"));
        else if (strcmp(op, "deliver") == 0)
            obey(dots, json_string_value(json_object_get(header, "id")),
                 (int)json_integer_value(json_object_get(header, "mark")));
    }
    frame_reader_finish(&reader);
    dots_close(dots);
    return 0;
}

// ---- the test's side
// --------------------------------------------------------------------------------

struct fixture {
    char dir[32];
    struct event_loop *loop;
    struct config config;
    struct smarthost smarthosts[2];
    struct dots *dots;
    struct deliverers *deliverers;
    struct delivery deliveries[32];
    size_t started;
    enum delivery_outcome outcomes[32]; // by delivery
    const char *smarthost_of[32];
    size_t done, went_down, came_up, died;
    enum circuit_reason reason; // told last
    char in_use[64];            // all that were told, in order
};

static void on_done(void *context, struct delivery *delivery, const struct delivery_result *result)
{
    struct fixture *fixture = context;
    size_t index = (size_t)(delivery - fixture->deliveries);
    fixture->outcomes[index] = result->outcome;
    fixture->smarthost_of[index] = result->smarthost;
    fixture->done++;
}

static void on_circuit(void *context, const char *smarthost, bool up, enum circuit_reason reason,
                       const char *detail)
{
    (void)smarthost, (void)detail;
    struct fixture *fixture = context;
    up ? fixture->came_up++ : fixture->went_down++;
    fixture->reason = reason;
}

static void on_in_use(void *context, const char *smarthost, bool is_first)
{
    struct fixture *fixture = context;
    assert_int_equal(is_first, strcmp(smarthost, "first") == 0);
    size_t used = strlen(fixture->in_use);
    snprintf(fixture->in_use + used, sizeof(fixture->in_use) - used, "%s ", smarthost);
}

static void on_died(void *context, const char *smarthost)
{
    (void)smarthost;
    struct fixture *fixture = context;
    fixture->died++;
}

static bool create(struct fixture *fixture)
{
    const struct deliverers_handlers handlers = {.done = on_done,
                                                 .circuit = on_circuit,
                                                 .in_use = on_in_use,
                                                 .died = on_died,
                                                 .context = fixture};
    struct error err = {0};
    fixture->deliverers =
        deliverers_create(fixture->loop, &fixture->config, fixture->dots, &handlers, &err);
    return fixture->deliverers != NULL;
}

static char text_good[] = "good", text_bad[] = "bad", text_mute[] = "mute";

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/deliverers-XXXXXX");
    struct error err = {0};
    if (!mkdtemp(fixture->dir))
        return -1;
    for (size_t i = 0; i < 2; i++)
        fixture->smarthosts[i] = (struct smarthost){.host = text_good, .port = 25};
    snprintf(fixture->smarthosts[0].name, SMARTHOST_NAME_SIZE, "first");
    snprintf(fixture->smarthosts[1].name, SMARTHOST_NAME_SIZE, "second");
    fixture->config = (struct config){.deliverer_path = program,
                                      .queue_dir = fixture->dir,
                                      .smtp_helo = text_good,
                                      .smarthosts = fixture->smarthosts,
                                      .smarthost_count = 1,
                                      .connections = 4,
                                      .transaction_timeout_ms = 1};
    fixture->loop = event_loop_create(&err);
    fixture->dots = dots_open(fixture->dir, 0, &err);
    return create(fixture) ? 0 : -1;
}

static int set_up_two(void **state)
{
    int failed = set_up(state);
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    fixture->config.smarthost_count = 2;
    return failed || !create(fixture) ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    deliverers_destroy(fixture->deliverers);
    dots_close(fixture->dots);
    event_loop_destroy(fixture->loop);
    char path[64];
    snprintf(path, sizeof(path), "%s/dots", fixture->dir);
    unlink(path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

// Starts a message that has the stand-in do what id says. Gives its index, or -1: not taken.
static int start(struct fixture *fixture, const char *id)
{
    struct delivery *delivery = &fixture->deliveries[fixture->started];
    *delivery = (struct delivery){.id = id,
                                  .sender = "a@b",
                                  .recipient = "c@d",
                                  .message = "x",
                                  .message_size = 1,
                                  .mark = dots_assign(fixture->dots, id)};
    if (!deliverers_start(fixture->deliverers, delivery, clock_boot_ms()))
        return -1;
    return (int)fixture->started++;
}

static void wait_for(struct fixture *fixture, size_t count)
{
    int64_t give_up = clock_boot_ms() + 20000;
    while (fixture->done < count) {
        int64_t now = clock_boot_ms();
        assert_true(now < give_up);
        int64_t next = deliverers_next_ms(fixture->deliverers, now);
        int64_t wait = next == INT64_MAX ? 1000 : next - now;
        assert_true(event_loop_wait(fixture->loop, wait < 0 ? 0 : (int)wait, NULL));
        deliverers_tick(fixture->deliverers, clock_boot_ms());
    }
}

static void tells_each_outcome(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"sent",    "temporary", "permanent",
                                        "unknown", "expired",   "cut"};
    for (size_t i = 0; i < 6; i++) {
        int index = start(fixture, names[i]);
        assert_true(index >= 0);
        wait_for(fixture, i + 1);
        assert_string_equal(delivery_outcome_name(fixture->outcomes[index]), names[i]);
    }
    assert_int_equal(fixture->went_down, 0);
}

static void takes_no_more_than_there_are_slots(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 4);
    for (int i = 0; i < 4; i++)
        assert_true(start(fixture, "hang") >= 0);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 0);
    assert_int_equal(start(fixture, "sent"), -1);
    assert_int_equal(deliverers_under_way(fixture->deliverers), 4);
}

static void a_dead_deliverer_is_judged_by_its_marks(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *id;
        enum delivery_outcome want;
    } cases[] = {
        {"die", DELIVERY_TEMPORARY}, // charged: nothing else can have killed the deliverer
        {"die at the dot", DELIVERY_UNKNOWN},
        {"die with a verdict", DELIVERY_SENT},
    };
    for (size_t i = 0; i < 3; i++) {
        int index = start(fixture, cases[i].id);
        wait_for(fixture, i + 1);
        assert_int_equal(fixture->outcomes[index], cases[i].want);
    }
    assert_int_equal(fixture->went_down, 0);
    start(fixture, "sent"); // by a new deliverer
    wait_for(fixture, 4);
    assert_int_equal(fixture->outcomes[3], DELIVERY_SENT);
    assert_int_equal(fixture->died, 3);
}

// Nobody knows which of two it was: neither is charged, until one does it again.
static void of_several_in_a_dead_deliverer_none_is_charged_at_first(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "hang");
    start(fixture, "die");
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[0], DELIVERY_CUT);
    assert_int_equal(fixture->outcomes[1], DELIVERY_CUT);
    start(fixture, "sent");
    wait_for(fixture, 3);
    start(fixture, "another");
    start(fixture, "die");
    wait_for(fixture, 5);
    assert_int_equal(fixture->outcomes[3], DELIVERY_CUT);
    assert_int_equal(fixture->outcomes[4], DELIVERY_TEMPORARY);
    assert_int_equal(fixture->went_down, 0);
}

static void a_deliverer_that_dies_before_it_is_ready_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.smtp_helo = text_mute;
    start(fixture, "die");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
    assert_int_equal(fixture->reason, CIRCUIT_SESSION);
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
}

// The hung transaction ends by the deliverer's death, which waits for the others to end.
static void a_hung_deliverer_is_killed_and_replaced(void **state)
{
    struct fixture *fixture = *state;
    int hung = start(fixture, "hang");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[hung], DELIVERY_TEMPORARY);
    start(fixture, "sent");
    wait_for(fixture, 2);
    assert_int_equal(fixture->outcomes[1], DELIVERY_SENT);
}

// Until the circuit that is open may be probed.
static void wait_for_probe(struct fixture *fixture)
{
    int64_t probe_ms = deliverers_next_ms(fixture->deliverers, clock_boot_ms());
    assert_true(probe_ms > clock_boot_ms() && probe_ms < INT64_MAX);
    while (clock_boot_ms() < probe_ms)
        event_loop_wait(fixture->loop, (int)(probe_ms - clock_boot_ms()), NULL);
}

static void a_session_fault_opens_the_circuit_until_a_probe(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "refuse");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
    assert_int_equal(start(fixture, "sent"), -1);

    wait_for_probe(fixture);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 1);
    assert_true(start(fixture, "sent") >= 0);
    assert_int_equal(start(fixture, "sent"), -1); // one probe at a time
    wait_for(fixture, 2);
    assert_int_equal(fixture->came_up, 1);
    assert_int_equal(deliverers_free_slots(fixture->deliverers, clock_boot_ms()), 4);
}

static void the_next_smarthost_serves_while_the_first_is_down(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "refuse");
    wait_for(fixture, 1);
    assert_string_equal(fixture->smarthost_of[0], "first");
    assert_false(deliverers_down(fixture->deliverers, clock_boot_ms()));
    start(fixture, "sent");
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_int_equal(fixture->outcomes[1], DELIVERY_SENT);
    assert_string_equal(fixture->in_use, "second ");
    wait_for_probe(fixture);
    start(fixture, "sent"); // the probe, and back
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_string_equal(fixture->in_use, "second first ");
}

// A message that the first has refused for what may be its own fault goes by the second.
static void a_suspect_goes_by_the_next_smarthost(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "denied");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SUSPECT);
    assert_true(deliverers_has_other(fixture->deliverers, "denied", clock_boot_ms()));
    start(fixture, "denied");
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_false(deliverers_has_other(fixture->deliverers, "denied", clock_boot_ms()));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_int_equal(fixture->went_down, 0);
}

static void a_deliverer_that_cannot_start_is_a_smarthost_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.smtp_helo = text_bad;
    start(fixture, "sent");
    wait_for(fixture, 1);
    assert_int_equal(fixture->outcomes[0], DELIVERY_SESSION);
    assert_int_equal(fixture->went_down, 1);
}

static void a_paused_smarthost_takes_nothing_and_the_next_is_used(void **state)
{
    struct fixture *fixture = *state;
    int hanging = start(fixture, "hang");
    assert_false(deliverers_pause(fixture->deliverers, "nobody", true));
    assert_true(deliverers_pause(fixture->deliverers, "first", true));
    assert_int_equal(fixture->reason, CIRCUIT_PAUSED);
    assert_int_equal(fixture->done, 0); // what is under way there ends by itself
    start(fixture, "sent");
    wait_for(fixture, 2);
    assert_string_equal(fixture->smarthost_of[1], "second");
    assert_int_equal(fixture->outcomes[hanging], DELIVERY_TEMPORARY);
    assert_true(deliverers_pause(fixture->deliverers, "second", true));
    assert_true(deliverers_down(fixture->deliverers, clock_boot_ms()));
    assert_int_equal(start(fixture, "sent"), -1);
    assert_int_equal(fixture->went_down, 2);

    json_auto_t *all = deliverers_describe(fixture->deliverers, NULL);
    assert_int_equal(json_array_size(all), 2);
    json_auto_t *one = deliverers_describe(fixture->deliverers, "first");
    const json_t *row = json_array_get(one, 0);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "first");
    assert_string_equal(json_string_value(json_object_get(row, "state")), "paused");
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "paused");
    assert_int_equal(json_integer_value(json_object_get(row, "under_way")), 0);

    assert_true(deliverers_pause(fixture->deliverers, "first", false));
    start(fixture, "sent");
    wait_for(fixture, 3);
    assert_string_equal(fixture->smarthost_of[2], "first");
    assert_int_equal(fixture->came_up, 1);
    assert_string_equal(fixture->in_use, "second first ");
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc == 2)
        return be_deliverer();
    program = realpath("/proc/self/exe", NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_each_outcome, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_no_more_than_there_are_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_deliverer_is_judged_by_its_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_several_in_a_dead_deliverer_none_is_charged_at_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_deliverer_that_dies_before_it_is_ready_is_a_smarthost_that_is_down, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_paused_smarthost_takes_nothing_and_the_next_is_used,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_suspect_goes_by_the_next_smarthost, set_up_two,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_hung_deliverer_is_killed_and_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_fault_opens_the_circuit_until_a_probe, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_next_smarthost_serves_while_the_first_is_down,
                                        set_up_two, tear_down),
        cmocka_unit_test_setup_teardown(a_deliverer_that_cannot_start_is_a_smarthost_that_is_down,
                                        set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return failed;
}
