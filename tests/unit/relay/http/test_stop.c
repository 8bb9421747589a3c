// What comes in while a listener stops.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <dlfcn.h>
#include <microhttpd.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/http/server.h"
#include "tests/unit/relay/http/raw_http.h"

// A body that ends when nothing is owed any more and the library was not yet told to stop, which
// is where a request that still gets suspended would make it abort.
static struct {
    int fd;
    size_t accepted;
    struct reply reply;
    bool was_closed;
} late;

// Stands before the library's own.
void MHD_stop_daemon(struct MHD_Daemon *daemon)
{
    say(late.fd, "}");
    late.reply = hear(late.fd);
    late.was_closed = !late.reply.closed && is_closed(late.fd);
    void (*stop)(struct MHD_Daemon *) = NULL;
    *(void **)&stop = dlsym(RTLD_NEXT, "MHD_stop_daemon");
    stop(daemon);
}

static void on_accept(void *context, struct http_exchange *exchange, const struct http_post *post)
{
    (void)context;
    (void)post;
    late.accepted++;
    http_answer(exchange, HTTP_ACCEPTED, NULL);
}

static bool on_ready(void *context)
{
    (void)context;
    return true;
}

static struct http_server *start(void)
{
    struct error err = {0};
    char name[] = "kratos", path[] = "/kratos/webhook";
    struct config_route kratos = {.name = name, .path = path};
    struct config config = {.api_keys = api_keys_parse("kratos:key-0123456789abcdef", false, &err),
                            .routes = &kratos,
                            .route_count = 1};
    struct routes *routes = routes_create(&config, &err);
    assert_non_null(routes);
    struct http_options options = {.listen_fd = -1, .routes = routes, .body_limit_bytes = 4096};
    assert_true(endpoint_parse("127.0.0.1:0", &options.listen, &err));
    struct http_server *server = http_server_create(
        &options, &(struct http_handlers){.accept = on_accept, .ready = on_ready}, &err);
    assert_non_null(server);
    routes_unref(routes);
    api_keys_destroy(config.api_keys);
    return server;
}

static void a_request_that_ends_too_late_for_the_stop_is_told_so(void **state)
{
    (void)state;
    log_setup(LOG_JSON, LOG_ERROR);
    struct http_server *server = start();
    late.fd = dial(server);
    // The 100 shows that the head has arrived.
    say(late.fd, "POST /kratos/webhook HTTP/1.1\r\nHost: relay\r\n"
                 "X-Api-Key: key-0123456789abcdef\r\nContent-Type: application/json\r\n"
                 "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(hear(late.fd).status, 100);
    say(late.fd, "{");
    http_server_destroy(server);
    assert_int_equal(late.accepted, 0);
    assert_int_equal(late.reply.status, 503);
    assert_string_equal(header(&late.reply, "Connection"), "close");
    assert_true(late.was_closed);
    close(late.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_ends_too_late_for_the_stop_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
