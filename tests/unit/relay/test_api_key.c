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

#include "relay/api_key.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *find(const struct api_keys *keys, const char *offered, enum api_role *ret_role)
{
    return api_keys_find(keys, offered, strlen(offered), ret_role);
}

static void knows_each_key_by_name(void **state)
{
    (void)state;
    struct error err = {0};
    // printf 'hashed-key-0123456789' | sha256sum
    struct api_keys *keys = api_keys_parse(
        "first-key-0123456789, kratos:second-key-0123456789 ,"
        "ops:sha256:62c5559717da6012427d84b732fdf7292e3426e5a620fd08af73ebf6300f6d91,bare2-"
        "0123456789",
        false, &err);
    assert_non_null(keys);
    enum api_role role = API_ROLE_OPERATE;
    assert_string_equal(find(keys, "first-key-0123456789", &role), "default");
    assert_int_equal(role, API_ROLE_SEND);
    assert_string_equal(find(keys, "second-key-0123456789", NULL), "kratos");
    assert_string_equal(find(keys, "hashed-key-0123456789", NULL), "ops");
    assert_string_equal(find(keys, "bare2-0123456789", NULL), "default-2");
    static const char *const wrong[] = {
        "",
        "first-key-012345678",
        "first-key-01234567890",
        "FIRST-KEY-0123456789",
        "kratos",
        "kratos:second-key-0123456789",
        "62c5559717da6012427d84b732fdf7292e3426e5a620fd08af73ebf6300f6d91"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_null(find(keys, wrong[i], NULL));
    // "k" is not "k\0": the length counts.
    assert_null(api_keys_find(keys, "first-key-0123456789", 21, NULL));
    api_keys_destroy(keys);
}

static void knows_a_key_by_its_digest(void **state)
{
    (void)state;
    struct error err = {0};
    // SHA-256 of "abc": FIPS 180-2, appendix B.1.
    struct api_keys *keys = api_keys_parse(
        "test:sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false,
        &err);
    assert_non_null(keys);
    assert_string_equal(find(keys, "abc", NULL), "test");
    size_t place = 0;
    assert_null(api_keys_next_short(keys, &place));
    api_keys_destroy(keys);
}

// Every byte of the digest counts, the first as much as the last.
static void a_digest_that_differs_in_a_byte_is_another_keys(void **state)
{
    (void)state;
    static const char ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for (size_t i = 0; i < 64; i++) {
        char text[80];
        struct error err = {0};
        snprintf(text, sizeof(text), "test:sha256:%s", ABC);
        char *digit = text + strlen("test:sha256:") + i;
        *digit = *digit == '0' ? '1' : '0';
        struct api_keys *keys = api_keys_parse(text, false, &err);
        assert_non_null(keys);
        assert_null(find(keys, "abc", NULL));
        api_keys_destroy(keys);
    }
}

// A key of any length counts to its end.
static void the_beginning_of_a_key_is_not_the_key(void **state)
{
    (void)state;
    struct error err = {0};
    char key[201];
    memset(key, 'k', 200);
    key[200] = '\0';
    struct api_keys *keys = api_keys_parse(key, false, &err);
    assert_non_null(keys);
    assert_non_null(find(keys, key, NULL));
    for (size_t size = 0; size < 200; size++)
        assert_null(api_keys_find(keys, key, size, NULL));
    key[199] = 'x';
    assert_null(find(keys, key, NULL));
    api_keys_destroy(keys);
}

static void admin_keys_carry_a_role(void **state)
{
    (void)state;
    struct error err = {0};
    struct api_keys *keys =
        api_keys_parse("look:read:aaaaaaaaaaaaaaaa,act:operate:b:c-bbbbbbbbbbbbbb", true, &err);
    assert_non_null(keys);
    enum api_role role = API_ROLE_SEND;
    assert_string_equal(find(keys, "aaaaaaaaaaaaaaaa", &role), "look");
    assert_int_equal(role, API_ROLE_READ);
    assert_string_equal(find(keys, "b:c-bbbbbbbbbbbbbb", &role), "act");
    assert_int_equal(role, API_ROLE_OPERATE);
    api_keys_destroy(keys);
}

static void tells_which_are_short(void **state)
{
    (void)state;
    struct error err = {0};
    struct api_keys *keys =
        api_keys_parse("a:short,b:long-enough-01234,c:123456789012345", false, &err);
    assert_non_null(keys);
    size_t place = 0;
    assert_string_equal(api_keys_next_short(keys, &place), "a");
    assert_string_equal(api_keys_next_short(keys, &place), "c");
    assert_null(api_keys_next_short(keys, &place));
    api_keys_destroy(keys);
}

static void refuses_without_repeating_a_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool roles;
    } cases[] = {
        {"", false},
        {",", false},
        {"S3CRET-0123456789,", false},
        {"name:", false},
        {"na me:S3CRET", false},
        {":S3CRET", false},
        {"name:S3 CRET", false},
        {"name:S3CRET,name:S3CRET2", false},
        {"name:sha256:S3CRET", false},
        {"name:sha256:00", false},
        {"name:sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false},
        {"S3CRET", true},
        {"name:S3CRET", true},
        {"name:write:S3CRET", true},
        {"name:read:", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        if (api_keys_parse(cases[i].text, cases[i].roles, &err))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(err.code, ERR_INPUT);
        assert_null(strstr(err.message, "S3CRET"));
    }
}

static void gives_the_first_key_in_the_clear(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"key", "key"},
        {"a:sha256:00, b:key2", "key2"},
        {"a:k:e:y", "k:e:y"},
        {"a:sha256:00", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *key = api_keys_first_clear(cases[i].text);
        if (cases[i].want)
            assert_string_equal(key, cases[i].want);
        else
            assert_null(key);
        free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_each_key_by_name),
        cmocka_unit_test(knows_a_key_by_its_digest),
        cmocka_unit_test(a_digest_that_differs_in_a_byte_is_another_keys),
        cmocka_unit_test(the_beginning_of_a_key_is_not_the_key),
        cmocka_unit_test(admin_keys_carry_a_role),
        cmocka_unit_test(tells_which_are_short),
        cmocka_unit_test(refuses_without_repeating_a_key),
        cmocka_unit_test(gives_the_first_key_in_the_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
