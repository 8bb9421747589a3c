// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "queue/queue.h"
#include "relay/dispatch/dispatcher.h"
#include "relay/intake.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OWN_ID "01930000-0000-7000-8000-000000000001"
#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define OTHER_ID "01930000-0000-7000-8000-000000000002"

// ---- stand-ins for the queue, the dispatcher and the listener, which record what they are told

static struct {
    bool writable;
    enum queue_result result;
    const char *result_id;
    char calls[256]; // in order: "offer accept answer committed"
    char payload[64], route[16], key[16], offered_id[QUEUE_ID_SIZE], committed_id[QUEUE_ID_SIZE];
    enum queue_result committed;
    enum http_outcome outcome;
    char answer_id[QUEUE_ID_SIZE];
} seen;

static void record(const char *call)
{
    size_t size = strlen(seen.calls);
    snprintf(seen.calls + size, sizeof(seen.calls) - size, "%s ", call);
}

bool queue_writable(const struct queue *queue)
{
    (void)queue;
    return seen.writable;
}

int64_t queue_now_ms(const struct queue *queue)
{
    (void)queue;
    return 1700000000000;
}

void queue_new_id(struct queue *queue, char ret_id[QUEUE_ID_SIZE])
{
    (void)queue;
    memcpy(ret_id, OWN_ID, QUEUE_ID_SIZE);
}

void queue_accept(struct queue *queue, const struct queue_accept *accept, queue_done_fn *done,
                  void *context)
{
    (void)queue;
    record("accept");
    assert_string_equal(accept->id, OWN_ID);
    assert_int_equal(accept->received_ms, 1700000000000);
    assert_string_equal(accept->trace_id, TRACE_ID);
    snprintf(seen.payload, sizeof(seen.payload), "%.*s", (int)accept->payload_size,
             (const char *)accept->payload);
    snprintf(seen.route, sizeof(seen.route), "%s", accept->route);
    snprintf(seen.key, sizeof(seen.key), "%s", accept->key_name);
    done(context, seen.result, seen.result_id);
}

void dispatcher_offer(struct dispatcher *dispatcher, const struct queue_accept *accept)
{
    (void)dispatcher;
    record("offer");
    assert_string_equal(accept->route, "kratos");
    assert_string_equal(accept->trace_id, TRACE_ID);
    assert_true(accept->payload_size > 0);
    assert_int_equal(accept->received_ms, 1700000000000);
    snprintf(seen.offered_id, sizeof(seen.offered_id), "%s", accept->id);
}

void dispatcher_committed(struct dispatcher *dispatcher, const char *id, enum queue_result result)
{
    (void)dispatcher;
    record("committed");
    snprintf(seen.committed_id, sizeof(seen.committed_id), "%s", id);
    seen.committed = result;
}

void http_answer(struct http_exchange *exchange, enum http_outcome outcome, const char *id)
{
    (void)exchange;
    record("answer");
    seen.outcome = outcome;
    snprintf(seen.answer_id, sizeof(seen.answer_id), "%s", id ? id : "");
}

// ---- tests

static void post_sized_to(bool writable, const char *payload, size_t size, enum queue_result result,
                          const char *id)
{
    memset(&seen, 0, sizeof(seen));
    seen.writable = writable;
    seen.result = result;
    seen.result_id = id;
    struct intake intake = {0};
    intake_open(&intake, NULL, NULL);
    struct http_handlers handlers = intake_handlers(&intake);
    const struct http_post post = {.route = "kratos",
                                   .key_name = "default",
                                   .trace_id = TRACE_ID,
                                   .payload = payload,
                                   .payload_size = size};
    handlers.accept(handlers.context, NULL, &post);
}

static void post_sized(const char *payload, size_t size, enum queue_result result, const char *id)
{
    post_sized_to(true, payload, size, result, id);
}

static void post(const char *payload, enum queue_result result, const char *id)
{
    post_sized(payload, strlen(payload), result, id);
}

static void stores_and_then_answers(void **state)
{
    (void)state;
    post(" {\"a\":1}\n", QUEUE_DONE, OWN_ID);
    assert_string_equal(seen.calls, "offer accept answer committed ");
    assert_string_equal(seen.payload, " {\"a\":1}\n");
    assert_string_equal(seen.route, "kratos");
    assert_string_equal(seen.key, "default");
    assert_int_equal(seen.outcome, HTTP_ACCEPTED);
    assert_string_equal(seen.answer_id, OWN_ID);
    assert_string_equal(seen.committed_id, OWN_ID);
    assert_int_equal(seen.committed, QUEUE_DONE);
}

