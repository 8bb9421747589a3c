#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rendering.h"

// ---- what the specification leaves open -----------------------------------------------------

static void escapes_in_html_only(void **state)
{
    (void)state;
    static const char view[] = "{\"v\": \"&<>\\\"'`=é{{x}}\"}";
    AUTO_RENDERING struct rendering html = rendering_of(TEMPLATE_HTML, "{{v}}", NULL, view);
    assert_string_equal(html.text, "&amp;&lt;&gt;&quot;&#39;&#96;&#61;é{{x}}");
    AUTO_RENDERING struct rendering text = rendering_of(TEMPLATE_TEXT, "{{v}}{{{v}}}", NULL, view);
    assert_string_equal(text.text, "&<>\"'`=é{{x}}&<>\"'`=é{{x}}");
}

static void renders_values_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *template, *view, *want;
    } cases[] = {
        {"{{v}}", "{\"v\": 9007199254740993}", "9007199254740993"},
        {"{{v}}", "{\"v\": 1.1}", "1.1"},
        {"{{v}}", "{\"v\": true}", "true"},
        {"[{{v}}]", "{\"v\": {\"a\": 1}}", "[]"},
        {"[{{v}}]", "{\"v\": [1]}", "[]"},
        {"{{#v}}yes{{/v}}{{^v}}no{{/v}}", "{\"v\": \"\"}", "no"},
        {"{{#v}}yes{{/v}}{{^v}}no{{/v}}", "{\"v\": 0}", "no"},
        {"{{#v}}yes{{/v}}{{^v}}no{{/v}}", "{\"v\": 0.0}", "no"},
        {"{{#v}}yes{{/v}}{{^v}}no{{/v}}", "{\"v\": -1}", "yes"},
        {"{{#v}}yes{{/v}}{{^v}}no{{/v}}", "{\"v\": {}}", "yes"},
        {"{{#v}}{{#v}}{{.}}{{/v}}{{/v}}", "{\"v\": \"x\"}", "x"},
        {"{{#a}}{{v}}{{/a}}", "{\"a\": {\"v\": null}, \"v\": \"outer\"}", ""},
        {"", "{}", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RENDERING struct rendering result =
            rendering_of(TEMPLATE_TEXT, cases[i].template, NULL, cases[i].view);
        assert_true(result.rendered);
        assert_string_equal(result.text, cases[i].want);
    }
}

static void indents_lines_of_partials_only(void **state)
{
    (void)state;
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    json_auto_t *partials =
        json_pack("{s:s, s:s}", "p", "{{#l}}{{.}}{{/l}}!\n\n{{^l}}none{{/l}}x\n {{>q}}\n", "q",
                  "{{v}}\nend\n");
    json_auto_t *view = json_pack("{s:[s,s], s:s}", "l", "a", "b", "v", "1\n2");
    AUTO_RENDERING struct rendering result =
        rendering_make(&rules, "  {{>p}}\n-{{>q}}", partials, view);
    assert_string_equal(result.text, "  ab!\n\n  x\n   1\n2\n   end\n-1\n2\nend\n");
}

