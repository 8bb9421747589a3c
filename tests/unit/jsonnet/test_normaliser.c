#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/jsonnet/normaliser_stream.h"

#define NO_PLACE "that is no path into a payload, such as 'template_data.to'"

static void one_evaluation_serves_many_payloads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"function(payload) payload.n", "[0,1,2]"},
        {"function(payload) [payload.n, 'x']", "[[0,\"x\"],[1,\"x\"],[2,\"x\"]]"},
        {"function(payload) null", "[null,null,null]"},
        {"function(payload) 'text'", "[\"text\",\"text\",\"text\"]"},
        {"function(payload) { a: payload.list[0], local b = 1, c:: 2 }",
         "[{\"a\":7},{\"a\":7},{\"a\":7}]"},
        {"function(payload) std.native('at')('list.0|n')", "[7,7,7]"},
        {"local text = std.native('text'); function(_) text('nothing|n+secret')",
         "[\"0 hunter2\",\"1 hunter2\",\"2 hunter2\"]"},
        {"function(p) std.native('texts_in')('|list', 'secret|n|0')",
         "[[\"hunter2\",\"0\",\"7\"],[\"hunter2\",\"1\",\"7\"],[\"hunter2\",\"2\",\"7\"]]"},
        {"function(p) std.native('text_in')('list|', '1|n')", "[\"0\",\"1\",\"2\"]"},
        {"function(p) std.native('number')('n')", "[null,1,2]"},
        {"function(p) if p.n > 0 then std.native('at')('list')", "[null,[7],[7]]"},
        {"// a comment at the end\nfunction(p) p.n // here", "[0,1,2]"},
        {"function(p) if p.n > 1 then std.char(0) else 'x' + std.char(55296)",
         "[\"x\uFFFD\uFFFD\uFFFD\",\"x\uFFFD\uFFFD\uFFFD\",\"\uFFFD\"]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_STREAM stream = {.left = 3, .results = json_array()};
        struct error err;
        bool in_payload;
        if (!run(cases[i].text, &stream, &in_payload, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
        assert_string_equal(got, cases[i].want);
    }
}

static void nothing_is_kept_from_one_payload_for_the_next(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 3, .results = json_array()};
    struct error err;
    bool in_payload;
    assert_true(run("local n = std.native('at')('n');\n"
                    "local again = { n: n };\n"
                    "function(payload) [n, again.n, payload.n]",
                    &stream, &in_payload, &err));
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[[0,0,0],[1,1,1],[2,2,2]]");
}

// They would take payloads of others, or answer twice.
static void what_moves_payloads_is_out_of_a_normalisers_reach(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "std.native('next')()",
        "std.native('turn')()",
        "std.native('payload')()",
        "std.native('emit')('[1]')",
        "[std.native('emit')('[1]'), std.native('next')()]",
        "std_of_libjsonnet.native('next')()",
    };
    for (size_t i = 0; i < COUNT(calls); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "function(payload)\n  if payload.n == 1 then (%s)\n  else payload.n", calls[i]);
        AUTO_STREAM stream = {.left = 3, .results = json_array()};
        struct error err;
        bool in_payload;
        assert_false(run(text, &stream, &in_payload, &err));
        assert_true(in_payload);
        assert_int_equal(stream.given, 2);
        assert_memory_equal(err.message, "my.jsonnet:2:", 13);
        assert_non_null(strstr(err.message, ": only functions can be called"));
        assert_true(run(text, &stream, &in_payload, &err));
        assert_int_equal(json_array_size(stream.results), 2);
        assert_int_equal(json_integer_value(stream.last), 2);

        // Nor outside of the function, where there is no payload yet.
        snprintf(text, sizeof(text),
                 "local got = %s;\nassert std.toString(got) != '';\nfunction(payload) 1", calls[i]);
        AUTO_STREAM none = {.left = 3};
        assert_false(run(text, &none, &in_payload, &err));
        assert_true(!in_payload && none.given == 0);
    }
}

static void goes_on_with_the_next_payload_after_one_that_threw(void **state)
{
    (void)state;
    static const char text[] = "function(payload)\n  if payload.n == 1\n"
                               "  then error 'bad ' + payload.secret\n  else payload.n\n";
    AUTO_STREAM stream = {.left = 3, .results = json_array()};
    struct error err;
    bool in_payload;
    assert_false(run(text, &stream, &in_payload, &err));
    assert_true(in_payload);
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.message, "my.jsonnet:3:8: an error was raised, or an assertion failed");
    assert_true(run(text, &stream, &in_payload, &err));
    assert_false(in_payload);
    AUTO_FREE char *got = json_dumps(stream.results, JSON_COMPACT);
    assert_string_equal(got, "[0,2]");
}

