// fuzz_scrub.c - a stranger's bytes through scrub_json(), payload_parse() and the look-ups.
//
// The oracle is jansson itself: what it reads of the untouched bytes, changed value by value as
// payload.h promises, is what payload_parse() must give.
#include <math.h>
#include <string.h>

#include "jsonnet/payload.h"
#include "jsonnet/scrub.h"
#include "relay/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define EXACT_MAX INT64_C(9007199254740992)
#define REAL_SIZE_MAX 64
#define REPLACEMENT "\xEF\xBF\xBD"

static bool is_exact(json_int_t value)
{
    return value >= -EXACT_MAX && value <= EXACT_MAX;
}

static bool is_utf8_without_nul(const char *text, size_t size)
{
    json_t *string = json_stringn(text, size); // checks UTF-8
    bool good = string && !memchr(text, '\0', size);
    json_decref(string);
    return good;
}

static void check_string(const char *text, size_t size)
{
    FUZZ_CHECK(is_utf8_without_nul(text, size), "every string is UTF-8 without NUL");
}

static void check_bounds(const json_t *value, size_t depth)
{
    const char *key;
    size_t i;
    json_t *part;
    if (json_is_object(value) || json_is_array(value))
        FUZZ_CHECK(++depth <= PAYLOAD_DEPTH_MAX, "nothing is deeper than PAYLOAD_DEPTH_MAX");
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, part)
        {
            check_string(key, strlen(key));
            check_bounds(part, depth);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, part) check_bounds(part, depth);
    } else if (json_is_string(value)) {
        check_string(json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        FUZZ_CHECK(is_exact(json_integer_value(value)), "no integer is beyond 2^53");
    } else if (json_is_real(value)) {
        FUZZ_CHECK(isfinite(json_real_value(value)), "every number is finite");
    }
}

static bool string_equal(const json_t *before, const json_t *after)
{
    AUTO_BUFFER struct buffer want;
    buffer_init(&want, SIZE_MAX / 4);
    const char *text = json_string_value(before);
    for (size_t i = 0; i < json_string_length(before); i++) {
        if (text[i])
            buffer_putc(&want, text[i]);
        else
            buffer_puts(&want, REPLACEMENT);
    }
    return json_is_string(after) && json_string_length(after) == want.size &&
           (want.size == 0 || memcmp(json_string_value(after), want.data, want.size) == 0);
}

static bool number_equal(const json_t *before, const json_t *after)
{
    if (json_is_string(after)) { // its text, where a number could not stay one
        const char *text = json_string_value(after);
        return json_is_integer(before)
                   ? !is_exact(json_integer_value(before)) &&
                         strtoll(text, NULL, 10) == json_integer_value(before)
                   : strlen(text) > REAL_SIZE_MAX && strtod(text, NULL) == json_real_value(before);
    }
    return json_equal(before, after) == 1;
}

// What jansson read of the bytes as they came, against what we made of them.
static bool same(const json_t *before, const json_t *after, size_t depth)
{
    if (json_is_object(before) || json_is_array(before)) {
        if (depth == PAYLOAD_DEPTH_MAX)
            return json_is_null(after);
        if (json_typeof(before) != json_typeof(after))
            return false;
    }
    if (json_is_array(before)) {
        bool equal = json_array_size(before) == json_array_size(after);
        for (size_t i = 0; equal && i < json_array_size(before); i++)
            equal = same(json_array_get(before, i), json_array_get(after, i), depth + 1);
        return equal;
    }
    if (json_is_object(before)) {
        bool equal = json_object_size(before) == json_object_size(after);
        void *old = json_object_iter((json_t *)(uintptr_t)before);
        void *new = json_object_iter((json_t *)(uintptr_t)after);
        for (; equal && old; old = json_object_iter_next((json_t *)(uintptr_t)before, old)) {
            equal = strcmp(json_object_iter_key(old), json_object_iter_key(new)) == 0 &&
                    same(json_object_iter_value(old), json_object_iter_value(new), depth + 1);
            new = json_object_iter_next((json_t *)(uintptr_t)after, new);
        }
        return equal;
    }
    if (json_is_string(before))
        return string_equal(before, after);
    return json_is_number(before) ? number_equal(before, after) : json_equal(before, after) == 1;
}

static void check_look_ups(json_t *document)
{
    static const char *const paths[] = {
        "",
        "a",
        "a.b|0.a",
        "0",
        "recipient|to|Recipient",
        "template_data.to",
        "999999.a",
        ".",
        "|",
        "a+b",
        "\"word\"",
        "template_data.identity.traits.name.first+last",
        "..",
        "a|",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        json_t *found = payload_at(document, paths[i]);
        FUZZ_CHECK(!found || !json_is_null(found), "null is as good as absent");
        const json_t *number = payload_number(document, paths[i]);
        FUZZ_CHECK(!number || json_number_value(number) > 0, "a number is above zero");
        for (size_t j = 0; j < 3; j++) {
            json_t *text = payload_text(document, paths[j], paths[i], 0);
            json_t *texts = payload_texts(document, paths[j], paths[i]);
            FUZZ_CHECK(!text || json_string_length(text) > 0, "a text is not empty");
            FUZZ_CHECK(json_is_array(texts), "texts are an array");
            const json_t *first = json_array_get(texts, 0);
            FUZZ_CHECK(text ? first && json_equal(text, first) : !first,
                       "the first of the texts is the text");
            json_decref(text);
            json_decref(texts);
        }
    }
}

static void check_round_trip(const json_t *document)
{
    struct error err;
    char *dump = json_dumps(document, JSON_COMPACT);
    FUZZ_CHECK(dump, "what was parsed can be written");
    json_t *again = payload_parse(dump, strlen(dump), &err);
    FUZZ_CHECK(again && json_equal(document, again), "written and parsed again it is the same");
    json_decref(again);
    free(dump);
}

static void check_scrub(const char *data, size_t size)
{
    AUTO_BUFFER struct buffer scratch, second;
    buffer_init(&scratch, scrub_limit(size));
    size_t clean_size, same_size;
    const char *clean = scrub_json(data, size, &scratch, &clean_size);
    FUZZ_CHECK(clean, "scrub_limit() is enough");
    FUZZ_CHECK(clean != data || clean_size == size, "untouched is untouched");

    buffer_init(&second, scrub_limit(clean_size));
    const char *again = scrub_json(clean, clean_size, &second, &same_size);
    FUZZ_CHECK(again && same_size == clean_size && memcmp(again, clean, clean_size) == 0,
               "cleaning what is clean changes nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    const char *text = (const char *)data;
    check_scrub(text, size);

    // jansson overlooks a bare NUL behind a number, which is no JSON, and no promise of ours.
    bool has_nul = memchr(text, '\0', size) != NULL;
    json_t *before = has_nul ? NULL : json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    json_t *after = payload_parse(text, size, &err);
    if (before)
        FUZZ_CHECK(after && same(before, after, 0), "what jansson reads is read, and as promised");
    if (after) {
        FUZZ_CHECK(json_is_object(after) || json_is_array(after), "a document is no bare value");
        check_bounds(after, 0);
        check_look_ups(after);
        check_round_trip(after);
    } else {
        FUZZ_CHECK(err.code == ERR_INPUT, "what is no JSON is ERR_INPUT");
    }
    json_decref(before);
    json_decref(after);
    return 0;
}
