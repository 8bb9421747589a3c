// fuzz_locale.c - what a stranger wants to read in, and when it is where they are.
//
// Input: wishes of JSON's array apart by '\n', then '\x01' Accept-Language '\x01' ui_locales.
#include <string.h>

#include "templates/locale.h"
#include "tests/fuzz/fuzz.h"

enum { WISHES_MAX = 32 };

static const char *const tags[] = {"en", "de", "de-CH", "hu", "fr", "pt-BR", "zh-Hant", "ar", "he"};
enum { TAG_COUNT = sizeof(tags) / sizeof(tags[0]) };

static char *take(char **rest, char separator)
{
    char *text = *rest, *stop = strchr(text, separator);
    *rest = stop ? stop + 1 : text + strlen(text);
    if (stop)
        *stop = '\0';
    return text;
}

static json_t *array_of(char *wishes)
{
    json_t *array = json_array();
    while (*wishes && json_array_size(array) < WISHES_MAX)
        json_array_append_new(array, json_string(take(&wishes, '\n'))); // no UTF-8: left out
    return array;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct locale_matcher *matcher;
    struct error err;
    if (!matcher)
        matcher = locale_matcher_create(tags, TAG_COUNT, 0, &err);
    FUZZ_CHECK(matcher, "a matcher of known tags");

    char *input = malloc(size + 1), *rest = input;
    FUZZ_CHECK(input, "there is memory");
    if (size)
        memcpy(input, data, size);
    input[size] = '\0';
    char *wishes = take(&rest, '\x01');
    locale_is_right_to_left(wishes);
    json_t *locales = array_of(wishes);
    const char *accept = take(&rest, '\x01');

    const struct locale_wishes all = {
        .locales = locales, .accept_language = accept, .ui_locales = rest};
    size_t chosen = locale_match(matcher, &all, NULL);
    FUZZ_CHECK(chosen < TAG_COUNT, "one that we have is chosen");
    FUZZ_CHECK(chosen == locale_match(matcher, &all, NULL), "and the same each time");

    // What was chosen, wished for first, is chosen again.
    json_array_insert_new(locales, 0, json_string(tags[chosen]));
    FUZZ_CHECK(locale_match(matcher, &all, NULL) == chosen, "a tag that we have is understood");
    json_decref(locales);
    free(input);
    return 0;
}
