// What is decided about a message between its arrival and a delivery slot.
#include "dispatcher_fixture.h"

#include <sqlite3.h>

#include "relay/base/log.h"

// Two waiting rows of one payload, as queue_compose() leaves them; both under the same key.
static void make_waiting(struct fixture *fixture, int64_t received_ms, size_t count,
                         char ret_id[QUEUE_ID_SIZE])
{
    uint8_t key[QUEUE_DIGEST_SIZE] = {7};
    queue_new_id(fixture->queue, ret_id);
    const struct queue_accept accept = {.id = ret_id,
                                        .route = "kratos",
                                        .payload = ret_id,
                                        .payload_size = strlen(ret_id),
                                        .received_ms = received_ms};
    struct queue_mail mails[2];
    for (size_t i = 0; i < count; i++)
        mails[i] = (struct queue_mail){.envelope = {.channel = "email",
                                                    .template = "recovery_valid",
                                                    .lane = LANE_CODE,
                                                    .recipient = "a@example.com",
                                                    .coded = true,
                                                    .created_ms = received_ms,
                                                    .deadline_ms = received_ms + 5 * MINUTE_MS,
                                                    .supersede_digest = key},
                                       .body = "{}",
                                       .body_size = 2,
                                       .state = MESSAGE_QUEUED};
    queue_accept(fixture->queue, &accept, tell_dispatcher, fixture);
    // The dispatcher hears of a row that is gone from `received`, and looks at what is due.
    queue_compose(fixture->queue, ret_id, mails, count, tell_dispatcher, fixture);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    assert_true(event_loop_wait(fixture->loop, 0, &err));
    fixture->dispatcher->due_at_ms = 0;
}

static void nothing_goes_out_before_its_payload_is_committed(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    offer(fixture, now_ms, id);
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    answer(0, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_int_equal(seen.started_count, 0);
    commit(fixture, now_ms, id);
    assert_int_equal(seen.started_count, 1);
    assert_started(0, id);
}

static void what_was_not_committed_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 1;
    offer(fixture, queue_now_ms(fixture->queue), id);
    settle_down(fixture);
    answer(0, mail_in("code", LIFETIME_MS));
    dispatcher_committed(fixture->dispatcher, id, QUEUE_DUPLICATE);
    settle_down(fixture);
    assert_int_equal(seen.started_count, 0);
    assert_memory_empty(fixture);
}

static void a_later_claim_is_committed_before_it_goes_out(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t received_ms = queue_now_ms(fixture->queue) - MINUTE_MS;
    seen.slots = 1;
    make_waiting(fixture, received_ms, 1, id);
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 1);
    assert_int_equal(seen.requests[0]->task, COMPOSE_RENDER);
    // The minutes in it are to be those that are left of the first receipt.
    assert_int_equal(seen.requests[0]->received_boot_ms,
                     queue_boot_ms(fixture->queue, received_ms));
    answer(0, mail_in("code", LIFETIME_MS));
    assert_int_equal(seen.started_count, 0); // the dispatcher has not heard of the commit yet
    settle_down(fixture);
    assert_started(0, id);
    assert_row(fixture, id, MESSAGE_SENDING, "");
    // A deadline, once known, does not move.
    assert_int_equal(seen.started[0].delivery->deadline_boot_ms,
                     queue_boot_ms(fixture->queue, received_ms + 5 * MINUTE_MS));
}

static void an_offer_that_the_queue_brought_in_already_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 2;
    queue_new_id(fixture->queue, id);
    commit(fixture, now_ms, id);
    assert_int_equal(seen.request_count, 1);
    const struct queue_accept accept = accept_of(id, now_ms);
    dispatcher_offer(fixture->dispatcher, &accept);
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    answer(0, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_int_equal(seen.started_count, 1);
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, id, MESSAGE_SENT, "");
    assert_memory_empty(fixture);
}

static void the_hand_over_is_bounded_and_its_places_come_back(void **state)
{
    struct fixture *fixture = *state;
    char ids[JOBS_MAX + 10][QUEUE_ID_SIZE];
    for (int round = 0; round < 2; round++) {
        seen.request_count = 0;
        for (size_t i = 0; i < JOBS_MAX + 10; i++)
            offer(fixture, queue_now_ms(fixture->queue), ids[i]);
        settle_down(fixture);
        assert_int_equal(seen.request_count, JOBS_MAX);
        for (size_t i = 0; i < JOBS_MAX + 10; i++)
            dispatcher_committed(fixture->dispatcher, ids[i], QUEUE_REFUSED);
        settle_down(fixture);
        assert_memory_empty(fixture);
    }
}

