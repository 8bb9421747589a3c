// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "jsonnet/complaint.h"

// Two files of three and two lines, with a line of ours before each and behind the last.
static const char program[] = "ours\n"
                              "function(p)\n  error p.secret +\n  'no code'\n"
                              "ours\n"
                              "function(p)\n  p\n"
                              "ours\n";
static const struct complaint_part parts[] = {{"a.jsonnet", 1, 3}, {"b.jsonnet", 5, 2}};

static void complain(struct error *err, const char *trace)
{
    const struct complaint_source source = {
        .name = "normalisers", .text = program, .parts = parts, .part_count = 2, .at_work = 1};
    char text[512];
    snprintf(text, sizeof(text), "RUNTIME ERROR: 123456%s", trace);
    *err = (struct error){0};
    assert_false(complaint_set(err, text, &source));
    assert_int_equal(err->code, ERR_INPUT);
}

static void places_are_those_in_the_files(void **state)
{
    (void)state;
    static const struct {
        const char *trace, *where;
    } cases[] = {
        {"\n\tnormalisers:3:3-18\tfunction <anonymous>\n", "a.jsonnet:2:3: "},
        {"\n\tnormalisers:(3:3)-(4:11)\tthunk\n", "a.jsonnet:2:3: "},
        {"\n\tnormalisers:3:3\t\n", "a.jsonnet:2:3: "},
        {"\n\tnormalisers:7:3\t\n", "b.jsonnet:2:3: "},
        {"\n\tstd.jsonnet:70:5-9\tfunction <x>\n\tnormalisers:6:12\t$\n", "b.jsonnet:1:12: "},
        {"\n\tnormalisers:5:1\t$\n", "b.jsonnet: "}, // ours, so the one at work
        {"\n\tnormalisers:1:1\t$\n", "b.jsonnet: "},
        {"\n", "b.jsonnet: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err;
        char want[128];
        complain(&err, cases[i].trace);
        snprintf(want, sizeof(want), "%san error was raised, or an assertion failed",
                 cases[i].where);
        assert_string_equal(err.message, want);
    }
}

static void callers_are_named(void **state)
{
    (void)state;
    struct error err;
    complain(&err, "\n\tnormalisers:3:3-18\tx\n\tnormalisers:4:3\ty\n\tnormalisers:2:1\tz\n");
    assert_string_equal(err.message, "a.jsonnet:2:3: an error was raised, or an assertion failed"
                                     " (from 3:3, 1:1)");
}

// The operator's own error text quotes a stranger's, which looks like a line of the trace, and a
// code behind it.
static void what_only_looks_like_a_place_is_none(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "normalisers:3:123456",
        "normalisers:3:123456\t",
        "normalisers:123456:1\t",
        "normalisers:3:000007\t",
        "normalisers:000003:1\t",
        "normalisers:3:20\t",
        "normalisers:(3:123456)-(4:1)",
        "normalisers:3:7 no code",
        "normalisers:9:1\t",
        "normalisers:3:7",
        "normalisers:3:7-123456 \t",
        "normalisers:0:1\t",
        "normalisers:3:0\t",
        "normalisers:3:+7\t",
        "normalisers:3: 7\t",
        "normalisers:-3:7\t",
        "normalisers:((3:7)\t",
        "normalisers:3:7.123456\t",
    };
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct error err;
        char trace[256];
        snprintf(trace, sizeof(trace), "\n\t%s\n\tnormalisers:4:3-9\tfunction <anonymous>\n",
                 forged[i]);
        complain(&err, trace);
        assert_string_equal(err.message,
                            "a.jsonnet:3:3: an error was raised, or an assertion failed");
    }
}

// A file may be one long line.
static void a_number_as_long_as_a_code_is_no_place(void **state)
{
    (void)state;
    size_t size = 200000;
    char *line = test_malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        line[i] = 'x';
    line[size] = '\0';
    const struct complaint_part whole = {"a.jsonnet", 0, 1};
    const struct complaint_source source = {
        .name = "normalisers", .text = line, .parts = &whole, .part_count = 1, .at_work = 0};
    struct error err = {0};
    complaint_set(&err, "RUNTIME ERROR: \n\tnormalisers:1:123456\tx\n", &source);
    assert_string_equal(err.message, "a.jsonnet: an error was raised, or an assertion failed");
    complaint_set(&err, "RUNTIME ERROR: \n\tnormalisers:1:99999\tx\n", &source);
    assert_string_equal(err.message,
                        "a.jsonnet:1:99999: an error was raised, or an assertion failed");
    test_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_those_in_the_files),
        cmocka_unit_test(callers_are_named),
        cmocka_unit_test(what_only_looks_like_a_place_is_none),
        cmocka_unit_test(a_number_as_long_as_a_code_is_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
