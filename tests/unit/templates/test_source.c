#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/source.h"
#include "tests/support/folder.h"

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

// ---- files ----------------------------------------------------------------------------------

static int make_folder(void **state)
{
    char *dir = malloc(FOLDER_PATH_SIZE);
    if (!dir)
        return -1;
    folder_make(dir);
    *state = dir;
    return 0;
}

static int remove_folder(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static void write_bytes(const char *dir, const void *bytes, size_t size)
{
    char path[FOLDER_PATH_SIZE + 8];
    snprintf(path, sizeof(path), "%s/a", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// Exactly one fault: this one.
static void assert_refused(const char *dir, const char *where, const char *what)
{
    struct source source = {0};
    json_auto_t *faults = json_array();
    assert_false(source_read(dir, "a", &source, faults));
    assert_int_equal(json_array_size(faults), 1);
    const json_t *fault = json_array_get(faults, 0);
    const char *got = json_string_value(json_object_get(fault, "where"));
    assert_string_equal(strrchr(got, '/') + 1, where);
    assert_non_null(strstr(json_string_value(json_object_get(fault, "what")), what));
}

static void reads_texts_as_they_are_but_for_the_mark_in_front(void **state)
{
    static const struct {
        const char *bytes, *want;
    } cases[] = {
        {"", ""},
        {"\xef\xbb", NULL},
        {"\xef\xbb\xbf", ""},
        {"\xef\xbb\xbf{\"a\": 1}", "{\"a\": 1}"},
        {"a\r\nÁ\xef\xbf\xbd\U0001f600\xef\xbb\xbf", "a\r\nÁ\ufffd\U0001f600\ufeff"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source source AUTO_SOURCE = {0};
        json_auto_t *faults = json_array();
        write_bytes(*state, cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(source_read(*state, "a", &source, faults), cases[i].want != NULL);
        if (!cases[i].want)
            continue;
        assert_int_equal(source.size, strlen(cases[i].want));
        assert_string_equal(source.text, cases[i].want);
    }
}

static void refuses_what_is_not_utf8(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *where, *what;
    } cases[] = {
        {"one\n\ntw\xe1\n", 9, "a:3", "is not UTF-8: save it as UTF-8"},
        {"\xff\xfe{\0", 4, "a:1", "is not UTF-8"},
        {"\xed\xa0\x80", 3, "a:1", "is not UTF-8"},
        {"one\n\0two", 8, "a:2", "NUL"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_bytes(*state, cases[i].bytes, cases[i].size);
        assert_refused(*state, cases[i].where, cases[i].what);
    }
}

static void refuses_what_is_too_large_or_no_file(void **state)
{
    char path[FOLDER_PATH_SIZE + 8];
    snprintf(path, sizeof(path), "%s/a", (const char *)*state);
    assert_refused(*state, "a", "cannot be opened");
    // Nobody writes into it, so a reader that waits for that never ends.
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(*state, "a", "is not a file");
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(*state, "a", "is not a file");
    assert_int_equal(remove(path), 0);

    char *text = malloc(SOURCE_SIZE_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', SOURCE_SIZE_MAX + 1);
    write_bytes(*state, text, SOURCE_SIZE_MAX + 1);
    assert_refused(*state, "a", "is larger than 262144 bytes");
    write_bytes(*state, text, SOURCE_SIZE_MAX);
    free(text);
    struct source source AUTO_SOURCE = {0};
    json_auto_t *faults = json_array();
    assert_true(source_read(*state, "a", &source, faults));
    assert_int_equal(source.size, SOURCE_SIZE_MAX);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_line_of_a_key),
        cmocka_unit_test(finds_one_of_many_keys),
        cmocka_unit_test(takes_nothing_but_an_object),
        FILE_TEST(reads_texts_as_they_are_but_for_the_mark_in_front),
        FILE_TEST(refuses_what_is_not_utf8),
        FILE_TEST(refuses_what_is_too_large_or_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
