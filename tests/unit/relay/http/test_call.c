// Calls: by the control socket without a key, by the admin listener with one.
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
#define HOST " HTTP/1.1\r\nHost: localhost\r\n"
#define EYE "X-Api-Key: key-of-the-eye-0123456789\r\n"
#define HAND "X-Api-Key: key-of-the-hand-0123456789\r\n"
#define KEYS                                                                                       \
    "eye:read:key-of-the-eye-0123456789,hand:operate:key-of-the-hand-0123456789,"                  \
    "old:operate:key-of-the-old-0123456789;not_after=2020-01-31"

struct fixture {
    struct http_server *server;
    struct sockaddr_un address; // of the control socket, without a name in the file system
    socklen_t address_size;
    size_t calls;
    char told[512]; // the last call, as text
    struct http_answer answer;
};

static void on_call(void *context, struct http_exchange *exchange, const struct http_call *call)
{
    struct fixture *fixture = context;
    fixture->calls++;
    size_t used =
        (size_t)snprintf(fixture->told, sizeof(fixture->told), "%s %s by %s%s", call->method,
                         call->path, call->caller, call->may_operate ? "!" : "");
    for (size_t i = 0; i < call->parameter_count; i++)
        used += (size_t)snprintf(fixture->told + used, sizeof(fixture->told) - used, " %s=%s",
                                 call->parameters[i].name, call->parameters[i].value);
    snprintf(fixture->told + used, sizeof(fixture->told) - used, " %s", call->body);
    struct http_answer answer = fixture->answer;
    answer.body = answer.body ? strdup(answer.body) : NULL;
    answer.link = answer.link ? strdup(answer.link) : NULL;
    if (answer.status == 403)
        http_answer(exchange, HTTP_ROLE_NEEDED, NULL);
    else
        http_answer_with(exchange, &answer);
    free(answer.status == 403 ? answer.body : NULL);
    free(answer.status == 403 ? answer.link : NULL);
}

static int set_up(void **state, enum http_service service, int fd, const char *list)
{
    static char body[] = "{\"a\":1}\n";
    struct fixture *fixture = *state;
    struct error err = {0};
    struct api_keys *keys = list ? api_keys_parse(list, true, &err) : NULL;
    struct http_options options = {
        .service = service, .listen_fd = fd, .keys = keys, .body_limit_bytes = 16};
    const struct http_handlers handlers = {.call = on_call, .context = fixture};
    if (!endpoint_parse("127.0.0.1:0", &options.listen, &err))
        return -1;
    log_setup(LOG_JSON, LOG_ERROR);
    fixture->server = http_server_create(&options, &handlers, &err);
    api_keys_destroy(keys);
    fixture->answer = (struct http_answer){.status = 200, .body = body};
    return fixture->server ? 0 : -1;
}

static int set_up_listener(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? set_up(state, HTTP_ADMIN, -1, KEYS) : -1;
}

static int set_up_control(void **state)
{
    struct fixture *fixture = *state = calloc(1, sizeof(*fixture));
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
    return set_up(state, HTTP_CONTROL, fd, NULL);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_server_destroy(fixture->server);
    free(fixture);
    return 0;
}

static int dial_either(const struct fixture *fixture)
{
    if (fixture->address_size == 0)
        return dial(fixture->server);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = WAIT_S};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&fixture->address, fixture->address_size),
                     0);
    return fd;
}

static struct reply ask(const struct fixture *fixture, const char *request)
{
    int fd = dial_either(fixture);
    say(fd, request);
    struct reply reply = hear(fd);
    close(fd);
    return reply;
}

static void the_owner_needs_no_key(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET /a/b" HOST "\r\n").status, 200);
    assert_string_equal(fixture->told, "GET /a/b by owner! ");
    assert_int_equal(
        ask(fixture, "POST /a" HOST "Content-Length: 16\r\n\r\n0123456789abcdef").status, 200);
    assert_string_equal(fixture->told, "POST /a by owner! 0123456789abcdef");
    assert_int_equal(
        ask(fixture, "POST /a" HOST "Content-Length: 17\r\n\r\n0123456789abcdefg").status, 413);
    assert_int_equal(ask(fixture, "POST /a HTTP/1.1\r\n\r\n").status, 400); // no Host
    assert_int_equal(fixture->calls, 2);
}

static void others_show_one_of_the_keys(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *headers;
        const char *told; // NULL: 401
    } cases[] = {
        {EYE, "GET /a by eye "},
        {HAND, "GET /a by hand! "},
        {"Authorization: Bearer key-of-the-hand-0123456789\r\n", "GET /a by hand! "},
        {"Authorization: bearer  key-of-the-eye-0123456789\r\n", "GET /a by eye "},
        {"", NULL},
        {"X-Api-Key: \r\n", NULL},
        {"X-Api-Key: another\r\n", NULL},
        {"X-Api-Key: another\r\nAuthorization: Bearer key-of-the-hand-0123456789\r\n", NULL},
        {"X-Api-Key: key-of-the-old-0123456789\r\n", NULL},
        {"Authorization: Bearer \r\n", NULL},
        {"Authorization: Basic key-of-the-hand-0123456789\r\n", NULL},
        {"Authorization: key-of-the-hand-0123456789\r\n", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char request[256];
        size_t calls = fixture->calls;
        snprintf(request, sizeof(request), "GET /a" HOST "%s\r\n", cases[i].headers);
        struct reply reply = ask(fixture, request);
        assert_int_equal(reply.status, cases[i].told ? 200 : 401);
        assert_int_equal(fixture->calls, calls + (cases[i].told != NULL));
        if (cases[i].told)
            assert_string_equal(fixture->told, cases[i].told);
        else
            assert_string_equal(header(&reply, "WWW-Authenticate"), "Bearer realm=\"admin\"");
    }
    assert_int_equal(ask(fixture, "GET /a" HOST EYE HAND "\r\n").status, 400);
}