static void names_kind_and_place_but_no_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        bool in_payload;
    } cases[] = {
        {"function(p) {\n  a: p.nothing,\n}", "my.jsonnet:2:6: field does not exist", true},
        {"function(p) p[p.secret]", "my.jsonnet:1:13: field does not exist", true},
        {"function(p)\n 1 + {}", "my.jsonnet:2:2: binary operator on values of the wrong types",
         true},
        {"local f(x) =\n  error x;\nfunction(p)\n  f(p.secret)",
         "my.jsonnet:2:3: an error was raised, or an assertion failed (from 4:3)", true},
        {"function(p) error p.secret + '\\n\\tmy.jsonnet:9:9-9\\t' + p.secret",
         "my.jsonnet:1:13: an error was raised, or an assertion failed", true},
        {"function(p) assert p.n > 9 : p.secret; 1",
         "my.jsonnet:1:13: an error was raised, or an assertion failed", true},
        {"function(p) std.parseJson(p.secret)", "my.jsonnet:1:13: std.parseJson of what is no JSON",
         true},
        {"local f(x) = 1 + f(x); function(p) f(1)",
         "my.jsonnet:1:18: max stack frames exceeded (from 1:18, 1:18)", true},
        {"function(p) import '/etc/passwd'", "my.jsonnet:1:13: imports are not allowed here", true},
        {"function(p) importstr 'x'", "my.jsonnet:1:13: imports are not allowed here", true},
        {"import 'x.libsonnet'", "my.jsonnet:1:1: imports are not allowed here", false},
        {"function(p) std.native('at')(1)", "my.jsonnet:1:13: paths must be a string", true},
        {"function(p) std.native('texts_in')('', null)", "my.jsonnet:1:13: paths must be a string",
         true},
        {"function(p) function(q) q", "my.jsonnet: the result holds a function", true},
        {"function(p, q) 1", "my.jsonnet: argument missing", true},
        {"{ a: 1 }", "my.jsonnet: a table that is at fault: a is no key of a mail", false},
        {"{ data: {}, to: error 'hunter2' }",
         "my.jsonnet:1:17: an error was raised, or an assertion failed", false},
        {"{ data: { code(p): 'x' } }", "my.jsonnet:1:20: the result holds a function", false},
        {"{ data: {}, to: std.native('text')('n') }",
         "my.jsonnet: a table that is at fault: to: " NO_PLACE, false},
        {"1", "my.jsonnet: a normaliser must be a function of the payload, or a table", false},
        {"['a']", "my.jsonnet: a normaliser must be a function of the payload, or a table", false},
        {"function(p)\n  {\n  a: b }", "my.jsonnet:3:6: Unknown variable: b", false},
        {"function(p) { a: 1 b: 2 }", "my.jsonnet:1:20: expected a comma before next field.",
         false},
        {"function(p) { a 'secret' }", "my.jsonnet:1:17: expected token OPERATOR but got a string",
         false},
        {"function(p) {\n", "my.jsonnet: at the end of the file: ", false},
        {"", "my.jsonnet: at the end of the file: ", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_STREAM stream = {.left = 1};
        struct error err = {0};
        bool in_payload;
        if (run(cases[i].text, &stream, &in_payload, &err))
            fail_msg("%s: did not fail", cases[i].text);
        if (strncmp(err.message, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, err.message, cases[i].want);
        assert_int_equal(in_payload, cases[i].in_payload);
        assert_null(strstr(err.message, "hunter2"));
        assert_int_equal(stream.given, in_payload ? 1 : 0);
    }
}

// What libjsonnet says of these holds the value (an operator's own message, an unknown key), or
// could in another version of it.
static void no_error_quotes_a_value(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "error p.secret",
        "error { a: p.secret }",
        "error 'x\\n\\tnormalisers:1:1-9\\t' + p.secret",
        "p[p.secret]",
        "p[p.secret + 'x'].y",
        "{ [p.secret]: 1, [p.secret + '']: 2 }",
        "{ [p.list]: p.secret }",
        "{ assert false : p.secret, a: 1 }",
        "assert p.secret == 1 : p.secret; 1",
        "std.assertEqual(p.secret, 1)",
        "p.secret[p.secret]",
        "p.list[p.secret]",
        "p.list[{ a: p.secret }]",
        "p.secret()",
        "p.secret - 1",
        "-p.secret",
        "!p.secret",
        "if p.secret then 1",
        "[x for x in p.secret]",
        "{ [x]: 1 for x in [p.secret, p.secret] }",
        "std.extVar(p.secret)",
        "std.native(p.secret)(1)",
        "std.native('at')([p.secret])",
        "std.native('at')(p.secret, p.secret)",
        "std.parseJson(p.secret)",
        "std.parseJson('{\"' + p.secret + '\": }')",
        "std.parseInt(p.secret)",
        "std.parseHex(p.secret)",
        "std.base64Decode(p.secret)",
        "std.codepoint(p.secret)",
        "std.char(p.secret)",
        "std.makeArray(p.secret, function(i) i)",
        "std.length(1) + p.secret",
        "std.join(p.secret, [1])",
        "std.join(1, [p.secret])",
        "std.format('%d', p.secret)",
        "('%(' + p.secret + ')s') % {}",
        "'%d %d' % [p.secret]",
        "std.foldl(p.secret, [1], 0)",
        "std.manifestToml({ [p.secret]: null })",
        "std.manifestIni(p.secret)",
        "std.slice(p.secret, -1, 1, 1)",
        "std.substr(p.secret, 'a', 1)",
        "std.strReplace(p.secret, 1, 2)",
        "std.mergePatch(error p.secret, {})",
        "std.mapWithKey(p.secret, {})",
        "std.objectFields(p.secret)",
        "std.pow(p.secret, 1)",
        "std.sort([1, p.secret])",
        "std.decodeUTF8([p.secret])",
        "std.trace(p.list, p.secret)",
        "{ a: self[p.secret] }",
        "({ b: 1 } + { a: super[p.secret] }).a",
        "(function(a) a)(b=p.secret)",
        "import 'x' + p.secret",
        "local f(s) = f(s + s); f(p.secret)",
        "{ [p.secret]: function() 1 }",
        "std.sum([p.secret])",
        "std.trim([p.secret])",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char text[200];
        snprintf(text, sizeof(text), "function(p) %s", bodies[i]);
        AUTO_STREAM stream = {.left = 1};
        struct error err = {0};
        bool in_payload;
        if (run(text, &stream, &in_payload, &err))
            fail_msg("%s: did not fail", text);
        if (strncmp(err.message, "my.jsonnet:", 11) != 0 || strstr(err.message, "hunter2"))
            fail_msg("%s: %s", text, err.message);
    }
}

