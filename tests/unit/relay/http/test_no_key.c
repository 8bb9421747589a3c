// No key is no key, even where a list's digest would be that of the empty text. What reads such a
// list refuses it, so here stands a list that knows whatever it is offered.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/config/config.h"
#include "relay/http/examine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// These stand in for api_key.c, which is not linked.
struct api_keys *api_keys_ref(struct api_keys *keys)
{
    return keys;
}

void api_keys_destroy(struct api_keys *keys)
{
    (void)keys;
}

bool api_keys_find(const struct api_keys *keys, const char *offered, size_t offered_size,
                   struct api_key_entry *ret_entry)
{
    (void)keys;
    (void)offered;
    (void)offered_size;
    *ret_entry = (struct api_key_entry){.name = "any", .not_after_ms = API_KEY_NO_END};
    return true;
}

static struct http_verdict examine(const struct routes *routes, const char *key)
{
    struct http_head head;
    http_head_begin(&head, &(struct http_request_line){.method = "POST", .version = "HTTP/1.1"});
    http_head_take(&head, "Host", 4, "relay", 5);
    http_head_take(&head, "Content-Type", 12, "application/json", 16);
    if (key)
        http_head_take(&head, "X-Api-Key", 9, key, strlen(key));
    return http_examine_mail(&(struct http_request){&head, "POST", "/kratos/webhook"}, routes, 100);
}

static void an_absent_or_empty_key_is_never_admitted(void **state)
{
    (void)state;
    struct error err = {0};
    char name[] = "kratos", path[] = "/kratos/webhook";
    struct config_route kratos = {.name = name, .path = path};
    const struct config config = {.routes = &kratos, .route_count = 1};
    struct routes *routes = routes_create(&config, &err);
    assert_non_null(routes);
    static const struct {
        const char *key, *reason;
    } cases[] = {{NULL, "key_missing"}, {"", "key_unknown"}, {"x", NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct http_verdict verdict = examine(routes, cases[i].key);
        assert_int_equal(verdict.is_admitted, cases[i].reason == NULL);
        if (!cases[i].reason)
            continue;
        assert_int_equal(verdict.reply, REPLY_UNAUTHORIZED);
        assert_string_equal(verdict.reason, cases[i].reason);
        assert_null(verdict.key_name);
    }
    routes_unref(routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_or_empty_key_is_never_admitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
