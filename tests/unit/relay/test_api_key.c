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
    struct api_key_entry entry;
    if (!api_keys_find(keys, offered, strlen(offered), &entry))
        return NULL;
    if (ret_role)
        *ret_role = entry.role;
    return entry.name;
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
    struct api_key_entry entry;
    assert_false(api_keys_find(keys, "first-key-0123456789", 21, &entry));
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
    struct api_key_entry entry;
    assert_true(api_keys_at(keys, 0, &entry));
    assert_false(entry.is_short); // nobody can know
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
    struct api_key_entry entry;
    for (size_t size = 0; size < 200; size++)
        assert_false(api_keys_find(keys, key, size, &entry));
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
    static const struct {
        const char *name;
        bool is_short;
    } want[] = {{"a", true}, {"b", false}, {"c", true}};
    struct api_key_entry entry;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(api_keys_at(keys, i, &entry));
        assert_string_equal(entry.name, want[i].name);
        assert_int_equal(entry.is_short, want[i].is_short);
    }
    assert_false(api_keys_at(keys, COUNT(want), &entry));
    api_keys_destroy(keys);
}

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void a_key_may_have_an_end(void **state)
{
    (void)state;
    static const int64_t JANUARY_END = INT64_C(1801440000000) - 1;
    static const struct {
        const char *text, *key, *name;
        int64_t want_ms;
    } cases[] = {
        {"key-0123456789abcdef", "key-0123456789abcdef", "default", API_KEY_NO_END},
        {"key-0123456789abcdef;not_after=2027-01-31", "key-0123456789abcdef", "default",
         JANUARY_END},
        {"a:k:e-y;not_after=2027-01-31", "k:e-y", "a", JANUARY_END},
        {"a:key;not_after=2027-01-31T18:00:00Z", "key", "a", INT64_C(1801418400000)},
        {"a:key;not_after=2027-01-31T18:00:00+01:00", "key", "a", INT64_C(1801414800000)},
        {"b:sha256:" ABC ";not_after=2027-01-31", "abc", "b", JANUARY_END},
        {"a:not_after=2027-01-31", "not_after=2027-01-31", "a", API_KEY_NO_END},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        struct api_keys *keys = api_keys_parse(cases[i].text, false, &err);
        if (!keys)
            fail_msg("%s: %s", cases[i].text, err.message);
        struct api_key_entry entry;
        if (!api_keys_find(keys, cases[i].key, strlen(cases[i].key), &entry))
            fail_msg("not found: %s", cases[i].text);
        assert_string_equal(entry.name, cases[i].name);
        assert_true(entry.not_after_ms == cases[i].want_ms);
        assert_false(api_keys_find(keys, cases[i].text, strlen(cases[i].text), &entry) &&
                     entry.not_after_ms != API_KEY_NO_END);
        api_keys_destroy(keys);
    }
}

// An end is of its own entry alone, with or without a role; nor is it part of the key's length.
static void an_end_is_of_one_entry(void **state)
{
    (void)state;
    struct error err = {0};
    struct api_keys *keys = api_keys_parse(
        "a:read:short;not_after=2027-01-31, b:operate:key-0123456789abcdef", true, &err);
    assert_non_null(keys);
    struct api_key_entry entry;
    assert_true(api_keys_at(keys, 0, &entry));
    assert_true(entry.is_short);
    assert_true(entry.not_after_ms != API_KEY_NO_END);
    assert_int_equal(entry.role, API_ROLE_READ);
    assert_true(api_keys_at(keys, 1, &entry));
    assert_false(entry.is_short);
    assert_true(entry.not_after_ms == API_KEY_NO_END);
    api_keys_destroy(keys);
}

static void a_fault_names_the_key_by_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a:S3CRET;not_after=", "key 1: (a) has a not_after that is neither a day like"},
        {"x:y,a:S3CRET;not_after=S3CRET", "key 2: (a) has a not_after"},
        {"a:S3CRET;not_after=2027-02-30", "(a) has a not_after"},
        {"S3CRET;not_after=31.1.2027", "(default) has a not_after"},
        {"a:S3CRET;not_after=2027-01-31;S3CRET", "(a) has a not_after"},
        // What is no end is no part of the key either.
        {"a:S3CRET;notafter=2027-01-31", "key 1: (a) after ';' only not_after=DAY is known"},
        {"x:y,a:S3CRET;not_before=2027-01-31", "key 2: (a) after ';' only not_after=DAY"},
        {"a:S3CRET;", "(a) after ';' only not_after=DAY"},
        {"a:S3CRET;not_after", "(a) after ';' only not_after=DAY"},
        {"a:S3CRET; not_after=2027-01-31", "(a) after ';' only not_after=DAY"},
        {"a:S3CRET;NOT_AFTER=2027-01-31", "(a) after ';' only not_after=DAY"},
        {"a:sha256:" ABC ";S3CRET", "(a) after ';' only not_after=DAY"},
        {"S3CRET;S3CRET", "(default) after ';' only not_after=DAY"},
        {"a:S3CRET;not_after=2027-01-31;not_after=2027-01-31", "(a) has a not_after"},
        {"a:;not_after=2027-01-31", "(a) is empty"},
        {"a:sha256:;not_after=2027-01-31", "(a) has no 64 hexadecimal"},
        {"a:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "(a) is the digest of an empty key"},
        {"a:sha256:" ABC "0;not_after=2027-01-31", "(a) has no 64 hexadecimal"},
        {"a:S3CRET,b:S3CRET", "key 2: (b) is the same key as a"},
        {"a:abc,b:sha256:" ABC ";not_after=2027-01-31", "key 2: (b) is the same key as a"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        if (api_keys_parse(cases[i].text, false, &err))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(err.code, ERR_INPUT);
        if (!strstr(err.message, cases[i].want) || strstr(err.message, "S3CRET"))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
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
        {"a:old;not_after=2027-01-31,b:new;not_after=2027-02-01", "new"},
        {"a:old;not_after=2027-02-01T00:00:00Z", "old"},
        {"a:old;not_after=2027-01-31", NULL},
        {"a:odd;not_after=soon,b:new", "new"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *key = api_keys_first_clear(cases[i].text, INT64_C(1801440000000));
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
        cmocka_unit_test(a_key_may_have_an_end),
        cmocka_unit_test(an_end_is_of_one_entry),
        cmocka_unit_test(a_fault_names_the_key_by_its_name),
        cmocka_unit_test(refuses_without_repeating_a_key),
        cmocka_unit_test(gives_the_first_key_in_the_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