static void refuses_too_large_a_result_and_goes_on(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "double('0123456789abcdef', 17)", // a text of 2 MiB
        "local half = double('0123456789abcdef', 16); { data: half, other: half }",
        "local part = double('0123456789abcdef', 13); std.makeArray(17, function(i) part)",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char text[400];
        snprintf(text, sizeof(text),
                 "local double(s, n) = if n == 0 then s else double(s + s, n - 1);\n"
                 "function(p) if p.n == 0 then %s else 'small'",
                 bodies[i]);
        AUTO_STREAM stream = {.left = 2};
        struct error err = {0};
        bool in_payload;
        assert_false(run(text, &stream, &in_payload, &err));
        assert_true(in_payload);
        assert_string_equal(err.message, "my.jsonnet: the result is larger than 2 MiB");
        assert_true(run(text, &stream, &in_payload, &err));
        assert_string_equal(json_string_value(stream.last), "small");
    }
    AUTO_STREAM stream = {.left = 1};
    struct error err = {0};
    bool in_payload;
    assert_true(run("local double(s, n) = if n == 0 then s else double(s + s, n - 1);\n"
                    "function(p) double('0123456789abcdef', 16)",
                    &stream, &in_payload, &err));
    assert_int_equal(json_string_length(stream.last), 1024 * 1024);
}

static void cuts_what_is_nested_too_deep(void **state)
{
    (void)state;
    AUTO_STREAM stream = {.left = 1};
    struct error err = {0};
    bool in_payload;
    assert_true(run("local nest(n) = if n == 0 then 'leaf' else [nest(n - 1)];\n"
                    "function(p) [nest(29), nest(30), nest(200)]",
                    &stream, &in_payload, &err));
    static const bool want_leaf[] = {true, true, false};
    for (size_t i = 0; i < COUNT(want_leaf); i++) {
        json_t *value = json_array_get(stream.last, i);
        while (json_is_array(value))
            value = json_array_get(value, 0);
        assert_int_equal(json_is_string(value), want_leaf[i]);
    }
}

static long resident_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    char line[128] = "";
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    char *second = strchr(line, ' ');
    assert_non_null(second);
    long resident = strtol(second, NULL, 10);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// The sanitizer keeps 256 MB of freed memory back if not told otherwise, and spends most of its
// time on noting who called malloc: libjsonnet does little else.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=2";
}

// The first payloads fill the heap; those after them must not grow it.
static void memory_stays_flat(void **state)
{
    (void)state;
    static const char text[] = "local text = std.native('text');\n"
                               "function(payload) { to: text('secret'), n: payload.n }";
    AUTO_STREAM stream = {.left = 500};
    struct error err;
    bool in_payload;
    assert_true(run(text, &stream, &in_payload, &err));
    long before = resident_kb();
    stream.left = 2000;
    assert_true(run(text, &stream, &in_payload, &err));
    assert_int_equal(stream.given, 2500);
    assert_true(resident_kb() - before < 8 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_evaluation_serves_many_payloads),
        cmocka_unit_test(nothing_is_kept_from_one_payload_for_the_next),
        cmocka_unit_test(what_moves_payloads_is_out_of_a_normalisers_reach),
        cmocka_unit_test(goes_on_with_the_next_payload_after_one_that_threw),
        cmocka_unit_test(names_kind_and_place_but_no_value),
        cmocka_unit_test(no_error_quotes_a_value),
        cmocka_unit_test(refuses_too_large_a_result_and_goes_on),
        cmocka_unit_test(cuts_what_is_nested_too_deep),
        cmocka_unit_test(memory_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
