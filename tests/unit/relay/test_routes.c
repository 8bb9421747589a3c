// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>

#include "relay/config.h"
#include "relay/routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct routes *make_routes(void)
{
    struct error err = {0};
    char name[] = "kratos", path[] = "/kratos/webhook";
    struct config_route kratos = {.name = name, .path = path};
    const struct config config = {.routes = &kratos, .route_count = 1};
    struct routes *routes = routes_create(&config, &err);
    assert_non_null(routes);
    return routes;
}

static void matches_path_and_method_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        enum route_match want;
        enum route_kind kind;
    } cases[] = {
        {"POST", "/kratos/webhook", ROUTE_FOUND, ROUTE_INTAKE},
        {"GET", "/health/live", ROUTE_FOUND, ROUTE_LIVE},
        {"HEAD", "/health/alive", ROUTE_FOUND, ROUTE_LIVE},
        {"GET", "/health/ready", ROUTE_FOUND, ROUTE_READY},
        {"GET", "/kratos/webhook", ROUTE_NO_METHOD, ROUTE_INTAKE},
        {"POST", "/health/ready", ROUTE_NO_METHOD, ROUTE_READY},
        {"post", "/kratos/webhook", ROUTE_NO_METHOD, ROUTE_INTAKE},
        {"POS", "/kratos/webhook", ROUTE_NO_METHOD, ROUTE_INTAKE},
        {"", "/kratos/webhook", ROUTE_NO_METHOD, ROUTE_INTAKE},
        {"HEAD, GET", "/health/live", ROUTE_NO_METHOD, ROUTE_LIVE},
        {"POST", "/kratos/webhook/", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"POST", "/Kratos/webhook", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"POST", "/kratos%2Fwebhook", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"POST", "/kratos//webhook", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"POST", "/x/../kratos/webhook", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"GET", "/", ROUTE_NO_PATH, ROUTE_INTAKE},
        {"GET", "", ROUTE_NO_PATH, ROUTE_INTAKE},
    };
    struct routes *routes = make_routes();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct route *route = NULL;
        enum route_match got = routes_match(routes, cases[i].method, cases[i].path, &route);
        if (got != cases[i].want)
            fail_msg("%s %s: %d", cases[i].method, cases[i].path, got);
        if (got == ROUTE_NO_PATH)
            assert_null(route);
        else
            assert_int_equal(route->kind, cases[i].kind);
    }
    routes_unref(routes);
}

static void says_what_is_allowed(void **state)
{
    (void)state;
    struct routes *routes = make_routes();
    const struct route *route = NULL;
    assert_int_equal(routes_match(routes, "PUT", "/kratos/webhook", &route), ROUTE_NO_METHOD);
    assert_string_equal(route->allow, "POST");
    assert_int_equal(routes_match(routes, "POST", "/kratos/webhook", &route), ROUTE_FOUND);
    assert_string_equal(route->name, "kratos");
    routes_unref(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_path_and_method_exactly),
        cmocka_unit_test(says_what_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
