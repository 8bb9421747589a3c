// What becomes of a message that a smarthost refused for what may be its own fault.
#include "dispatcher_fixture.h"

static void hold_against(const char *id)
{
    snprintf(seen.suspects[seen.suspect_count++], QUEUE_ID_SIZE, "%s", id);
}

static void a_suspect_waits_uncharged_on_its_lanes_schedule(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    seen.is_only = true;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    end_set_back(0, DELIVERY_SUSPECT, 2);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "suspect");
    struct queue_message row = row_of(fixture, id);
    assert_int_equal(row.attempts, 0);
    assert_in_range(row.not_before_ms - now_ms, 4500, 10000); // 5 s: the second step
    assert_memory_empty(fixture);
}

// The circuit is open: its pause decides when it goes, not the message's own schedule.
static void a_suspect_of_an_open_circuit_waits_for_its_turn_alone(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    seen.down = true;
    end(0, DELIVERY_SUSPECT);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "suspect");
    assert_true(row_of(fixture, id).not_before_ms <= queue_now_ms(fixture->queue));
}

static void a_suspect_goes_by_another_smarthost_at_once(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    end_set_back(0, DELIVERY_SUSPECT, 1);
    assert_started(1, id);
    end(1, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_SENT, "");
    assert_int_equal(row_of(fixture, id).attempts, 1);
}

static void a_suspect_that_waits_for_another_smarthost_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    char suspect[QUEUE_ID_SIZE], other[QUEUE_ID_SIZE];
    seen.slots = 1;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), suspect);
    seen.waits_for_another = suspect;
    end(0, DELIVERY_SUSPECT);
    assert_int_equal(seen.started_count, 1);
    admit(fixture, now_ms - 1000, mail_in("code", LIFETIME_MS), other); // which is less urgent
    assert_started(1, other);
    seen.waits_for_another = NULL;
    end(1, DELIVERY_SENT);
    assert_started(2, suspect);
    end(2, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, suspect, MESSAGE_SENT, "");
}

// Due at once it would be asked of who has refused it again: that one remembers only so many.
static void a_suspect_that_waits_for_another_smarthost_for_long_is_charged(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    seen.waits_for_another = id;
    seen.started[0].delivery->refused = 1;
    end(0, DELIVERY_SUSPECT);
    struct job *job = fixture->dispatcher->jobs.ready;
    assert_non_null(job);
    job->ready_since_ms -= READY_LIMIT_MS;
    dispatcher_tick(fixture->dispatcher);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_QUEUED, "suspect");
    struct queue_message row = row_of(fixture, id);
    assert_int_equal(row.attempts, 1);
    assert_in_range(row.not_before_ms - now_ms, 1800, 10000);
}

static void a_session_that_is_one_messages_fault_sets_it_back_uncharged(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    seen.is_only = true;
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_in("code", LIFETIME_MS), id);
    end_set_back(0, DELIVERY_SESSION, 3);
    settle_down(fixture);
    struct queue_message row = row_of(fixture, id);
    assert_int_equal(row.attempts, 0);
    assert_in_range(row.not_before_ms - now_ms, 13500, 25000);
}

// Three codes wait; the newest has failed as a probe, the second newest has before that.
static void a_probe_is_another_message_while_there_is_one(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (int i = 0; i < 3; i++)
        admit(fixture, now_ms - 10 + i, mail_in("code", LIFETIME_MS), ids[i]);
    hold_against(ids[1]);
    hold_against(ids[2]);
    seen.slots = 1;
    for (size_t i = 0; i < 3; i++) {
        dispatcher_tick(fixture->dispatcher);
        assert_started(i, ids[i]);
        end(i, DELIVERY_SENT);
    }
}

