// Several mails of one payload, one of which cannot go; and what is released.
#include "dispatcher_fixture.h"

#include "relay/base/log.h"

static json_t *unfit(const char *reason)
{
    json_t *mail = mail_with("park", reason);
    json_object_set_new(mail, "canonical", json_null());
    json_object_set_new(mail, "mime", json_null());
    return mail;
}

static json_t *mail_to(const char *recipient)
{
    return mail_with("recipient", recipient);
}

static bool take_row(void *context, const struct queue_message *message)
{
    struct queue_message *rows = context;
    assert_in_range(message->array_index, 0, 2);
    rows[message->array_index] = *message;
    return true;
}

// The rows of the one payload there is, by their place. Gives how many there are.
static size_t read_rows(struct fixture *fixture, struct queue_message rows[3])
{
    struct error err = {0};
    memset(rows, 0, 3 * sizeof(*rows));
    assert_true(
        queue_list(fixture->reader, &(struct queue_filter){.limit = 3}, take_row, rows, &err));
    size_t count = 0;
    for (size_t i = 0; i < 3; i++)
        count += rows[i].id[0] != '\0';
    return count;
}

static void assert_payload(struct fixture *fixture, const char *id, const char *payload)
{
    struct queue_message row;
    struct error err = {0};
    bool found = false;
    char *body = NULL;
    size_t size = 0;
    assert_true(queue_load(fixture->dispatcher->reader, id, &row, &found, &body, &size, &err));
    assert_non_null(body);
    assert_string_equal(body, payload);
    free(body);
}

static void on_released(void *context, const struct queue_acted *acted)
{
    struct fixture *fixture = context;
    assert_int_equal(acted->result, QUEUE_DONE);
    dispatcher_released(fixture->dispatcher);
}

static void release_it(struct fixture *fixture, const char *id)
{
    queue_act(fixture->queue, QUEUE_RELEASE, id, on_released, fixture);
    settle_down(fixture);
}

// Three mails of which the middle one cannot go: it is parked, and the others wait.
static void make_part(struct fixture *fixture, char ret_id[QUEUE_ID_SIZE],
                      struct queue_message rows[3])
{
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.down = true; // so that nothing is asked about them
    queue_new_id(fixture->queue, ret_id);
    commit(fixture, now_ms, ret_id);
    answer(0, json_pack("[o, o, o]", mail_to("a@example.com"), unfit("not_canonical"),
                        mail_to("c@example.com")));
    settle_down(fixture);
    assert_int_equal(read_rows(fixture, rows), 3);
}

static void the_one_that_cannot_go_keeps_the_payload(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    make_part(fixture, id, rows);
    assert_string_equal(rows[0].id, id);
    assert_string_equal(rows[0].recipient, "a@example.com");
    assert_string_equal(rows[2].recipient, "c@example.com");
    assert_true(rows[0].composed && rows[2].composed);
    assert_row(fixture, rows[1].id, MESSAGE_PARKED, "not_canonical");
    assert_true(rows[1].is_part);
    assert_payload(fixture, rows[1].id, id); // which is the id, here
}

static void a_released_part_is_the_mail_at_its_place_alone(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    make_part(fixture, id, rows);
    size_t request = seen.request_count;
    release_it(fixture, rows[1].id);
    assert_int_equal(seen.request_count, request + 1);
    assert_int_equal(seen.requests[request]->task, COMPOSE_PAYLOAD);
    answer(request, json_pack("[o, o, o]", mail_to("a@example.com"), mail_to("b@example.com"),
                              mail_to("c@example.com")));
    settle_down(fixture);
    assert_int_equal(read_rows(fixture, rows), 3);
    assert_string_equal(rows[1].recipient, "b@example.com");
    // By way of the queue, where it is rendered with the Message-ID that it will keep.
    assert_int_equal(rows[1].state, MESSAGE_QUEUED);
    assert_true(rows[1].composed && !rows[1].is_part);
}

static void a_part_that_is_no_longer_made_is_parked_with_its_payload(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    make_part(fixture, id, rows);
    for (int none = 0; none < 3; none++) {
        size_t request = seen.request_count;
        release_it(fixture, rows[1].id);
        assert_int_equal(seen.request_count, request + 1);
        // Nothing in place of three, one mail, or the two that have gone out.
        answer(request, none == 0   ? json_array()
                        : none == 1 ? mail_to("a@example.com")
                                    : json_pack("[o, o]", mail_to("a@example.com"),
                                                mail_to("c@example.com")));
        settle_down(fixture);
        assert_row(fixture, rows[1].id, MESSAGE_PARKED, "no_such_part");
        assert_true(row_of(fixture, rows[1].id).is_part);
        assert_payload(fixture, rows[1].id, id);
    }
    size_t request = seen.request_count;
    release_it(fixture, rows[1].id);
    answer(request, json_pack("[o, o, o]", mail_to("a@example.com"), mail_to("b@example.com"),
                              mail_to("c@example.com")));
    settle_down(fixture);
    assert_row(fixture, rows[1].id, MESSAGE_QUEUED, "");
    assert_string_equal(row_of(fixture, rows[1].id).recipient, "b@example.com");
}