static void an_array_is_split_only_when_its_payload_is_committed(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 2;
    offer(fixture, now_ms, id);
    settle_down(fixture);
    answer(0, json_pack("[o, o]", mail_in("code", LIFETIME_MS), mail_in("code", LIFETIME_MS)));
    assert_memory_empty(fixture); // it comes again from the queue
    commit(fixture, now_ms, id);
    assert_int_equal(seen.request_count, 2);
    answer(1, json_pack("[o, o]", mail_in("code", LIFETIME_MS), mail_in("code", LIFETIME_MS)));
    assert_int_equal(seen.started_count, 0);
    settle_down(fixture);
    assert_int_equal(seen.request_count, 4);
    assert_int_equal(row_of(fixture, id).state, MESSAGE_SENDING);
}

// ---- duplicates and newer ones ----------------------------------------------------------------

static void the_same_content_under_way_makes_a_duplicate(void **state)
{
    struct fixture *fixture = *state;
    char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 2;
    admit(fixture, now_ms, mail_with("content_digest", "c1"), first);
    assert_started(0, first); // on disk it is still a raw payload
    admit(fixture, now_ms + 1, mail_with("content_digest", "c1"), second);
    assert_int_equal(seen.started_count, 1);
    assert_row(fixture, second, MESSAGE_SUPERSEDED, "duplicate");
}

static void what_waits_for_a_slot_is_replaced_by_a_newer_one(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_with("supersede", "browser:a"), old);
    admit(fixture, now_ms + 1, mail_with("supersede", "browser:a"), new);
    seen.slots = 2;
    settle_down(fixture);
    assert_int_equal(seen.started_count, 1);
    assert_started(0, new);
    assert_row(fixture, old, MESSAGE_SUPERSEDED, "newer");
}

static void what_comes_back_from_a_4xx_is_replaced_by_a_newer_one(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    admit(fixture, now_ms, mail_with("supersede", "flow:a"), old);
    assert_started(0, old);
    admit(fixture, now_ms + 1, mail_with("supersede", "flow:a"), new);
    end(0, DELIVERY_TEMPORARY);
    settle_down(fixture);
    assert_row(fixture, old, MESSAGE_SUPERSEDED, "newer");
    assert_int_equal(row_of(fixture, old).attempts, 1);
    assert_started(1, new);
}

static void what_may_never_be_stored_replaces_nothing(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_with("supersede", "flow:a"), old);
    offer(fixture, now_ms + 1, new);
    settle_down(fixture);
    answer(1, mail_with("supersede", "flow:a"));
    seen.slots = 1;
    settle_down(fixture);
    assert_started(0, old);
}

static void what_is_parked_or_a_duplicate_replaces_nothing(void **state)
{
    struct fixture *fixture = *state;
    char old[QUEUE_ID_SIZE], sent[QUEUE_ID_SIZE], new[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    admit(fixture, now_ms, mail_with("supersede", "browser:a"), old);
    // A newer one that is about to be parked: the dispatcher has not heard of that commit yet.
    offer(fixture, now_ms + 1, new);
    commit(fixture, now_ms + 1, new);
    json_t *parked = mail_with("supersede", "browser:a");
    json_object_set_new(parked, "park", json_string("unsupported_channel"));
    answer(seen.request_count - 1, parked);
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    assert_started(0, old);
    end(0, DELIVERY_SENT);
    settle_down(fixture);

    // And one that is about to end as a duplicate.
    seen.slots = 0;
    admit(fixture, now_ms + 2, mail_with("content_digest", "c2"), sent);
    admit(fixture, now_ms + 3, mail_with("supersede", "browser:b"), old);
    offer(fixture, now_ms + 4, new);
    commit(fixture, now_ms + 4, new);
    json_t *again = mail_with("supersede", "browser:b");
    json_object_set_new(again, "content_digest", json_string("c2"));
    answer(seen.request_count - 1, again);
    seen.slots = 1;
    dispatcher_tick(fixture->dispatcher);
    assert_started(1, old);
}

static void mails_of_one_payload_do_not_replace_each_other(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    seen.slots = 2;
    make_waiting(fixture, queue_now_ms(fixture->queue), 2, id);
    dispatcher_tick(fixture->dispatcher);
    assert_int_equal(seen.request_count, 2);
    answer(0, mail_in("code", LIFETIME_MS));
    answer(1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_int_equal(seen.started_count, 2);
}

// ---- what cannot be composed ------------------------------------------------------------------

static void a_payload_that_kills_composers_falls_back_and_is_parked(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    offer(fixture, now_ms, id);
    commit(fixture, now_ms, id);
    static const enum compose_task want[] = {COMPOSE_PAYLOAD, COMPOSE_PAYLOAD, COMPOSE_FALLBACK};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen.request_count, i + 1);
        assert_int_equal(seen.requests[i]->task, want[i]);
        seen.composers.done(seen.composers.context, seen.requests[i], COMPOSE_DIED, NULL, NULL);
    }
    settle_down(fixture);
    assert_int_equal(seen.request_count, 3);
    assert_row(fixture, id, MESSAGE_PARKED, "composer_died");
    assert_memory_empty(fixture);
}