static void a_probe_from_the_queue_is_another_message_while_there_is_one(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (int i = 0; i < 3; i++)
        admit(fixture, now_ms - 10 + i, mail_in(i == 0 ? "bulk" : "code", LIFETIME_MS), ids[i]);
    seen.down = true;
    settle_down(fixture);
    assert_memory_empty(fixture);
    hold_against(ids[1]);
    hold_against(ids[2]);
    seen.down = false;
    seen.slots = 1;
    seen.request_count = 0;
    fixture->dispatcher->due_at_ms = 0;
    fixture->dispatcher->pick_turn = 0;
    for (size_t i = 0; i < 3; i++) { // the one of a lower lane first, and then each in its turn
        settle_down(fixture);
        assert_int_equal(seen.request_count, i + 1);
        assert_string_equal(seen.requests[i]->id, ids[i]);
        answer(i, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
        assert_started(i, ids[i]);
        end(i, DELIVERY_SENT);
    }
}

static void a_probe_is_chosen_by_its_recipient(void **state)
{
    struct fixture *fixture = *state;
    char good[QUEUE_ID_SIZE], poison[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms - 10, mail_with("recipient", "a@good.test"), good);
    admit(fixture, now_ms, mail_with("recipient", "a@poison.test"), poison);
    hold_against("a@poison.test");
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    assert_started(0, good);
    end(0, DELIVERY_SENT);
}

static void a_probe_from_the_queue_is_chosen_by_its_recipient_among_many(void **state)
{
    struct fixture *fixture = *state;
    char good[QUEUE_ID_SIZE], poison[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.down = true;
    admit(fixture, now_ms - 200, mail_with("recipient", "a@good.test"), good);
    for (int i = 0; i < 100; i++)
        admit(fixture, now_ms - 100 + i, mail_with("recipient", "a@poison.test"), poison);
    assert_memory_empty(fixture);
    hold_against("a@poison.test");
    seen.down = false;
    seen.slots = 1;
    seen.request_count = 0;
    fixture->dispatcher->due_at_ms = 0;
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    assert_string_equal(seen.requests[0]->id, good);
    answer(0, mail_with("recipient", "a@good.test"));
    settle_down(fixture);
    assert_started(0, good);
    seen.slots = 0;
    end(0, DELIVERY_SENT);
}

// ---- an operator's orders ---------------------------------------------------------------------

struct told {
    size_t count;
    char state[16]; // of the only smarthost; "": there is none of that name, "-": not done
};

static void on_ordered(void *context, const json_t *smarthosts)
{
    struct told *told = context;
    told->count++;
    const char *state = json_string_value(json_object_get(json_array_get(smarthosts, 0), "state"));
    snprintf(told->state, sizeof(told->state), "%s", !smarthosts ? "-" : state ? state : "");
}

static void an_order_is_told_once_it_has_been_carried_out(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum smarthost_act act;
        const char *name, *want;
    } cases[] = {
        {SMARTHOSTS_LIST, NULL, "closed"}, {SMARTHOST_PAUSE, "smarthost", "paused"},
        {SMARTHOSTS_LIST, NULL, "paused"}, {SMARTHOST_RESUME, "smarthost", "closed"},
        {SMARTHOST_PAUSE, "nobody", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told = {0};
        dispatcher_order(fixture->dispatcher, cases[i].act, cases[i].name, on_ordered, &told);
        assert_int_equal(told.count, 0);
        settle_down(fixture);
        assert_int_equal(told.count, 1);
        assert_string_equal(told.state, cases[i].want);
    }
}

// Whoever waits at the control socket is answered, or the relay could not stop.
static void a_relay_that_ends_leaves_no_order_untold(void **state)
{
    struct fixture *fixture = *state;
    struct told before = {0}, after = {0};
    dispatcher_order(fixture->dispatcher, SMARTHOSTS_LIST, NULL, on_ordered, &before);
    dispatcher_close_orders(fixture->dispatcher);
    assert_string_equal(before.state, "closed");
    dispatcher_order(fixture->dispatcher, SMARTHOSTS_LIST, NULL, on_ordered, &after);
    assert_int_equal(after.count, 1);
    assert_string_equal(after.state, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(a_suspect_waits_uncharged_on_its_lanes_schedule),
        DISPATCHER_TEST(a_suspect_of_an_open_circuit_waits_for_its_turn_alone),
        DISPATCHER_TEST(a_suspect_goes_by_another_smarthost_at_once),
        DISPATCHER_TEST(a_suspect_that_waits_for_another_smarthost_holds_up_nobody),
        DISPATCHER_TEST(a_suspect_that_waits_for_another_smarthost_for_long_is_charged),
        DISPATCHER_TEST(a_session_that_is_one_messages_fault_sets_it_back_uncharged),
        DISPATCHER_TEST(a_probe_is_another_message_while_there_is_one),
        DISPATCHER_TEST(a_probe_is_chosen_by_its_recipient),
        DISPATCHER_TEST(a_probe_from_the_queue_is_chosen_by_its_recipient_among_many),
        DISPATCHER_TEST(an_order_is_told_once_it_has_been_carried_out),
        DISPATCHER_TEST(a_relay_that_ends_leaves_no_order_untold),
        DISPATCHER_TEST(a_probe_from_the_queue_is_another_message_while_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