static json_t *same_to(const char *recipient)
{
    json_t *mail = mail_to(recipient);
    json_object_set_new(mail, "content_digest", json_string("c1"));
    return mail;
}

// The second is composed before or after the first one's commit has ended.
static void each_mail_of_two_like_payloads_goes_once(void **state)
{
    struct fixture *fixture = *state;
    for (int committed = 0; committed < 2; committed++) {
        char first[QUEUE_ID_SIZE], second[QUEUE_ID_SIZE];
        size_t request = seen.request_count;
        seen.down = true;
        queue_new_id(fixture->queue, first);
        commit(fixture, queue_now_ms(fixture->queue), first);
        queue_new_id(fixture->queue, second);
        commit(fixture, queue_now_ms(fixture->queue), second);
        const char *digest = committed ? "c1" : "c2";
        json_t *unfit_one = unfit("unsupported_channel"), *good = mail_to("b@example.com");
        json_object_set_new(unfit_one, "content_digest", json_string(digest));
        json_object_set_new(good, "content_digest", json_string(digest));
        answer(request, json_pack("[o, O]", unfit_one, good));
        if (committed)
            settle_down(fixture);
        // The normaliser was mended in between: now both can go, and only one of them has gone.
        json_t *mended = mail_to("a@example.com");
        json_object_set_new(mended, "content_digest", json_string(digest));
        answer(request + 1, json_pack("[o, o]", mended, good));
        settle_down(fixture);
        assert_row(fixture, first, MESSAGE_PARKED, "unsupported_channel");
        assert_row(fixture, second, MESSAGE_QUEUED, "");
        struct queue_stats stats;
        struct error err = {0};
        assert_true(queue_stats(fixture->reader, &stats, &err));
        assert_int_equal(stats.count[MESSAGE_QUEUED], 2 * (committed + 1));
        assert_int_equal(stats.count[MESSAGE_SUPERSEDED], committed + 1);
    }
}

static void of_two_like_payloads_that_are_released_one_goes(void **state)
{
    struct fixture *fixture = *state;
    char ids[2][QUEUE_ID_SIZE];
    seen.slots = 2;
    for (int i = 0; i < 2; i++) {
        json_t *mail = same_to("a@example.com");
        json_object_set_new(mail, "park", json_string("unsupported_channel"));
        admit(fixture, queue_now_ms(fixture->queue), mail, ids[i]);
        assert_row(fixture, ids[i], MESSAGE_PARKED, "unsupported_channel");
    }
    for (int i = 0; i < 2; i++)
        queue_act(fixture->queue, QUEUE_RELEASE, ids[i], on_released, fixture);
    struct error err = {0};
    assert_true(queue_flush(fixture->queue, &err));
    settle_down(fixture);
    assert_int_equal(seen.request_count, 4);
    answer(2, same_to("a@example.com"));
    answer(3, same_to("a@example.com"));
    settle_down(fixture);
    assert_int_equal(seen.started_count, 1);
    bool is_second = strcmp(seen.started[0].id, ids[1]) == 0;
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, ids[is_second], MESSAGE_SENT, "");
    assert_row(fixture, ids[!is_second], MESSAGE_SUPERSEDED, "duplicate");
}