static void names_file_and_line_of_faults(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        const char *where, *what;
    } cases[] = {
        {"a\n{{#s}}\n", "main.mustache:2", "never ended"},
        {"a\n\n{{/s}}", "main.mustache:3", "not begun"},
        {"{{#a}}\n{{/b}}", "main.mustache:2", "begun last is {{#a}} in line 1"},
        {"{{#a}}\r\n{{!\n}}{{}}", "main.mustache:3", "no name"},
        {"\n{{a", "main.mustache:2", "not closed"},
        {"{{{a}}", "main.mustache:1", "not closed"},
        {"{{a b}}", "main.mustache:1", "space"},
        {"{{a..b}}", "main.mustache:1", "empty part"},
        {"{{a.}}", "main.mustache:1", "empty part"},
        {"{{=<%=}}", "main.mustache:1", "delimiters"},
        {"{{=a b c=}}", "main.mustache:1", "delimiters"},
        {"{{*name}}", "main.mustache:1", "named by a value"},
        {"{{#*name}}{{/*name}}", "main.mustache:1", "named by a value"},
        {"\n{{>*}}", "main.mustache:2", "no name"},
        {"\n{{> *a b }}", "main.mustache:2", "space"},
        {"{{>*a..b}}", "main.mustache:1", "empty part"},
        {"{{<*.a}}{{/*.a}}", "main.mustache:1", "empty part"},
        {"a\n{{$b}}\n", "main.mustache:2", "{{$b}} is never ended"},
        {"a\n{{<b}}{{$c}}{{/c}}\n", "main.mustache:2", "{{<b}} is never ended"},
        {"{{$a}}\n{{#b}}\n{{/a}}{{/b}}", "main.mustache:3", "begun last is {{#b}} in line 2"},
        {"{{<*a}}\n{{/a}}", "main.mustache:2", "begun last is {{<*a}} in line 1"},
        {"{{<a}}\n\n{{x}}{{/a}}", "main.mustache:3", "{{x}} would be ignored"},
        {"{{<a}}\n{{#x}}{{$b}}{{/b}}{{/x}}{{/a}}", "main.mustache:2", "{{#x}} would be ignored"},
        {"{{<a}}{{^x}}{{/x}}{{/a}}", "main.mustache:1", "{{^x}} would be ignored"},
        {"{{<a}}\n{{>*x}}{{/a}}", "main.mustache:2", "{{>*x}} would be ignored"},
        {"{{<a}}\n{{<b}}{{/b}}{{/a}}", "main.mustache:2", "{{<b}} would be ignored"},
        {"{{<a}}{{$b}}{{/b}}\n{{$c}}{{$b}}{{/b}}{{/c}}\n{{$b}}{{/b}}{{/a}}", "main.mustache:3",
         "{{$b}} is given twice, first in line 1"},
        {"\n{{<absent}}{{/absent}}", "main.mustache:2", "no parent named absent"},
        {"\n{{>absent}}", "main.mustache:2", "no partial named absent"},
        {"\n{{{a}}}", "main.mustache:2", "unescaped"},
        {"\n{{& a }}", "main.mustache:2", "unescaped"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RENDERING struct rendering result =
            rendering_of(TEMPLATE_HTML, cases[i].template, NULL, "{}");
        assert_int_equal(json_array_size(result.faults), 1);
        const json_t *fault = json_array_get(result.faults, 0);
        assert_string_equal(json_string_value(json_object_get(fault, "where")), cases[i].where);
        assert_non_null(strstr(json_string_value(json_object_get(fault, "what")), cases[i].what));
    }
}

static void reports_every_unknown_or_unsafe_name(void **state)
{
    (void)state;
    static const char *const raw_names[] = {"own_html", NULL};
    json_auto_t *known = json_pack("{s:n, s:n}", "own_html", "link");
    const struct template_rules rules = {
        .mode = TEMPLATE_HTML, .raw_names = raw_names, .known_names = known};
    AUTO_RENDERING struct rendering result =
        rendering_make(&rules, "{{{own_html}}}{{link.url}}{{.}}\n{{lnk}}\n{{{link}}}", NULL, known);
    assert_false(result.compiled);
    assert_int_equal(json_array_size(result.faults), 2);
    const json_t *last = json_array_get(result.faults, 1);
    assert_string_equal(json_string_value(json_object_get(last, "where")), "main.mustache:3");
}

static void refuses_two_templates_of_one_name(void **state)
{
    (void)state;
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    json_auto_t *partials = json_pack("{s:s}", RENDERING_MAIN, "again");
    AUTO_RENDERING struct rendering result = rendering_make(&rules, "once", partials, partials);
    assert_false(result.compiled);
}

static void bounds_what_a_template_can_do(void **state)
{
    (void)state;
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    json_auto_t *view = json_pack("{s:{s:i}, s:[]}", "a", "b", 1, "list");
    json_t *list = json_object_get(view, "list");
    for (int i = 0; i < 200; i++)
        json_array_append_new(list, json_integer(i + 1));

    static const struct {
        const char *template, *partial, *want;
    } cases[] = {
        {"{{>p}}", "\n{{>p}}", "partials, parents and blocks within each other"},
        {"{{>p}}", "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{>p}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}",
         "sections within each other"},
        {"{{>p}}", "{{#list}}{{#list}}{{#list}}{{/list}}{{/list}}{{/list}}", "steps"},
        {"{{>p}}", "{{#list}}{{#list}}12345{{/list}}{{/list}}", "bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *partials = json_pack("{s:s}", "p", cases[i].partial);
        AUTO_RENDERING struct rendering result =
            rendering_make(&rules, cases[i].template, partials, view);
        assert_true(result.compiled);
        assert_false(result.rendered);
        assert_int_equal(result.err.code, ERR_INPUT);
        assert_non_null(strstr(result.err.message, cases[i].want));
    }

    char deep[33 * 6 + 1] = "";
    for (size_t i = 0; i < 33; i++)
        memcpy(deep + i * 6, "{{#a}}", 7);
    AUTO_RENDERING struct rendering result = rendering_make(&rules, deep, NULL, view);
    assert_false(result.compiled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_in_html_only),
        cmocka_unit_test(renders_values_by_kind),
        cmocka_unit_test(indents_lines_of_partials_only),
        cmocka_unit_test(names_file_and_line_of_faults),
        cmocka_unit_test(reports_every_unknown_or_unsafe_name),
        cmocka_unit_test(refuses_two_templates_of_one_name),
        cmocka_unit_test(bounds_what_a_template_can_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
