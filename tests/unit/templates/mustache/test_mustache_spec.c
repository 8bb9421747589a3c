// Every case of the official specification, a test each. Its files are beside the repository,
// not in it; what we ourselves ask of the language is in test_template.c and
// test_template_places.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/rendering.h"

#define SPEC_DIR REPOSITORY_ROOT "/../shared/mustache-spec/"

static const char *const FILES[] = {"comments", "delimiters", "interpolation",  "inverted",
                                    "partials", "sections",   "~dynamic-names", "~inheritance"};

// The values that its cases write without escaping.
static const char *const RAW_NAMES[] = {"forbidden",   "mph",  "power",  "cannot",
                                        "person.name", "name", "string", "content",
                                        "bar",         ".",    NULL};

struct cases {
    struct CMUnitTest *tests;
    size_t count;
    json_t *files; // what the tests borrow their cases and names from
};

static void passes(void **state)
{
    const json_t *test = *state;
    const struct template_rules rules = {.mode = TEMPLATE_HTML, .raw_names = RAW_NAMES};
    AUTO_RENDERING struct rendering made =
        rendering_make(&rules, json_string_value(json_object_get(test, "template")),
                       json_object_get(test, "partials"), json_object_get(test, "data"));
    assert_true(made.rendered);
    assert_string_equal(made.text, json_string_value(json_object_get(test, "expected")));
}

static void is_absent(void **state)
{
    const char *path = *state;
    assert_int_not_equal(access(path, F_OK), 0); // one that is there must be understood
    print_message("SKIPPED: there is no %s\n", path);
    skip();
}

static void add_case(struct cases *cases, const char *file, const char *name,
                     CMUnitTestFunction function, void *state)
{
    json_t *full_name = json_sprintf("%s: %s", file, name);
    assert_int_equal(json_array_append_new(cases->files, full_name), 0);
    cases->tests = reallocarray(cases->tests, cases->count + 1, sizeof(*cases->tests));
    assert_non_null(cases->tests);
    cases->tests[cases->count++] = (struct CMUnitTest){
        .name = json_string_value(full_name), .test_func = function, .initial_state = state};
}

static void add_file(struct cases *cases, const char *file)
{
    json_t *path = json_sprintf(SPEC_DIR "%s.json", file);
    json_array_append_new(cases->files, path);
    json_t *spec = json_load_file(json_string_value(path), 0, NULL);
    const json_t *tests = json_object_get(spec, "tests");
    if (json_array_size(tests) == 0)
        add_case(cases, file, "is absent", is_absent, (char *)(uintptr_t)json_string_value(path));
    size_t index;
    json_t *test;
    json_array_foreach(tests, index, test)
    {
        add_case(cases, file, json_string_value(json_object_get(test, "name")), passes, test);
    }
    if (spec)
        json_array_append_new(cases->files, spec);
}

int main(void)
{
    struct cases cases = {.files = json_array()};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        add_file(&cases, FILES[i]);
    int failed = _cmocka_run_group_tests("mustache_spec", cases.tests, cases.count, NULL, NULL);
    free(cases.tests);
    json_decref(cases.files);
    return failed;
}