// Its twin is about to be parked: the dispatcher has not heard of that commit yet.
static void what_is_about_to_be_parked_makes_no_duplicate(void **state)
{
    struct fixture *fixture = *state;
    char parked[QUEUE_ID_SIZE], good[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    queue_new_id(fixture->queue, parked);
    commit(fixture, now_ms, parked);
    queue_new_id(fixture->queue, good);
    commit(fixture, now_ms, good);
    json_t *mail = same_to("a@example.com");
    json_object_set_new(mail, "park", json_string("unsupported_channel"));
    answer(0, mail);
    answer(1, same_to("a@example.com"));
    settle_down(fixture);
    assert_row(fixture, parked, MESSAGE_PARKED, "unsupported_channel");
    assert_started(0, good);
}

static void a_part_is_parked_again_and_never_falls_back(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    make_part(fixture, id, rows);
    for (int died = 0; died < 2; died++) {
        size_t request = seen.request_count;
        release_it(fixture, rows[1].id);
        for (; request < seen.request_count; request++) {
            assert_int_equal(seen.requests[request]->task, COMPOSE_PAYLOAD);
            if (died)
                seen.composers.done(seen.composers.context, seen.requests[request], COMPOSE_DIED,
                                    NULL, NULL);
            else
                answer(request, json_pack("[o, o, o]", mail_to("a@example.com"),
                                          unfit("not_canonical"), mail_to("c@example.com")));
        }
        settle_down(fixture);
        assert_row(fixture, rows[1].id, MESSAGE_PARKED, died ? "composer_died" : "not_canonical");
        assert_true(row_of(fixture, rows[1].id).is_part);
        assert_payload(fixture, rows[1].id, id);
    }
}

static void where_none_can_go_the_known_places_are_looked_at(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    queue_new_id(fixture->queue, id);
    commit(fixture, queue_now_ms(fixture->queue), id);
    answer(0, json_pack("[o, o]", unfit("unsupported_channel"), unfit("no_recipient")));
    assert_int_equal(seen.request_count, 2);
    assert_int_equal(seen.requests[1]->task, COMPOSE_FALLBACK);
    answer(1, unfit("no_recipient"));
    settle_down(fixture);
    // Nothing of it has gone out, so all of it may be made once more.
    assert_int_equal(read_rows(fixture, rows), 1);
    assert_int_equal(rows[0].state, MESSAGE_PARKED);
    assert_false(rows[0].is_part);
    assert_payload(fixture, id, id);
}

// Known places that do not say whose mail it is could make that of a brand to which all is good.
static void where_a_link_is_not_allowed_the_known_places_are_not(void **state)
{
    struct fixture *fixture = *state;
    char id[QUEUE_ID_SIZE];
    struct queue_message rows[3];
    queue_new_id(fixture->queue, id);
    commit(fixture, queue_now_ms(fixture->queue), id);
    answer(0, json_pack("[o, o]", unfit("link_not_allowed"), unfit("no_recipient")));
    settle_down(fixture);
    assert_int_equal(seen.request_count, 1);
    assert_int_equal(read_rows(fixture, rows), 2);
    assert_row(fixture, id, MESSAGE_PARKED, "link_not_allowed");
}

static void however_it_was_parked_it_is_composed_anew_from_its_payload(void **state)
{
    struct fixture *fixture = *state;
    static const char *const reasons[] = {"unparseable", "not_canonical",       "no_recipient",
                                          "no_content",  "unsupported_channel", "bad_recipient"};
    seen.slots = 1;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        char id[QUEUE_ID_SIZE];
        size_t request = seen.request_count;
        admit(fixture, queue_now_ms(fixture->queue), mail_with("park", reasons[i]), id);
        if (seen.request_count > request + 1) // the fallback, which finds no more
            answer(request + 1, mail_with("park", reasons[i]));
        settle_down(fixture);
        assert_int_equal(row_of(fixture, id).state, MESSAGE_PARKED);
        assert_payload(fixture, id, id);
        request = seen.request_count;
        release_it(fixture, id);
        assert_int_equal(seen.request_count, request + 1);
        assert_int_equal(seen.requests[request]->task, COMPOSE_PAYLOAD);
        assert_memory_equal(seen.requests[request]->blob, id, seen.requests[request]->blob_size);
        answer(request, mail_in("code", LIFETIME_MS));
        settle_down(fixture);
        end(i, DELIVERY_SENT);
        settle_down(fixture);
        assert_row(fixture, id, MESSAGE_SENT, "");
    }
}

static void what_is_released_is_looked_for_at_once(void **state)
{
    struct fixture *fixture = *state;
    char raw[QUEUE_ID_SIZE], late[QUEUE_ID_SIZE];
    int64_t now_ms = queue_now_ms(fixture->queue);
    seen.slots = 1;
    // One that is composed anew and sent.
    admit(fixture, now_ms, mail_with("park", "unsupported_channel"), raw);
    assert_row(fixture, raw, MESSAGE_PARKED, "unsupported_channel");
    release_it(fixture, raw);
    assert_int_equal(seen.request_count, 2);
    answer(1, mail_in("code", LIFETIME_MS));
    settle_down(fixture);
    assert_started(0, raw);
    // One whose time was over meanwhile.
    admit(fixture, now_ms, unfit("unsupported_channel"), late);
    assert_row(fixture, late, MESSAGE_PARKED, "unsupported_channel");
    release_it(fixture, late);
    answer(3, mail_in("code", 1));
    end(0, DELIVERY_SENT);
    settle_down(fixture);
    assert_row(fixture, late, MESSAGE_EXPIRED, "deadline");
    assert_memory_empty(fixture);
}

int main(void)
{
    log_setup(LOG_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        DISPATCHER_TEST(the_one_that_cannot_go_keeps_the_payload),
        DISPATCHER_TEST(a_released_part_is_the_mail_at_its_place_alone),
        DISPATCHER_TEST(a_part_that_is_no_longer_made_is_parked_with_its_payload),
        DISPATCHER_TEST(each_mail_of_two_like_payloads_goes_once),
        DISPATCHER_TEST(of_two_like_payloads_that_are_released_one_goes),
        DISPATCHER_TEST(what_is_about_to_be_parked_makes_no_duplicate),
        DISPATCHER_TEST(a_part_is_parked_again_and_never_falls_back),
        DISPATCHER_TEST(where_none_can_go_the_known_places_are_looked_at),
        DISPATCHER_TEST(where_a_link_is_not_allowed_the_known_places_are_not),
        DISPATCHER_TEST(however_it_was_parked_it_is_composed_anew_from_its_payload),
        DISPATCHER_TEST(what_is_released_is_looked_for_at_once),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
