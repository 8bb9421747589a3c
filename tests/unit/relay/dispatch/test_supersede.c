// An older code gives way to a newer one at each step, and to nothing else.
#include "dispatcher_fixture.h"

static void ignore(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id;
}

static json_t *parked_mail(const char *key)
{
    json_t *mail = mail_with("supersede", key);
    json_object_set_new(mail, "park", json_string("unsupported_channel"));
    return mail;
}

// After a crash the newest `received` is composed first: an older one finds it there.
static void one_that_is_composed_late_gives_way_before_it_waits(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_with("supersede", "browser:a"), new);
    admit(fixture, now_ms - 1000, mail_with("supersede", "browser:a"), old);
    assert_row(fixture, old, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(fixture->dispatcher->jobs.count, 1);
}

static void another_key_is_no_reason(void **state)
{
    struct fixture *fixture = *state;
    char ids[3][QUEUE_ID_SIZE];
    static const char *const keys[] = {"browser:a", "browser:b", "flow:a"};
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 3;
    for (size_t i = 0; i < 3; i++)
        admit(fixture, now_ms - (int64_t)i, mail_with("supersede", keys[i]), ids[i]);
    assert_int_equal(seen.started_count, 3);
}

// A newer one that is parked made the older of its flow void all the same; but in the browser
// nobody waits for it.
static void a_newer_one_that_is_about_to_be_parked_counts_by_flow_alone(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *key;
        bool gives_way;
    } cases[] = {{"flow:a", true}, {"browser:a", false}};
    for (size_t i = 0; i < 2; i++) {
        char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
        int64_t now_ms = queue_now_ms(fixture->queue);
        size_t request = seen.request_count, started = seen.started_count;
        offer(fixture, now_ms, old);
        commit(fixture, now_ms, old);
        offer(fixture, now_ms + 1, new);
        commit(fixture, now_ms + 1, new);
        seen.slots = 1;
        answer(request + 1, parked_mail(cases[i].key)); // its commit is not heard of yet
        answer(request, mail_with("supersede", cases[i].key));
        assert_int_equal(seen.started_count - started, cases[i].gives_way ? 0 : 1);
        if (!cases[i].gives_way)
            end(started, DELIVERY_SENT);
        settle_down(fixture);
        assert_row(fixture, new, MESSAGE_PARKED, "unsupported_channel");
        assert_row(fixture, old, cases[i].gives_way ? MESSAGE_SUPERSEDED : MESSAGE_SENT,
                   cases[i].gives_way ? "newer" : "");
    }
}

// The same of one that the smarthost has just refused for good.
static void a_newer_one_that_has_just_failed_counts_by_flow_alone(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *key;
        bool gives_way;
    } cases[] = {{"flow:a", true}, {"browser:a", false}};
    for (size_t i = 0; i < 2; i++) {
        char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
        int64_t now_ms = queue_now_ms(fixture->queue);
        size_t started = seen.started_count;
        seen.slots = 2;
        admit(fixture, now_ms, mail_with("supersede", cases[i].key), old);
        admit(fixture, now_ms + 1, mail_with("supersede", cases[i].key), new);
        end(started + 1, DELIVERY_PERMANENT);
        end(started, DELIVERY_TEMPORARY); // before that commit is heard of
        settle_down(fixture);
        assert_row(fixture, new, MESSAGE_FAILED, "rejected");
        assert_row(fixture, old, cases[i].gives_way ? MESSAGE_SUPERSEDED : MESSAGE_QUEUED,
                   cases[i].gives_way ? "newer" : "");
    }
}

static void one_that_is_claimed_gives_way(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    admit(fixture, now_ms, mail_with("supersede", "flow:a"), old);
    end(0, DELIVERY_TEMPORARY);
    settle_down(fixture);
    assert_row(fixture, old, MESSAGE_QUEUED, "");
    admit(fixture, now_ms + 1, mail_with("supersede", "flow:a"), new);
    end(1, DELIVERY_SENT);
    settle_down(fixture);
    const struct queue_settlement due = {.state = MESSAGE_QUEUED};
    queue_settle(fixture->queue, old, &due, ignore, NULL); // its pause is over
    size_t requests = seen.request_count;
    fixture->dispatcher->due_at_ms = 0;
    settle_down(fixture);
    answer(requests, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_row(fixture, old, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(seen.started_count, 2);
}

static void one_whose_outcome_is_unknown_gives_way(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 2;
    admit(fixture, now_ms, mail_with("supersede", "flow:a"), old);
    admit(fixture, now_ms + 1, mail_with("supersede", "flow:a"), new);
    end(0, DELIVERY_UNKNOWN);
    settle_down(fixture);
    assert_row(fixture, old, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(row_of(fixture, old).unknown_outcomes, 1);
}

// ---- what comes back in time ------------------------------------------------------------------

static void a_retry_waits_no_longer_than_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", 1000), id);
    end(0, DELIVERY_TEMPORARY);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    struct queue_message row = row_of(fixture, id);
    assert_int_equal(row.not_before_ms, row.deadline_ms);
}

// The count is on disk before it goes again, so a crash cannot forget it.
static void an_unknown_outcome_is_committed_before_it_goes_again(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    admit(fixture, queue_now_ms(fixture->queue), mail_in("code", LIFETIME_MS), id);
    for (int count = 1; count <= UNKNOWN_OUTCOMES_MAX; count++) {
        end((size_t)count - 1, DELIVERY_UNKNOWN);
        settle_down(fixture);
        assert_row(fixture, id, MESSAGE_QUEUED, "");
        assert_int_equal(row_of(fixture, id).unknown_outcomes, count);
        assert_memory_empty(fixture);
        const struct queue_settlement due = {.state = MESSAGE_QUEUED};
        queue_settle(fixture->queue, id, &due, ignore, NULL); // its pause is over
        fixture->dispatcher->due_at_ms = 0;
        size_t requests = seen.request_count;
        settle_down(fixture);
        answer(requests, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
        assert_started((size_t)count, id);
    }
    end(UNKNOWN_OUTCOMES_MAX, DELIVERY_UNKNOWN);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_UNKNOWN, "unknown_outcomes");
    assert_int_equal(seen.started_count, UNKNOWN_OUTCOMES_MAX + 1); // three copies
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(one_that_is_composed_late_gives_way_before_it_waits),
        DISPATCHER_TEST(another_key_is_no_reason),
        DISPATCHER_TEST(a_newer_one_that_is_about_to_be_parked_counts_by_flow_alone),
        DISPATCHER_TEST(a_newer_one_that_has_just_failed_counts_by_flow_alone),
        DISPATCHER_TEST(one_that_is_claimed_gives_way),
        DISPATCHER_TEST(one_whose_outcome_is_unknown_gives_way),
        DISPATCHER_TEST(a_retry_waits_no_longer_than_its_deadline),
        DISPATCHER_TEST(an_unknown_outcome_is_committed_before_it_goes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
