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
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/http/server.h"
#include "tests/unit/relay/http/raw_http.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "X-Api-Key: key-0123456789abcdef\r\n"
#define HOST "Host: relay\r\n"
#define JSON "Content-Type: application/json\r\n"
#define ID "01930000-0000-7000-8000-000000000001"

enum { BODY_LIMIT = 4096, SHORT_MS = 100 };

// A listener and the handlers behind it. A payload is answered at once, or held until the test
// answers from its own thread, as the queue's writer would.
struct fixture {
    struct http_server *server;
    struct routes *routes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold, ready;
    enum http_outcome outcome;
    size_t accepted;
    char payload[BODY_LIMIT + 1];
    size_t payload_size;
    char key_name[32], route[32];
    struct http_exchange *held;
};

static void on_accept(void *context, struct http_exchange *exchange, const struct http_post *post)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    memcpy(fixture->payload, post->payload, post->payload_size);
    fixture->payload_size = post->payload_size;
    snprintf(fixture->key_name, sizeof(fixture->key_name), "%s", post->key_name);
    snprintf(fixture->route, sizeof(fixture->route), "%s", post->route);
    fixture->accepted++;
    bool hold = fixture->hold;
    fixture->held = hold ? exchange : NULL;
    enum http_outcome outcome = fixture->outcome;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    if (!hold)
        http_answer(exchange, outcome, outcome <= HTTP_DUPLICATE ? ID : NULL);
}

static bool on_ready(void *context)
{
    return ((struct fixture *)context)->ready;
}

static struct http_exchange *wait_held(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    while (!fixture->held)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    struct http_exchange *exchange = fixture->held;
    fixture->held = NULL;
    pthread_mutex_unlock(&fixture->lock);
    return exchange;
}

static int set_up_with(void **state, int64_t request_ms)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    struct error err = {0};
    char name[] = "kratos", path[] = "/kratos/webhook";
    struct config_route kratos = {.name = name, .path = path};
    struct config config = {.api_keys = api_keys_parse("kratos:key-0123456789abcdef", false, &err),
                            .routes = &kratos,
                            .route_count = 1};
    fixture->routes = routes_create(&config, &err);
    api_keys_destroy(config.api_keys);
    if (!fixture->routes)
        return -1;
    struct http_options options = {.listen_fd = -1,
                                   .routes = fixture->routes,
                                   .body_limit_bytes = BODY_LIMIT,
                                   .request_ms = request_ms};
    const struct http_handlers handlers = {
        .accept = on_accept, .ready = on_ready, .context = fixture};
    if (!endpoint_parse("127.0.0.1:0", &options.listen, &err))
        return -1;
    log_setup(LOG_JSON, LOG_ERROR);
    fixture->server = http_server_create(&options, &handlers, &err);
    *state = fixture;
    return fixture->server ? 0 : -1;
}

static int set_up(void **state)
{
    return set_up_with(state, 0);
}

static int set_up_in_haste(void **state)
{
    return set_up_with(state, SHORT_MS);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_server_destroy(fixture->server);
    routes_unref(fixture->routes);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

static struct reply exchange_once(const struct fixture *fixture, const char *request)
{
    int fd = dial(fixture->server);
    say(fd, request);
    struct reply reply = hear(fd);
    close(fd);
    return reply;
}

#define POST "POST /kratos/webhook HTTP/1.1\r\n" HOST

static void accepts_with_an_empty_200(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply = exchange_once(fixture, POST KEY JSON "Content-Length: 7\r\n\r\n{\"a\":1}");
    assert_int_equal(reply.status, 200);
    assert_string_equal(header(&reply, "Content-Length"), "0");
    assert_string_equal(header(&reply, "X-Message-Id"), ID);
    assert_null(header(&reply, "Content-Type"));
    assert_null(header(&reply, "Retry-After"));
    assert_int_equal(fixture->payload_size, 7);
    assert_memory_equal(fixture->payload, "{\"a\":1}", 7);
    assert_string_equal(fixture->key_name, "kratos");
    assert_string_equal(fixture->route, "kratos");
}

static void answers_each_outcome(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum http_outcome outcome;
        int status;
        const char *body;
    } cases[] = {
        {HTTP_ACCEPTED, 200, ""},
        {HTTP_DUPLICATE, 200, ""},
        {HTTP_EMPTY, 400, "empty_payload"},
        {HTTP_NOT_JSON, 400, "not_json"},
        {HTTP_UNAVAILABLE, 503, "unavailable"},
    };
    int fd = dial(fixture->server); // one connection for all: none of these closes it
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture->outcome = cases[i].outcome;
        say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
        struct reply reply = hear(fd);
        assert_int_equal(reply.status, cases[i].status);
        assert_non_null(strstr(reply.body, cases[i].body));
        assert_null(header(&reply, "Retry-After"));
        assert_null(header(&reply, "Location"));
    }
    close(fd);
    assert_int_equal(fixture->accepted, COUNT(cases));
}