static void keys_are_changed_under_it(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct api_keys *keys = api_keys_parse("new:read:key-of-the-new-0123456789", true, &err);
    http_server_set_keys(fixture->server, keys);
    api_keys_destroy(keys);
    assert_int_equal(ask(fixture, "GET /a" HOST EYE "\r\n").status, 401);
    assert_int_equal(
        ask(fixture, "GET /a" HOST "X-Api-Key: key-of-the-new-0123456789\r\n\r\n").status, 200);
    http_server_set_keys(fixture->server, NULL);
    assert_int_equal(
        ask(fixture, "GET /a" HOST "X-Api-Key: key-of-the-new-0123456789\r\n\r\n").status, 401);
}

static void a_query_is_decoded(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *query;
        const char *told; // NULL: 400
    } cases[] = {
        {"", ""},
        {"?", ""},
        {"?&&", ""},
        {"?a=1&b=2", " a=1 b=2"},
        {"?a", " a="},
        {"?a=&=b", " a= =b"},
        {"?a=x%20%3D%26%2B", " a=x =&+"},
        {"?a=x+y", " a=x y"},
        {"?a%3d=1", " a==1"},
        {"?a=%E2%82%AC", " a=\xE2\x82\xAC"},
        {"?a=%", NULL},
        {"?a=%1", NULL},
        {"?a=%zz", NULL},
        {"?a=%00", NULL},
        {"?a=%0a", NULL},
        {"?%0a=1", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char request[256], told[256];
        snprintf(request, sizeof(request), "GET /a%s" HOST "\r\n", cases[i].query);
        struct reply reply = ask(fixture, request);
        if (reply.status != (cases[i].told ? 200 : 400))
            fail_msg("%d for %s", reply.status, cases[i].query);
        snprintf(told, sizeof(told), "GET /a by owner!%s ", cases[i].told ? cases[i].told : "");
        if (cases[i].told)
            assert_string_equal(fixture->told, told);
    }
}

// The library has memory for a few hundred, and answers nothing where it has none.
static void too_many_parameters_are_refused_however_many(void **state)
{
    struct fixture *fixture = *state;
    static const size_t counts[] = {33, 500, 8000};
    for (size_t i = 0; i < COUNT(counts); i++) {
        char many[20000] = "GET /a";
        size_t size = strlen(many);
        for (size_t j = 0; j < counts[i]; j++) {
            many[size++] = j == 0 ? '?' : '&';
            many[size++] = 'a';
        }
        snprintf(many + size, sizeof(many) - size, HOST "\r\n");
        struct reply reply = ask(fixture, many);
        assert_int_equal(reply.status, 400);
        assert_non_null(strstr(reply.body, "\"bad_query\""));
    }
    assert_int_equal(fixture->calls, 0);
}

static void the_answer_is_what_was_given(void **state)
{
    struct fixture *fixture = *state;
    static char link[] = "</b>; rel=\"next\"";
    struct reply reply = ask(fixture, "GET /a" HOST "\r\n");
    assert_string_equal(reply.body, "{\"a\":1}\n");
    assert_string_equal(header(&reply, "Content-Type"), "application/json");
    assert_null(header(&reply, "Link"));
    fixture->answer.link = link;
    fixture->answer.content_type = "text/plain";
    reply = ask(fixture, "GET /a" HOST "\r\n");
    assert_string_equal(header(&reply, "Content-Type"), "text/plain");
    assert_string_equal(header(&reply, "Link"), link);
    fixture->answer.link = NULL;
    fixture->answer.status = 405;
    fixture->answer.allow = "GET, HEAD";
    reply = ask(fixture, "PUT /a" HOST "\r\n");
    assert_int_equal(reply.status, 405);
    assert_string_equal(header(&reply, "Allow"), "GET, HEAD");
    fixture->answer.status = 403;
    reply = ask(fixture, "GET /a" HOST "\r\n");
    assert_int_equal(reply.status, 403);
    assert_non_null(strstr(reply.body, "\"role_needed\""));
    fixture->answer = (struct http_answer){.status = 200}; // there was no memory for it
    assert_int_equal(ask(fixture, "GET /a" HOST "\r\n").status, 503);
}

#define CONTROL(name) cmocka_unit_test_setup_teardown(name, set_up_control, tear_down)
#define LISTENER(name) cmocka_unit_test_setup_teardown(name, set_up_listener, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL(the_owner_needs_no_key),
        LISTENER(others_show_one_of_the_keys),
        LISTENER(keys_are_changed_under_it),
        CONTROL(a_query_is_decoded),
        CONTROL(the_answer_is_what_was_given),
        CONTROL(too_many_parameters_are_refused_however_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