// A mail is not lost to a normaliser's mistake: the known places may have what it did not find.
static void what_the_normaliser_made_unfit_falls_back(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *park;
        bool falls_back;
    } cases[] = {
        {"not_canonical", true},        {"no_recipient", true},     {"bad_recipient", true},
        {"no_content", true},           {"too_large", true},        {"unparseable", false},
        {"unsupported_channel", false}, {"link_not_allowed", false}};
    int64_t now_ms = queue_now_ms(fixture->queue);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char id[QUEUE_ID_SIZE];
        size_t request = seen.request_count;
        admit(fixture, now_ms, mail_with("park", cases[i].park), id);
        assert_int_equal(seen.request_count - request, cases[i].falls_back ? 2 : 1);
        if (cases[i].falls_back) {
            assert_int_equal(seen.requests[request + 1]->task, COMPOSE_FALLBACK);
            answer(request + 1, mail_with("park", cases[i].park));
            settle_down(fixture);
        }
        assert_row(fixture, id, MESSAGE_PARKED, cases[i].park);
    }
}

// Never sent, never deleted.
static void what_does_not_open_is_parked(void **state)
{
    struct fixture *fixture = *state;
    char path[FOLDER_PATH_SIZE + 16], id[QUEUE_ID_SIZE];
    seen.slots = 1;
    make_waiting(fixture, queue_now_ms(fixture->queue), 1, id);
    snprintf(path, sizeof(path), "%s/queue.db", fixture->dir);
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "UPDATE message SET recipient = 'thief@example.com'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(handle);
    log_setup(LOG_JSON, LOG_ERROR + 1); // the error it logs is the one that is meant
    settle_down(fixture);
    assert_int_equal(seen.request_count, 0);
    assert_row(fixture, id, MESSAGE_PARKED, "damaged");
    assert_memory_empty(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(nothing_goes_out_before_its_payload_is_committed),
        DISPATCHER_TEST(what_was_not_committed_is_forgotten),
        DISPATCHER_TEST(a_later_claim_is_committed_before_it_goes_out),
        DISPATCHER_TEST(an_offer_that_the_queue_brought_in_already_is_dropped),
        DISPATCHER_TEST(the_hand_over_is_bounded_and_its_places_come_back),
        DISPATCHER_TEST(an_array_is_split_only_when_its_payload_is_committed),
        DISPATCHER_TEST(the_same_content_under_way_makes_a_duplicate),
        DISPATCHER_TEST(what_waits_for_a_slot_is_replaced_by_a_newer_one),
        DISPATCHER_TEST(what_comes_back_from_a_4xx_is_replaced_by_a_newer_one),
        DISPATCHER_TEST(what_may_never_be_stored_replaces_nothing),
        DISPATCHER_TEST(what_is_parked_or_a_duplicate_replaces_nothing),
        DISPATCHER_TEST(mails_of_one_payload_do_not_replace_each_other),
        DISPATCHER_TEST(a_payload_that_kills_composers_falls_back_and_is_parked),
        DISPATCHER_TEST(what_the_normaliser_made_unfit_falls_back),
        DISPATCHER_TEST(what_does_not_open_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
