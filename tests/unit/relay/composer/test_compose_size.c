// Mails that are too large, alone and beside others.
#include "compose_fixture.h"

#include <stdlib.h>

static void parks_too_large_a_mail(void **state)
{
    json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
    json_t *huge = json_array();
    for (int i = 0; i < 100000; i++)
        json_array_append_new(huge, json_integer(i));
    json_object_set_new(json_object_get(mail, "data"), "huge", huge);
    AUTO_COMPOSITION struct composition composition;
    json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
    assert_string_equal(text(got, "park"), "too_large");
    assert_string_equal(text(got, "detail"), "the mail is larger than 524288 bytes");
    assert_int_equal(composition.blob_count, 0);
}

// What a stranger chooses, and no mail shows whole, cannot keep a mail from its reader.
static void leaves_out_what_is_large_and_of_little_use(void **state)
{
    static const char *const keys[] = {"name", "request_url"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *value = malloc(600001);
        assert_non_null(value);
        memset(value, 'x', 600000);
        value[600000] = '\0';
        json_auto_t *mail = canonical("login_code_valid", "{\"code\":\"750046\"}");
        json_object_set_new(json_object_get(mail, "data"), keys[i], json_string(value));
        free(value);
        AUTO_COMPOSITION struct composition composition;
        json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
        assert_null(text(got, "park"));
        assert_null(strstr(composition.blobs[0].data, keys[i]));
        assert_non_null(strstr(composition.blobs[0].data, "750046"));
    }
}

// More lines than a frame takes steps: the mail's fault, and neither the normaliser's nor ours.
static void parks_a_text_of_too_many_lines(void **state)
{
    size_t size = 240000;
    char *words = malloc(size + 1);
    assert_non_null(words);
    for (size_t i = 0; i < size; i++)
        words[i] = i % 2 ? '\n' : 'a';
    words[size] = '\0';
    json_auto_t *mail = canonical("brand_new", "{}");
    json_object_set_new(mail, "fallback", json_pack("{s:s}", "text", words));
    free(words);
    AUTO_COMPOSITION struct composition composition;
    json_t *got = json_array_get(compose(*state, "{}", mail, &composition), 0);
    assert_string_equal(text(got, "park"), "too_large");
}

// A mail of an unknown type with a text of that size. Its HTML is five times that.
static json_t *large(size_t size)
{
    char *words = malloc(size + 1);
    assert_non_null(words);
    memset(words, '&', size);
    words[size] = '\0';
    json_t *mail = canonical("brand_new", "{}");
    json_object_set_new(mail, "fallback", json_pack("{s:s, s:s}", "subject", "S", "text", words));
    free(words);
    return mail;
}

static void a_mail_that_is_too_large_to_be_sent_stops_no_other(void **state)
{
    json_auto_t *result =
        json_pack("[o, o, o]", canonical("login_code_valid", "{\"code\":\"750046\"}"),
                  large(450000), canonical("login_code_valid", "{\"code\":\"750047\"}"));
    AUTO_COMPOSITION struct composition composition;
    json_t *mails = compose(*state, "{}", result, &composition);
    assert_int_equal(json_array_size(mails), 3);
    json_t *middle = json_array_get(mails, 1), *last = json_array_get(mails, 2);
    assert_null(text(json_array_get(mails, 0), "park"));
    assert_string_equal(text(middle, "park"), "too_large");
    assert_string_equal(text(middle, "detail"), "mail: over 2097152 bytes");
    assert_string_equal(text(middle, "recipient"), "Zoe@example.com");
    assert_true(json_is_null(json_object_get(middle, "mime")));
    assert_int_equal(json_integer_value(json_object_get(middle, "canonical")), 3);
    assert_null(text(last, "park"));
    assert_int_equal(composition.blob_count, 7);
    const char *bytes = composition.blobs[json_integer_value(json_object_get(last, "mime"))].data;
    assert_non_null(strstr(bytes, "750047"));
}

static void a_stored_mail_that_is_too_large_by_now_is_parked(void **state)
{
    json_auto_t *mail = large(450000);
    AUTO_COMPOSITION struct composition composition;
    struct error err;
    assert_true(compose_render(*state, &request, mail, &composition, &err));
    json_t *got = json_array_get(composition.mails, 0);
    assert_string_equal(text(got, "park"), "too_large");
}

static void what_has_no_place_beside_the_others_is_parked(void **state)
{
    json_auto_t *result = json_array();
    for (int i = 0; i < MAIL_COUNT_MAX; i++)
        json_array_append_new(result, large(240000)); // each alone could go
    AUTO_COMPOSITION struct composition composition;
    json_t *mails = compose(*state, "{}", result, &composition);
    assert_null(text(json_array_get(mails, 0), "park"));
    assert_string_equal(text(json_array_get(mails, MAIL_COUNT_MAX - 1), "park"), "too_large");
    size_t total = 0;
    for (size_t i = 0; i < composition.blob_count; i++)
        total += composition.blobs[i].size;
    assert_in_range(total, 12 * 1024 * 1024, 15 * 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parks_too_large_a_mail),
        cmocka_unit_test(leaves_out_what_is_large_and_of_little_use),
        cmocka_unit_test(parks_a_text_of_too_many_lines),
        cmocka_unit_test(a_mail_that_is_too_large_to_be_sent_stops_no_other),
        cmocka_unit_test(a_stored_mail_that_is_too_large_by_now_is_parked),
        cmocka_unit_test(what_has_no_place_beside_the_others_is_parked),
    };
    return cmocka_run_group_tests_name("compose_size", tests, set_up, tear_down);
}