static void refuses_by_the_head_alone(void **state)
{
    struct fixture *fixture = *state;
    // No body follows: an answer shows that none was waited for.
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {POST JSON "Content-Length: 2\r\n\r\n", 401},
        {POST JSON "X-Api-Key: key-0123456789abcdeg\r\nContent-Length: 2\r\n\r\n", 401},
        {POST JSON "X-Api-Key:\r\nContent-Length: 2\r\n\r\n", 401},
        {"POST /kratos/webhook?key=key-0123456789abcdef HTTP/1.1\r\n" HOST JSON
         "Content-Length: 2\r\n\r\n",
         401},
        {POST KEY JSON "Content-Length: 4097\r\n\r\n", 413},
        {POST KEY JSON "Content-Length: 9223372036854775807\r\n\r\n", 413},
        {POST KEY "Content-Length: 2\r\n\r\n", 415},
        {POST KEY "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n", 415},
        {POST KEY "Content-Type: application/jsonx\r\nContent-Length: 2\r\n\r\n", 415},
        {POST KEY JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n", 415},
        {"GET /kratos/webhook HTTP/1.1\r\n" HOST "\r\n", 405},
        {"POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", 404},
        {"GET /health%2Flive HTTP/1.1\r\n" HOST "\r\n", 404},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = exchange_once(fixture, cases[i].request);
        if (reply.status != cases[i].status)
            fail_msg("%d for %s", reply.status, cases[i].request);
        assert_non_null(strstr(reply.body, "{\"error\":\""));
        assert_string_equal(header(&reply, "Content-Type"), "application/json");
        if (reply.status == 405)
            assert_string_equal(header(&reply, "Allow"), "POST");
        if (reply.status == 401)
            assert_string_equal(header(&reply, "WWW-Authenticate"),
                                "ApiKey realm=\"mail\", header=\"X-Api-Key\"");
        else
            assert_null(header(&reply, "WWW-Authenticate"));
    }
    assert_int_equal(fixture->accepted, 0);
}

static void refuses_hostile_framing_and_closes(void **state)
{
    struct fixture *fixture = *state;
    static const char *const requests[] = {
        POST KEY JSON "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        POST KEY JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST KEY JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        POST KEY JSON "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST KEY JSON "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST KEY KEY JSON "Content-Length: 2\r\n\r\n{}",
        POST KEY JSON JSON "Content-Length: 2\r\n\r\n{}",
        POST HOST KEY JSON "Content-Length: 2\r\n\r\n{}",
        "POST /kratos/webhook HTTP/1.1\r\n" KEY JSON "Content-Length: 2\r\n\r\n{}",
        POST KEY JSON "X-Other: a\x01z\r\nContent-Length: 2\r\n\r\n{}",
        POST KEY JSON "Content-Length: +2\r\n\r\n{}",
        POST KEY JSON "Content-Length: 2, 2\r\n\r\n{}",
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        int fd = dial(fixture->server);
        say(fd, requests[i]);
        struct reply reply = hear(fd);
        if (reply.status != 400)
            fail_msg("%d for %s", reply.status, requests[i]);
        if (!is_closed(fd))
            fail_msg("not closed after %s", requests[i]);
        close(fd);
    }
    assert_int_equal(fixture->accepted, 0);
}

