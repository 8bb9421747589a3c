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
    json_auto_t *known = json_pack("{s:n, s:{s:n}}", "own_html", "link", "url");
    const struct template_rules rules = {
        .mode = TEMPLATE_HTML, .raw_names = raw_names, .known_names = known};
    AUTO_RENDERING struct rendering result =
        rendering_make(&rules, "{{{own_html}}}{{link.url}}{{.}}\n{{lnk}}\n{{{link}}}", NULL, known);
    assert_false(result.compiled);
    assert_int_equal(json_array_size(result.faults), 2);
    // What a tag may be is found before what names there are.
    static const char *const wheres[] = {"main.mustache:3", "main.mustache:2"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *fault = json_array_get(result.faults, i);
        assert_string_equal(json_string_value(json_object_get(fault, "where")), wheres[i]);
    }
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
}

// Few instructions, but each asks a hundred scopes for a name that none of them has.
static void counts_where_names_are_looked_for(void **state)
{
    (void)state;
    json_auto_t *view = json_pack("{s:{}, s:[]}", "a", "list");
    json_t *list = json_object_get(view, "list");
    for (int i = 0; i < 150; i++)
        json_array_append_new(list, json_object());
    json_auto_t *partials =
        json_pack("{s:s}", "p0", "{{#list}}{{#list}}{{none}}{{/list}}{{/list}}");
    for (int i = 1; i <= 20; i++) {
        char name[16];
        char source[128];
        snprintf(name, sizeof(name), "p%d", i);
        snprintf(source, sizeof(source),
                 "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{>p%d}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}", i - 1);
        json_object_set_new(partials, name, json_string(source));
    }
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    AUTO_RENDERING struct rendering deep = rendering_make(&rules, "{{>p20}}", partials, view);
    assert_true(deep.compiled);
    assert_false(deep.rendered);
    assert_non_null(strstr(deep.err.message, "steps"));
    AUTO_RENDERING struct rendering shallow = rendering_make(&rules, "{{>p0}}", partials, view);
    assert_true(shallow.rendered);
}

static void nests_as_deep_as_it_says(void **state)
{
    (void)state;
    static const struct {
        size_t depth;
        bool compiles;
    } sections[] = {{32, true}, {33, false}};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        AUTO_BUFFER struct buffer source;
        buffer_init(&source, RENDERING_MAX);
        for (size_t k = 0; k < sections[i].depth; k++)
            buffer_puts(&source, "{{#a}}");
        for (size_t k = 0; k < sections[i].depth; k++)
            buffer_puts(&source, "{{/a}}");
        AUTO_RENDERING struct rendering made =
            rendering_of(TEMPLATE_TEXT, source.data, NULL, "{\"a\": 1}");
        assert_int_equal(made.compiled, sections[i].compiles);
        assert_int_equal(made.rendered, sections[i].compiles);
    }

    static const struct {
        int depth;
        bool renders;
    } partials[] = {{64, true}, {65, false}};
    for (size_t i = 0; i < sizeof(partials) / sizeof(partials[0]); i++) {
        json_t *node = json_pack("{s:b}", "node", 0);
        for (int k = 1; k < partials[i].depth; k++)
            node = json_pack("{s:o}", "node", node);
        json_auto_t *view = node;
        json_auto_t *source = json_pack("{s:s}", "p", ".{{#node}}{{>p}}{{/node}}");
        const struct template_rules rules = {.mode = TEMPLATE_TEXT};
        AUTO_RENDERING struct rendering made = rendering_make(&rules, "{{>p}}", source, view);
        assert_int_equal(made.rendered, partials[i].renders);
    }
}

static void appends_to_what_is_there(void **state)
{
    (void)state;
    static const char source[] = "  {{>p}}";
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    json_auto_t *faults = json_array();
    struct template_set *set = template_set_create(&rules);
    assert_non_null(set);
    assert_true(template_set_add(set, "main", "main", source, strlen(source), faults));
    assert_true(template_set_add(set, "p", "p", "{{v}}\n2", 7, faults));
    assert_true(template_set_link(set, faults));
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, RENDERING_MAX);
    buffer_puts(&out, "before");
    struct error err;
    assert_true(template_render(template_set_find(set, "main"), NULL, &out, &err));
    assert_string_equal(out.data, "before  \n  2");
    template_set_destroy(set);
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
        cmocka_unit_test(counts_where_names_are_looked_for),
        cmocka_unit_test(nests_as_deep_as_it_says),
        cmocka_unit_test(appends_to_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
