#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/source.h"

static void make(struct source *source, const char *text)
{
    *source = (struct source){.path = strdup("a.json"), .text = strdup(text), .size = strlen(text)};
    assert_non_null(source->path);
    assert_non_null(source->text);
}

static void finds_the_line_of_a_key(void **state)
{
    (void)state;
    static const char text[] = "{\n"
                               "\"a\": {\"x\": 1,\n"
                               "  \"b\": {\"c\": \"\\\"c\\\":\\n\",\n"
                               "  \"x\": [{\n"
                               "    \"in\": 1}, \"c\"]}},\n"
                               "\"b\"\n"
                               ": {\n"
                               "  \"a\": \"x\",\n"
                               "  \"\\u0063\": {\"x\": 1},\n"
                               "  \"x\": {\n"
                               "     \"y\": {}}},\n"
                               "\"x\": null}";
    static const struct {
        const char *keys[5];
        size_t want;
    } cases[] = {
        {{"a"}, 2},
        {{"a", "x"}, 2},
        {{"a", "b"}, 3},
        {{"a", "b", "c"}, 3},
        {{"a", "b", "x"}, 4},
        {{"a", "b", "x", "in"}, 4}, // a list has no keys
        {{"b"}, 6},
        {{"b", "a"}, 8},
        {{"b", "x"}, 10},
        {{"b", "x", "y"}, 11},
        {{"b", "x", "y", "z"}, 11},
        {{"b", "c"}, 6}, // written with an escape
        {{"a", "a"}, 2}, // not b's
        {{"x"}, 12},
        {{"x", "y"}, 12},
        {{"y"}, 1},
        {{NULL}, 1},
    };
    struct source source AUTO_SOURCE;
    make(&source, text);
    json_auto_t *faults = json_array();
    json_auto_t *value = source_parse(&source, faults);
    assert_non_null(value);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(source_line_of(&source, cases[i].keys), cases[i].want);
}

static void finds_one_of_many_keys(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fprintf(file, "{\"k\": {");
    for (int i = 0; i < COUNT; i++)
        fprintf(file, "\n\"%d\": 0,", i);
    fprintf(file, "\n\"last\": 1}}");
    assert_int_equal(fclose(file), 0);
    struct source source AUTO_SOURCE;
    make(&source, text);
    free(text);
    json_auto_t *faults = json_array();
    json_auto_t *value = source_parse(&source, faults);
    assert_non_null(value);
    assert_int_equal(source_line_of(&source, (const char *const[]){"k", "700", NULL}), 702);
    assert_int_equal(source_line_of(&source, (const char *const[]){"k", "last", NULL}), COUNT + 2);
}

static void takes_nothing_but_an_object(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"[]", "a.json:1", "is not a JSON object"},
        {"1", "a.json:1", ""},
        {"", "a.json:1", ""},
        {"{\"a\": 1,\n\n\"a\": 2}", "a.json:3", "duplicate"},
        {"{\n\"a\": \"\xff\"}", "a.json:2", "0xff"},
        {"{} {}", "a.json:1", "end of file"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source source AUTO_SOURCE;
        make(&source, cases[i].text);
        json_auto_t *faults = json_array();
        assert_null(source_parse(&source, faults));
        assert_int_equal(json_array_size(faults), 1);
        const json_t *fault = json_array_get(faults, 0);
        assert_string_equal(json_string_value(json_object_get(fault, "where")), cases[i].where);
        assert_non_null(strstr(json_string_value(json_object_get(fault, "what")), cases[i].what));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_line_of_a_key),
        cmocka_unit_test(finds_one_of_many_keys),
        cmocka_unit_test(takes_nothing_but_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