static void names_the_first_of_a_duplicate(void **state)
{
    (void)state;
    post("{}", QUEUE_DUPLICATE, OTHER_ID);
    assert_int_equal(seen.outcome, HTTP_DUPLICATE);
    assert_string_equal(seen.answer_id, OTHER_ID);
    // What was offered under our own id is to be dropped.
    assert_string_equal(seen.committed_id, OWN_ID);
    assert_int_equal(seen.committed, QUEUE_DUPLICATE);
}

static void is_unavailable_where_the_queue_refuses(void **state)
{
    (void)state;
    post("{}", QUEUE_REFUSED, OWN_ID);
    assert_int_equal(seen.outcome, HTTP_UNAVAILABLE);
    assert_string_equal(seen.answer_id, "");
    assert_int_equal(seen.committed, QUEUE_REFUSED);
}

static void offers_nothing_while_the_queue_cannot_be_written(void **state)
{
    (void)state;
    post_sized_to(false, "{}", 2, QUEUE_DONE, OWN_ID);
    assert_string_equal(seen.calls, "answer ");
    assert_int_equal(seen.outcome, HTTP_UNAVAILABLE);
}

static void takes_what_could_be_json(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{}",      "[]",           "\t\r\n {\"a\":[} ",
                                           "[1e999]", "{\"\xff\":1}", "[{]"};
    for (size_t i = 0; i < COUNT(payloads); i++) {
        post(payloads[i], QUEUE_DONE, OWN_ID);
        if (seen.outcome != HTTP_ACCEPTED)
            fail_msg("refused: %s", payloads[i]);
    }
    post_sized("{\0}", 3, QUEUE_DONE, OWN_ID);
    assert_int_equal(seen.outcome, HTTP_ACCEPTED);
}

static void refuses_what_cannot_be_json(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        " ",
        "{",
        "}",
        "{]",
        "[}",
        "\"text\"",
        "null",
        "1",
        "a=b",
        "{}x",
        "x{}",
        "\xef\xbb\xbf{}", // a byte order mark
        "{}\f",
        "\v{}",
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        post(payloads[i], QUEUE_DONE, OWN_ID);
        if (strcmp(seen.calls, "answer ") != 0 || seen.outcome != HTTP_NOT_JSON)
            fail_msg("taken: %s", payloads[i]);
    }
}

static void an_empty_payload_is_an_alarm_of_its_own(void **state)
{
    (void)state;
    post("", QUEUE_DONE, OWN_ID);
    assert_string_equal(seen.calls, "answer ");
    assert_int_equal(seen.outcome, HTTP_EMPTY);
}

static void is_ready_while_the_queue_can_be_written(void **state)
{
    (void)state;
    struct intake intake = {0};
    struct http_handlers handlers = intake_handlers(&intake);
    intake_open(&intake, NULL, NULL);
    seen.writable = true;
    assert_true(handlers.ready(handlers.context));
    seen.writable = false;
    assert_false(handlers.ready(handlers.context));
}

static void is_unavailable_until_it_is_open(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.writable = true;
    struct intake intake = {0};
    struct http_handlers handlers = intake_handlers(&intake);
    const struct http_post post = {.route = "kratos", .payload = "{}", .payload_size = 2};
    handlers.accept(handlers.context, NULL, &post);
    assert_int_equal(seen.outcome, HTTP_UNAVAILABLE);
    assert_string_equal(seen.calls, "answer ");
    assert_false(handlers.ready(handlers.context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_and_then_answers),
        cmocka_unit_test(names_the_first_of_a_duplicate),
        cmocka_unit_test(is_unavailable_where_the_queue_refuses),
        cmocka_unit_test(offers_nothing_while_the_queue_cannot_be_written),
        cmocka_unit_test(takes_what_could_be_json),
        cmocka_unit_test(refuses_what_cannot_be_json),
        cmocka_unit_test(an_empty_payload_is_an_alarm_of_its_own),
        cmocka_unit_test(is_ready_while_the_queue_can_be_written),
        cmocka_unit_test(is_unavailable_until_it_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
