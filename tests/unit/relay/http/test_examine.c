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
#include "relay/http/examine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { BODY_LIMIT = 1000 };

// Two routes, the second for one key alone; one key has ended long ago.
static int set_up(void **state)
{
    struct error err = {0};
    char kratos[] = "kratos", crm[] = "crm", webhook[] = "/kratos/webhook", events[] = "/crm";
    char *keys[] = {crm, NULL};
    struct config_route both[] = {{.name = kratos, .path = webhook},
                                  {.name = crm, .path = events, .keys = keys}};
    struct api_keys *list = api_keys_parse(
        "kratos:key-of-kratos,crm:key-of-crm,old:key-of-old;not_after=2020-01-31", false, &err);
    if (!list)
        return -1;
    const struct config config = {.api_keys = list, .routes = both, .route_count = COUNT(both)};
    *state = routes_create(&config, &err);
    api_keys_destroy(list);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    routes_unref(*state);
    return 0;
}

struct post {
    const char *method, *path, *key, *type, *length;
};

static void take(struct http_head *head, const char *name, const char *value)
{
    if (value)
        http_head_take(head, name, strlen(name), value, strlen(value));
}

static struct http_verdict examine(const struct routes *routes, const struct post *post)
{
    struct http_head head;
    http_head_begin(&head,
                    &(struct http_request_line){.method = post->method, .version = "HTTP/1.1"});
    take(&head, "Host", "relay");
    take(&head, "X-Api-Key", post->key);
    take(&head, "Content-Type", post->type);
    take(&head, "Content-Length", post->length);
    return http_examine_mail(&(struct http_request){&head, post->method, post->path}, routes,
                             BODY_LIMIT);
}

#define JSON "application/json"

static const struct check {
    struct post post;
    enum http_reply reply;
    const char *reason, *key_name;
    bool is_admitted;
} checks[] = {
    {{"POST", "/kratos/webhook", "key-of-kratos", JSON, "1000"},
     REPLY_ACCEPTED,
     NULL,
     "kratos",
     true},
    {{"POST", "/kratos/webhook", "key-of-kratos", JSON, NULL},
     REPLY_ACCEPTED,
     NULL,
     "kratos",
     true},
    {{"POST", "/crm", "key-of-crm", JSON, "2"}, REPLY_ACCEPTED, NULL, "crm", true},
    {{"POST", "/crm", "key-of-kratos", JSON, "2"},
     REPLY_UNAUTHORIZED,
     "key_not_allowed",
     "kratos",
     false},
    {{"POST", "/kratos/webhook", "key-of-old", JSON, "2"},
     REPLY_UNAUTHORIZED,
     "key_expired",
     "old",
     false},
    {{"POST", "/kratos/webhook", "key-of-none", JSON, "2"},
     REPLY_UNAUTHORIZED,
     "key_unknown",
     NULL,
     false},
    {{"POST", "/kratos/webhook", "", JSON, "2"}, REPLY_UNAUTHORIZED, "key_unknown", NULL, false},
    {{"POST", "/kratos/webhook", NULL, JSON, "2"}, REPLY_UNAUTHORIZED, "key_missing", NULL, false},
    // A key is asked for before anything else is said of the request.
    {{"POST", "/kratos/webhook", NULL, "text/plain", "9999"},
     REPLY_UNAUTHORIZED,
     "key_missing",
     NULL,
     false},
    {{"POST", "/kratos/webhook", "key-of-kratos", "text/plain", "2"},
     REPLY_WRONG_TYPE,
     "unsupported_media_type",
     "kratos",
     true},
    {{"POST", "/kratos/webhook", "key-of-kratos", JSON, "1001"},
     REPLY_TOO_LARGE,
     "too_large",
     "kratos",
     true},
    {{"PUT", "/kratos/webhook", "key-of-kratos", JSON, "2"},
     REPLY_WRONG_METHOD,
     "method_not_allowed",
     NULL,
     false},
    {{"POST", "/nowhere", "key-of-kratos", JSON, "2"}, REPLY_NOT_FOUND, "not_found", NULL, false},
    {{"POST", "/kratos/webhook", "key-of-kratos", JSON, "x"},
     REPLY_BAD_REQUEST,
     "bad_request",
     NULL,
     false},
    {{"GET", "/health/live", NULL, NULL, NULL}, REPLY_HEALTHY, NULL, NULL, false},
    {{"GET", "/health/ready", NULL, NULL, NULL}, REPLY_NOT_READY, NULL, NULL, false},
};

static void each_check_has_its_answer_and_its_cause(void **state)
{
    for (size_t i = 0; i < COUNT(checks); i++) {
        const struct check *check = &checks[i];
        const struct http_verdict got = examine(*state, &check->post);
        if (got.reply != check->reply || got.is_admitted != check->is_admitted)
            fail_msg("case %zu: %s", i, http_reply_name(got.reply));
        const char *const texts[][2] = {{got.reason, check->reason},
                                        {got.key_name, check->key_name}};
        for (size_t j = 0; j < COUNT(texts); j++) {
            if (!texts[j][1])
                assert_null(texts[j][0]);
            else
                assert_string_equal(texts[j][0], texts[j][1]);
        }
    }
}

static void a_refused_key_is_never_told_why(void **state)
{
    const struct post posts[] = {{"POST", "/crm", "key-of-kratos", JSON, "2"},
                                 {"POST", "/crm", "key-of-old", JSON, "2"},
                                 {"POST", "/crm", NULL, JSON, "2"}};
    for (size_t i = 0; i < COUNT(posts); i++) {
        const struct http_verdict got = examine(*state, &posts[i]);
        assert_int_equal(got.reply, REPLY_UNAUTHORIZED); // whose body is one for all
    }
}

static void says_which_methods_a_path_has(void **state)
{
    static const struct {
        const char *method, *path, *allow;
    } cases[] = {
        {"GET", "/kratos/webhook", "POST"},
        {"OPTIONS", "/crm", "POST"},
        {"POST", "/health/live", "GET, HEAD"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct post post = {.method = cases[i].method, .path = cases[i].path};
        const struct http_verdict got = examine(*state, &post);
        assert_int_equal(got.reply, REPLY_WRONG_METHOD);
        assert_string_equal(got.allow, cases[i].allow);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_check_has_its_answer_and_its_cause),
        TEST(a_refused_key_is_never_told_why),
        TEST(says_which_methods_a_path_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
