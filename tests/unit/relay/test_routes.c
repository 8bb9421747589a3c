// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "relay/config/config.h"
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

static char text[][24] = {"kratos", "/kratos/webhook", "crm", "/crm/events", "crm", "spare"};

// Kratos' route for every key, and one for two of them.
static struct routes *make_two_routes(void)
{
    struct error err = {0};
    char *keys[] = {text[4], text[5], NULL};
    struct config_route both[] = {{.name = text[0], .path = text[1]},
                                  {.name = text[2], .path = text[3], .keys = keys}};
    struct api_keys *list =
        api_keys_parse("kratos:key-of-kratos,crm:key-of-crm;not_after=2027-01-31,"
                       "spare:key-of-spare",
                       false, &err);
    assert_non_null(list);
    const struct config config = {.api_keys = list, .routes = both, .route_count = 2};
    struct routes *routes = routes_create(&config, &err);
    assert_non_null(routes);
    api_keys_destroy(list); // routes keeps its own reference, and copies the rest
    keys[0] = keys[1] = NULL;
    return routes;
}

static const struct route *intake(const struct routes *routes, const char *path)
{
    const struct route *route = NULL;
    assert_int_equal(routes_match(routes, "POST", path, &route), ROUTE_FOUND);
    assert_int_equal(route->kind, ROUTE_INTAKE);
    assert_string_equal(route->path, path);
    return route;
}

static void admits_a_good_key_to_the_routes_it_is_for(void **state)
{
    (void)state;
    static const int64_t END = INT64_C(1801440000000) - 1; // of 2027-01-31
    static const struct {
        const char *path, *key;
        int64_t wall_ms;
        enum route_admission want;
        const char *name; // NULL: none is given
    } cases[] = {
        {"/kratos/webhook", "key-of-kratos", 0, ROUTE_ADMITTED, "kratos"},
        {"/kratos/webhook", "key-of-crm", END, ROUTE_ADMITTED, "crm"},
        {"/kratos/webhook", "key-of-crm", END + 1, ROUTE_KEY_EXPIRED, "crm"},
        {"/kratos/webhook", "key-of-spare", INT64_MAX, ROUTE_ADMITTED, "spare"},
        {"/kratos/webhook", "", 0, ROUTE_KEY_UNKNOWN, NULL},
        {"/kratos/webhook", "kratos", 0, ROUTE_KEY_UNKNOWN, NULL},
        {"/crm/events", "key-of-crm", END, ROUTE_ADMITTED, "crm"},
        {"/crm/events", "key-of-crm", END + 1, ROUTE_KEY_EXPIRED, "crm"},
        {"/crm/events", "key-of-spare", END, ROUTE_ADMITTED, "spare"},
        {"/crm/events", "key-of-kratos", END, ROUTE_KEY_NOT_ALLOWED, "kratos"},
        {"/crm/events", "key-of-other", END, ROUTE_KEY_UNKNOWN, NULL},
    };
    struct routes *routes = make_two_routes();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = NULL;
        enum route_admission got = routes_admit(routes, intake(routes, cases[i].path), cases[i].key,
                                                strlen(cases[i].key), cases[i].wall_ms, &name);
        if (got != cases[i].want)
            fail_msg("%s at %s: %d", cases[i].key, cases[i].path, got);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
        else
            assert_null(name);
    }
    routes_unref(routes);
}

static void a_further_path_is_a_route_by_its_name(void **state)
{
    (void)state;
    struct routes *routes = make_two_routes();
    assert_string_equal(intake(routes, "/crm/events")->name, "crm");
    assert_string_equal(intake(routes, "/kratos/webhook")->name, "kratos");
    const struct route *route = NULL;
    assert_int_equal(routes_match(routes, "GET", "/crm/events", &route), ROUTE_NO_METHOD);
    assert_int_equal(routes_match(routes, "POST", "/crm", &route), ROUTE_NO_PATH);
    assert_int_equal(routes_match(routes, "POST", "/crm/events/", &route), ROUTE_NO_PATH);
    routes_unref(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_path_and_method_exactly),
        cmocka_unit_test(says_what_is_allowed),
        cmocka_unit_test(admits_a_good_key_to_the_routes_it_is_for),
        cmocka_unit_test(a_further_path_is_a_route_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
