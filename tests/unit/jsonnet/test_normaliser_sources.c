// Several normalisers in one evaluation, functions and tables.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/jsonnet/normaliser_stream.h"

static void one_evaluation_holds_every_normaliser(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 6, .results = json_array()};
    struct error err;
    bool in_payload;
    assert_true(run_all(
        SOURCES(SOURCE("function(p) 'a' + p.n", "a.jsonnet"),
                SOURCE("// b\nlocal n = std.native('at')('n');\nfunction(p) [n]\n", "b.jsonnet"),
                SOURCE("function(p) null // c", "c.jsonnet")),
        3, &stream, &in_payload, &err));
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[\"a0\",[1],null,\"a3\",[4],null]");
}

static void names_the_file_that_is_at_fault(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; // text: of the second of three
        bool in_payload;
    } cases[] = {
        {"function(p)\n p.nothing", "b.jsonnet:2:2: field does not exist", true},
        {"local f(x) =\n  error x;\nfunction(p)\n  f(p.secret)",
         "b.jsonnet:2:3: an error was raised, or an assertion failed (from 4:3)", true},
        {"function(p) function(q) q", "b.jsonnet: the result holds a function", true},
        {"function(p, q) 1", "b.jsonnet: argument missing", true},
        {"{ data: 1 }", "b.jsonnet: a table that is at fault: data is no object of paths", false},
        {"'a'", "b.jsonnet: a normaliser must be a function of the payload, or a table", false},
        {"import 'x'", "b.jsonnet:1:1: imports are not allowed here", false},
        {"function(p)\n  {\n  a: b }", "b.jsonnet:3:6: Unknown variable: b", false},
        {"function(p) {\n", "b.jsonnet: at the end of the file: ", false},
        {"function(p) 1\n)", "b.jsonnet: at the end of the file: ", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200];
        snprintf(text, sizeof(text), "%s", cases[i].text);
        AUTO_STREAM stream = {.left = 2};
        struct error err = {0};
        bool in_payload;
        if (run_all(SOURCES(SOURCE("// a\nfunction(p) 1\n\n", "a.jsonnet"),
                            {text, (char[]){"b.jsonnet"}}, SOURCE("function(p) 'c'", "c.jsonnet")),
                    3, &stream, &in_payload, &err))
            fail_msg("%s: did not fail", cases[i].text);
        if (strncmp(err.message, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, err.message, cases[i].want);
        assert_int_equal(in_payload, cases[i].in_payload);
        assert_null(strstr(err.message, "hunter2"));
    }
}

static void a_table_stands_beside_functions(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 6, .results = json_array()};
    struct error err;
    bool in_payload;
    assert_true(
        run_all(SOURCES(SOURCE("local n = 'n';\n{ data: { [n]: n } }", "a.jsonnet"),
                        SOURCE("function(p) p.n", "b.jsonnet"),
                        SOURCE("{ to: self.where, where:: 'secret', data: {} }", "c.jsonnet")),
                3, &stream, &in_payload, &err));
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[{\"data\":{\"n\":\"0\"}},1,{\"data\":{},\"to\":\"hunter2\"},"
                             "{\"data\":{\"n\":\"3\"}},4,{\"data\":{},\"to\":\"hunter2\"}]");
}

static char begun[8]; // the sources that were, a digit each

static void note_begin(void *context, size_t source)
{
    (void)context;
    size_t count = strlen(begun);
    assert_true(count + 1 < sizeof(begun));
    snprintf(begun + count, 2, "%zu", source);
}

static void tables_alone_need_no_jsonnet_any_more(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 3, .sources = 2, .results = json_array()};
    AUTO_STREAM none = {.sources = 2};
    const struct normaliser_io told = {
        .next = next, .emit = emit, .context = &none, .begin = note_begin};
    begun[0] = '\0';
    json_auto_t *tables =
        normaliser_tables(SOURCES(SOURCE("local n = 'n';\n{ data: { [n]: n } }", "a.jsonnet"),
                                  SOURCE("{ to: 'secret', data: {} }", "b.jsonnet")),
                          2, &told);
    assert_string_equal(begun, "01");
    AUTO_FREE char *read = json_dumps(tables, JSON_COMPACT);
    assert_string_equal(read, "[{\"data\":{\"n\":\"n\"}},{\"data\":{},\"to\":\"secret\"}]");
    struct normaliser_io io = {.next = next, .emit = emit, .context = &stream};
    struct error err;
    bool in_payload;
    assert_true(normaliser_run_tables(tables, &io, &in_payload, &err));
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[{\"data\":{\"n\":\"0\"}},{\"data\":{},\"to\":\"hunter2\"},"
                             "{\"data\":{\"n\":\"2\"}}]");
}

static void gives_no_tables_where_one_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {"function(p) null", "{ data: 1 }", "'a'", "error 'why'"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s", cases[i]);
        AUTO_STREAM none = {.sources = 2};
        const struct normaliser_io io = {.next = next, .emit = emit, .context = &none};
        assert_null(normaliser_tables(
            SOURCES(SOURCE("{ data: {} }", "a.jsonnet"), {text, (char[]){"b.jsonnet"}}), 2, &io));
    }
}

// What another's function throws on ends the evaluation, and the tables are read anew.
static void a_table_goes_on_behind_a_payload_that_threw(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 4, .results = json_array()};
    const struct normaliser_source *sources = SOURCES(SOURCE("{ data: { n: 'n' } }", "a.jsonnet"),
                                                      SOURCE("function(p) p.nothing", "b.jsonnet"));
    struct error err;
    bool in_payload;
    for (int threw = 0; threw < 2; threw++) {
        assert_false(run_all(sources, 2, &stream, &in_payload, &err));
        assert_true(in_payload);
    }
    assert_true(run_all(sources, 2, &stream, &in_payload, &err));
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[{\"data\":{\"n\":\"0\"}},{\"data\":{\"n\":\"2\"}}]");
}

// Standing behind one another, an open string or comment would reach into the next text.
static void checks_each_text_by_itself(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; // NULL: it can be parsed
    } cases[] = {
        {"function(p) p.nowhere", NULL},
        {"function(p) 'it''s'", "my.jsonnet:1:17: "},
        {"function(p) 1 /* open", "my.jsonnet:1:15: "},
        {"function(p)\n 'open", "my.jsonnet:2:2: "},
        {"function(p) |||\n  open", "my.jsonnet:1:13: "},
        {"1) + (2", "my.jsonnet:1:2: "},
        {"", "my.jsonnet:1:1: "},
        {"function(p) { a 'secret' }", "my.jsonnet:1:17: expected token OPERATOR but got a string"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200], file[] = "my.jsonnet";
        snprintf(text, sizeof(text), "%s", cases[i].text);
        struct error err = {0};
        bool parsed = normaliser_check(&(struct normaliser_source){text, file}, &err);
        assert_int_equal(parsed, !cases[i].want);
        if (cases[i].want && strncmp(err.message, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, err.message, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_evaluation_holds_every_normaliser),
        cmocka_unit_test(names_the_file_that_is_at_fault),
        cmocka_unit_test(a_table_stands_beside_functions),
        cmocka_unit_test(tables_alone_need_no_jsonnet_any_more),
        cmocka_unit_test(gives_no_tables_where_one_is_none),
        cmocka_unit_test(a_table_goes_on_behind_a_payload_that_threw),
        cmocka_unit_test(checks_each_text_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
