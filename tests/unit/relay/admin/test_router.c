// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/admin/router.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID "01930000-0000-7000-8000-00000000000f"

static const struct {
    const char *method, *path;
    enum admin_what what;
    bool operates;
    enum queue_act act;
    const char *name;
} ROUTES[] = {
    {"GET", "/admin/messages", ADMIN_LIST, false, 0, ""},
    {"HEAD", "/admin/messages", ADMIN_LIST, false, 0, ""},
    {"GET", "/admin/messages/" ID, ADMIN_SHOW, false, 0, ID},
    {"GET", "/admin/messages/x", ADMIN_SHOW, false, 0, "x"},
    {"GET", "/admin/stats", ADMIN_STATS, false, 0, ""},
    {"GET", "/metrics", ADMIN_METRICS, false, 0, ""},
    {"POST", "/admin/messages/" ID "/retry", ADMIN_ACT, true, QUEUE_RETRY, ID},
    {"POST", "/admin/messages/" ID "/hold", ADMIN_ACT, true, QUEUE_HOLD, ID},
    {"POST", "/admin/messages/" ID "/release", ADMIN_ACT, true, QUEUE_RELEASE, ID},
    {"POST", "/admin/messages/" ID "/cancel", ADMIN_ACT, true, QUEUE_CANCEL, ID},
    {"POST", "/admin/messages/retry", ADMIN_ACT_ON_ALL, true, QUEUE_RETRY, ""},
    {"POST", "/admin/messages/cancel", ADMIN_ACT_ON_ALL, true, QUEUE_CANCEL, ""},
    {"GET", "/admin/smarthosts", ADMIN_SMARTHOSTS, false, 0, ""},
    {"POST", "/admin/smarthosts/mx.example%3A25/pause", ADMIN_PAUSE, true, 0, "mx.example%3A25"},
    {"POST", "/admin/smarthosts/pause/resume", ADMIN_RESUME, true, 0, "pause"},
    {"POST", "/admin/queue/rekey", ADMIN_REKEY, true, 0, ""},
    {"POST", "/admin/queue/backup", ADMIN_BACKUP, true, 0, ""},
    {"POST", "/admin/queue/check", ADMIN_CHECK, true, 0, ""},
};

static void finds_each_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROUTES); i++) {
        struct admin_route route;
        assert_int_equal(admin_route_find(ROUTES[i].method, ROUTES[i].path, true, &route),
                         ADMIN_FOUND);
        assert_int_equal(route.what, ROUTES[i].what);
        assert_int_equal(route.operates, ROUTES[i].operates);
        assert_int_equal(route.act, ROUTES[i].act);
        assert_true(span_is(route.name, ROUTES[i].name));
    }
}

static void other_methods_are_told_which(void **state)
{
    (void)state;
    static const char *const others[] = {"PUT", "DELETE", "get", "PATCH", "OPTIONS", ""};
    for (size_t i = 0; i < COUNT(ROUTES); i++) {
        struct admin_route route;
        const char *path = ROUTES[i].path;
        for (size_t o = 0; o < COUNT(others); o++) {
            assert_int_equal(admin_route_find(others[o], path, true, &route), ADMIN_NO_METHOD);
            assert_string_equal(route.allow, ROUTES[i].operates ? "POST" : "GET, HEAD");
        }
        assert_int_equal(admin_route_find(ROUTES[i].operates ? "GET" : "POST", path, true, &route),
                         ADMIN_NO_METHOD);
    }
}

static void what_touches_the_folder_is_its_owners_alone(void **state)
{
    (void)state;
    struct admin_route route;
    for (size_t i = 0; i < COUNT(ROUTES); i++) {
        bool is_owners = ROUTES[i].what >= ADMIN_REKEY;
        assert_int_equal(admin_route_find(ROUTES[i].method, ROUTES[i].path, false, &route),
                         is_owners ? ADMIN_NO_PATH : ADMIN_FOUND);
    }
}

static void nothing_else_is_served(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "/",
        "/admin",
        "/admin/",
        "/admin/messages/",
        "/admin/messages//hold",
        "/admin/messages/x/",
        "/admin/messages/x/holds",
        "/admin/messages/x/hold/",
        "/admin/messages/x/hold/hold",
        "/admin/message",
        "/Admin/messages",
        "/admin/messages/hold/",
        "/admin/smarthosts/",
        "/admin/smarthosts/pause",
        "/admin/smarthosts//pause",
        "/admin/smarthosts/a/b",
        "/admin/queue/",
        "/admin/queue/backups",
        "/metrics/",
        "/health/live",
        "/kratos/webhook",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct admin_route route;
        assert_int_equal(admin_route_find("POST", paths[i], true, &route), ADMIN_NO_PATH);
        assert_int_equal(admin_route_find("GET", paths[i], true, &route), ADMIN_NO_PATH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_route),
        cmocka_unit_test(other_methods_are_told_which),
        cmocka_unit_test(what_touches_the_folder_is_its_owners_alone),
        cmocka_unit_test(nothing_else_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
