// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/http/server.h"
#include "tests/unit/relay/http/raw_http.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID "01930000-0000-7000-8000-00000000000f"
#define REKEY "POST /admin/queue/rekey HTTP/1.1\r\nHost: localhost\r\n"
#define BACKUP "POST /admin/queue/backup HTTP/1.1\r\nHost: localhost\r\n"
#define RELEASE "POST /admin/messages/" ID "/release HTTP/1.1\r\nHost: localhost\r\n"

// The control service on a unix socket without a name in the file system.
struct fixture {
    struct http_server *server;
    struct sockaddr_un address;
    socklen_t address_size;
    enum http_outcome outcome;
    const char *text; // NULL: answered with the id instead
    size_t orders;
    enum http_act act; // of the last one
    char id[64], body[64];
    size_t body_size;
};

static void on_order(void *context, struct http_exchange *exchange, const struct http_order *order)
{
    struct fixture *fixture = context;
    fixture->orders++;
    fixture->act = order->act;
    snprintf(fixture->id, sizeof(fixture->id), "%s", order->id);
    snprintf(fixture->body, sizeof(fixture->body), "%s", order->body);
    fixture->body_size = order->body_size;
    if (fixture->text)
        http_answer_text(exchange, fixture->outcome, fixture->text);
    else
        http_answer(exchange, fixture->outcome, order->id);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fixture->address.sun_family = AF_UNIX;
    fixture->address_size = sizeof(fixture->address);
    // Bound to nothing, it gets an abstract name that nobody else has.
    if (bind(fd, (struct sockaddr *)&fixture->address, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)&fixture->address, &fixture->address_size) < 0 ||
        listen(fd, 8) < 0)
        return -1;
    struct error err = {0};
    const struct http_options options = {
        .service = HTTP_CONTROL, .listen_fd = fd, .body_limit_bytes = 16};
    const struct http_handlers handlers = {.obey = on_order, .context = fixture};
    log_setup(LOG_JSON, LOG_ERROR);
    fixture->server = http_server_create(&options, &handlers, &err);
    fixture->outcome = HTTP_DONE;
    *state = fixture;
    return fixture->server ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_server_destroy(fixture->server);
    free(fixture);
    return 0;
}

static int dial_control(const struct fixture *fixture)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = WAIT_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&fixture->address, fixture->address_size),
                     0);
    return fd;
}

static struct reply ask(const struct fixture *fixture, const char *request)
{
    int fd = dial_control(fixture);
    say(fd, request);
    struct reply reply = hear(fd);
    close(fd);
    return reply;
}

static void releases_without_a_key_and_names_the_message(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply = ask(fixture, RELEASE "Content-Length: 0\r\n\r\n");
    assert_int_equal(reply.status, 200);
    assert_string_equal(header(&reply, "Content-Length"), "0");
    assert_string_equal(header(&reply, "X-Message-Id"), ID);
    assert_string_equal(fixture->id, ID);
    assert_int_equal(fixture->act, HTTP_RELEASE);
    assert_int_equal(fixture->orders, 1);
}

static void hands_over_each_order_with_its_body(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, REKEY "\r\n").status, 200);
    assert_int_equal(fixture->act, HTTP_REKEY);
    assert_string_equal(fixture->id, "");
    assert_string_equal(fixture->body, "");
    assert_int_equal(fixture->body_size, 0);
    assert_int_equal(ask(fixture, BACKUP "Content-Length: 16\r\n\r\n0123456789abcdef").status, 200);
    assert_int_equal(fixture->act, HTTP_BACKUP);
    assert_string_equal(fixture->body, "0123456789abcdef");
    assert_int_equal(fixture->body_size, 16);
    assert_int_equal(ask(fixture, RELEASE "Content-Length: 2\r\n\r\n{}").status, 200);
    assert_int_equal(fixture->orders, 3);
    static const struct {
        const char *request;
        enum http_act act;
    } smarthosts[] = {
        {"POST /admin/smarthosts HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_SMARTHOSTS},
        {"POST /admin/smarthosts/pause HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_PAUSE},
        {"POST /admin/smarthosts/resume HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_RESUME},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask(fixture, smarthosts[i].request).status, 200);
        assert_int_equal(fixture->act, smarthosts[i].act);
    }
}

static void refuses_a_body_over_the_limit(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, BACKUP "Content-Length: 17\r\n\r\n0123456789abcdefg").status,
                     413);
    assert_int_equal(fixture->orders, 0);
}

static void says_what_the_answer_to_an_order_was_given(void **state)
{
    struct fixture *fixture = *state;
    fixture->text = "no space in \"/there\"\n";
    fixture->outcome = HTTP_FAILED;
    struct reply reply = ask(fixture, BACKUP "\r\n");
    assert_int_equal(reply.status, 500);
    assert_string_equal(header(&reply, "Content-Type"), "application/json");
    assert_string_equal(reply.body,
                        "{\"error\":\"failed\",\"message\":\"no space in \\\"/there\\\"\\n\"}");
    fixture->outcome = HTTP_DONE;
    assert_string_equal(ask(fixture, REKEY "\r\n").body,
                        "{\"status\":\"done\",\"message\":\"no space in \\\"/there\\\"\\n\"}");
}

static void answers_each_outcome_of_an_order(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum http_outcome outcome;
        int status;
        const char *body;
    } cases[] = {
        {HTTP_DONE, 200, ""},
        {HTTP_NO_MESSAGE, 404, "\"no_message\""},
        {HTTP_WRONG_STATE, 409, "only parked or held messages are released"},
        {HTTP_BAD_ORDER, 400, "\"bad_order\""},
        {HTTP_FAILED, 500, "\"failed\""},
        {HTTP_TRY_AGAIN, 503, "\"try_again\""},
        {HTTP_UNAVAILABLE, 503, "\"unavailable\""},
    };
    int fd = dial_control(fixture); // one connection for all
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture->outcome = cases[i].outcome;
        say(fd, RELEASE "Content-Length: 0\r\n\r\n");
        struct reply reply = hear(fd);
        assert_int_equal(reply.status, cases[i].status);
        assert_non_null(strstr(reply.body, cases[i].body));
    }
    close(fd);
}

static void serves_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET /admin/messages/" ID "/release HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /kratos/webhook HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/messages/" ID "/released HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/messages/" ID "0/release HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/messages/0193/release HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/messages//release HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/messages/01930000-0000-7000-8000-00000000000%66/release HTTP/1.1\r\n"
         "Host: x\r\n\r\n",
         404},
        {"POST /admin/messages/" ID "/release HTTP/1.1\r\n\r\n", 400},
        {"GET /admin/queue/rekey HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"GET /admin/queue/backup HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"POST /admin/queue HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/queue/backup/ HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"POST /admin/queue/backups HTTP/1.1\r\nHost: x\r\n\r\n", 404},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = ask(fixture, cases[i].request);
        if (reply.status != cases[i].status)
            fail_msg("%d for %s", reply.status, cases[i].request);
        if (reply.status == 405)
            assert_string_equal(header(&reply, "Allow"), "POST");
    }
    assert_int_equal(fixture->orders, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(releases_without_a_key_and_names_the_message),
        TEST(hands_over_each_order_with_its_body),
        TEST(refuses_a_body_over_the_limit),
        TEST(says_what_the_answer_to_an_order_was_given),
        TEST(answers_each_outcome_of_an_order),
        TEST(serves_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