static void counts_a_body_of_unknown_length(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply =
        exchange_once(fixture, POST KEY JSON
                      "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
    assert_int_equal(reply.status, 200);
    assert_memory_equal(fixture->payload, "{\"a\":1}", 7);

    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Transfer-Encoding: chunked\r\n\r\n");
    char chunk[1024 + 16];
    int size = snprintf(chunk, sizeof(chunk), "400\r\n%01024d\r\n", 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(send(fd, chunk, (size_t)size, MSG_NOSIGNAL), size);
    say(fd, "0\r\n\r\n");
    reply = hear(fd);
    assert_int_equal(reply.status, 413);
    close(fd);
    assert_int_equal(fixture->accepted, 1);
}

static void takes_a_body_of_exactly_the_limit(void **state)
{
    struct fixture *fixture = *state;
    char body[BODY_LIMIT + 1];
    memset(body, 'x', BODY_LIMIT);
    body[BODY_LIMIT] = '\0';
    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Expect: 100-continue\r\nContent-Length: 4096\r\n\r\n");
    struct reply reply = hear(fd);
    assert_int_equal(reply.status, 100);
    say(fd, body);
    reply = hear(fd);
    assert_int_equal(reply.status, 200);
    assert_int_equal(fixture->payload_size, BODY_LIMIT);
    close(fd);
}

static void an_empty_body_is_handed_over_as_one(void **state)
{
    struct fixture *fixture = *state;
    fixture->outcome = HTTP_EMPTY;
    struct reply reply = exchange_once(fixture, POST KEY JSON "Content-Length: 0\r\n\r\n");
    assert_int_equal(reply.status, 400);
    assert_int_equal(fixture->accepted, 1);
    assert_int_equal(fixture->payload_size, 0);
}

static void tells_its_health(void **state)
{
    struct fixture *fixture = *state;
    int fd = dial(fixture->server);
    say(fd, "GET /health/live HTTP/1.1\r\n" HOST "\r\n");
    struct reply reply = hear(fd);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "{\"status\":\"ok\"}\n");
    say(fd, "GET /health/ready HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(fd).status, 503);
    fixture->ready = true;
    say(fd, "GET /health/ready HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(fd).status, 200);
    close(fd);
}

static void waits_for_an_answer_from_another_thread(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    int first = dial(fixture->server), second = dial(fixture->server);
    say(first, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
    struct http_exchange *held = wait_held(fixture);
    // Meanwhile others are served.
    say(second, "GET /health/live HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(second).status, 200);
    http_answer(held, HTTP_ACCEPTED, ID);
    assert_int_equal(hear(first).status, 200);
    close(first);
    close(second);
}

static void survives_a_client_that_left_while_waiting(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
    struct http_exchange *held = wait_held(fixture);
    const struct linger reset = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(fd);
    http_answer(held, HTTP_ACCEPTED, ID);
    fixture->hold = false;
    assert_int_equal(exchange_once(fixture, POST KEY JSON "Content-Length: 2\r\n\r\n{}").status,
                     200);
}

static void survives_a_client_that_left_within_its_body(void **state)
{
    struct fixture *fixture = *state;
    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Content-Length: 20\r\n\r\n{\"a\"");
    close(fd);
    assert_int_equal(exchange_once(fixture, POST KEY JSON "Content-Length: 2\r\n\r\n{}").status,
                     200);
    assert_int_equal(fixture->accepted, 1);
}

static void whoever_takes_too_long_is_cut_off_and_who_waits_for_us_is_not(void **state)
{
    struct fixture *fixture = *state;
    static const char *const parts[] = {
        "",
        "POST /kratos",
        POST KEY,
        POST KEY JSON "Content-Length: 7\r\n\r\n{\"a",
        POST KEY JSON "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n",
    };
    fixture->hold = true;
    int waits = dial(fixture->server), kept = dial(fixture->server);
    say(waits, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
    struct http_exchange *held = wait_held(fixture);
    say(kept, "GET /health/live HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(kept).status, 200);
    for (size_t i = 0; i < COUNT(parts); i++) {
        int fd = dial(fixture->server);
        say(fd, parts[i]);
        assert_true(is_closed(fd));
        close(fd);
    }
    http_answer(held, HTTP_ACCEPTED, ID); // after more than all of its time
    assert_int_equal(hear(waits).status, 200);
    say(waits, "GET /health/live HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(waits).status, 200);
    say(kept, "GET /health/live HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(kept).status, 200);
    close(waits);
    close(kept);
    assert_int_equal(fixture->accepted, 1);
}

static void quiesced_serves_who_is_connected_and_nobody_else(void **state)
{
    struct fixture *fixture = *state;
    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
    assert_int_equal(hear(fd).status, 200);
    http_server_quiesce(fixture->server);
    say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n[]");
    struct reply reply = hear(fd);
    assert_int_equal(reply.status, 200);
    assert_string_equal(header(&reply, "Connection"), "close");
    assert_true(is_closed(fd));
    close(fd);

    int status;
    close(try_to_dial(fixture->server, &status));
    assert_int_equal(status, -1);
}

static void *answer_held(void *context)
{
    struct fixture *fixture = context;
    http_answer(wait_held(fixture), HTTP_ACCEPTED, ID);
    return NULL;
}

static void destroying_waits_for_what_is_owed(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    int fd = dial(fixture->server);
    say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
    pthread_mutex_lock(&fixture->lock);
    while (fixture->accepted == 0)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_held, fixture), 0);
    http_server_destroy(fixture->server);
    fixture->server = NULL;
    pthread_join(thread, NULL);
    assert_int_equal(hear(fd).status, 200);
    close(fd);
}

// Clients that post and leave at every stage, while answers come from another thread.
static void *post_many(void *context)
{
    struct fixture *fixture = context;
    for (int i = 0; i < 50; i++) {
        int fd = dial(fixture->server);
        say(fd, POST KEY JSON "Content-Length: 2\r\n\r\n{}");
        if (i % 3 != 0 && hear(fd).status != 200)
            abort();
        close(fd);
    }
    return NULL;
}

static void serves_many_at_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, fixture), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(fixture->accepted >= COUNT(threads) * 33);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_with_an_empty_200),
        TEST(answers_each_outcome),
        TEST(refuses_by_the_head_alone),
        TEST(refuses_hostile_framing_and_closes),
        TEST(counts_a_body_of_unknown_length),
        TEST(takes_a_body_of_exactly_the_limit),
        TEST(an_empty_body_is_handed_over_as_one),
        TEST(tells_its_health),
        TEST(waits_for_an_answer_from_another_thread),
        TEST(survives_a_client_that_left_while_waiting),
        TEST(survives_a_client_that_left_within_its_body),
        cmocka_unit_test_setup_teardown(
            whoever_takes_too_long_is_cut_off_and_who_waits_for_us_is_not, set_up_in_haste,
            tear_down),
        TEST(quiesced_serves_who_is_connected_and_nobody_else),
        TEST(destroying_waits_for_what_is_owed),
        TEST(serves_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
