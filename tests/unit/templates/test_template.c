#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/template.h"

#define OUTPUT_MAX (64 * 1024)

static const char MAIN[] = "main";

struct result {
    bool compiled;
    bool rendered;
    char *text; // where rendered
    json_t *faults;
    struct error err;
};

static void result_finish(struct result *result)
{
    free(result->text);
    json_decref(result->faults);
}

#define AUTO_RESULT __attribute__((cleanup(result_finish)))

// Compiles template and partials (an object of sources, or NULL) and renders view. Partials
// that are not there are forgiven: the specification lets them render as nothing.
static struct result render(const struct template_rules *rules, const char *template,
                            json_t *partials, const json_t *view)
{
    struct result result = {.faults = json_array()};
    struct template_set *set = template_set_create(rules);
    assert_non_null(set);
    result.compiled =
        template_set_add(set, MAIN, "main.mustache", template, strlen(template), result.faults);

    const char *name;
    const json_t *source;
    json_object_foreach(partials, name, source)
    {
        result.compiled &= template_set_add(set, name, name, json_string_value(source),
                                            json_string_length(source), result.faults);
    }
    template_set_link(set, result.faults);
    if (result.compiled) {
        struct buffer out;
        buffer_init(&out, OUTPUT_MAX);
        result.rendered = template_render(template_set_find(set, MAIN), view, &out, &result.err);
        result.text = buffer_take(&out);
        buffer_finish(&out);
    }
    template_set_destroy(set);
    return result;
}

static struct result render_json(enum template_mode mode, const char *template,
                                 const char *view_json)
{
    const struct template_rules rules = {.mode = mode};
    json_auto_t *view = json_loads(view_json, JSON_DECODE_ANY, NULL);
    assert_non_null(view);
    return render(&rules, template, NULL, view);
}

// ---- the official specification -------------------------------------------------------------

static const char *const SPEC_RAW_NAMES[] = {"forbidden", "mph", "power",  "cannot",  "person.name",
                                             "name",      ".",   "string", "content", NULL};

static void passes_spec(void **state)
{
    char path[4096];
    snprintf(path, sizeof(path), REPOSITORY_ROOT "/../shared/mustache-spec/%s.json",
             (const char *)*state);
    json_error_t json_error;
    json_auto_t *spec = json_load_file(path, 0, &json_error);
    if (!spec) {
        print_message("SKIPPED: %s: %s\n", path, json_error.text);
        skip();
    }
    const struct template_rules rules = {.mode = TEMPLATE_HTML, .raw_names = SPEC_RAW_NAMES};
    size_t failures = 0;
    size_t index;
    const json_t *test;
    json_array_foreach(json_object_get(spec, "tests"), index, test)
    {
        const char *want = json_string_value(json_object_get(test, "expected"));
        AUTO_RESULT struct result result =
            render(&rules, json_string_value(json_object_get(test, "template")),
                   json_object_get(test, "partials"), json_object_get(test, "data"));
        if (result.rendered && strcmp(result.text, want) == 0)
            continue;
        print_error("%s: want \"%s\", got \"%s\"\n",
                    json_string_value(json_object_get(test, "name")), want,
                    result.rendered ? result.text : result.err.message);
        failures++;
    }
    assert_true(index > 0);
    assert_int_equal(failures, 0);
}

// ---- what the specification leaves open -----------------------------------------------------

static void escapes_in_html_only(void **state)
{
    (void)state;
    static const char view[] = "{\"v\": \"&<>\\\"'`=é{{x}}\"}";
    AUTO_RESULT struct result html = render_json(TEMPLATE_HTML, "{{v}}", view);
    assert_string_equal(html.text, "&amp;&lt;&gt;&quot;&#39;&#96;&#61;é{{x}}");
    AUTO_RESULT struct result text = render_json(TEMPLATE_TEXT, "{{v}}{{{v}}}", view);
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
        AUTO_RESULT struct result result =
            render_json(TEMPLATE_TEXT, cases[i].template, cases[i].view);
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
    AUTO_RESULT struct result result = render(&rules, "  {{>p}}\n-{{>q}}", partials, view);
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
        {"{{#a}}\n{{/b}}", "main.mustache:2", "begun last is a in line 1"},
        {"{{#a}}\r\n{{!\n}}{{}}", "main.mustache:3", "no name"},
        {"\n{{a", "main.mustache:2", "not closed"},
        {"{{{a}}", "main.mustache:1", "not closed"},
        {"{{a b}}", "main.mustache:1", "space"},
        {"{{a..b}}", "main.mustache:1", "empty part"},
        {"{{a.}}", "main.mustache:1", "empty part"},
        {"{{=<%=}}", "main.mustache:1", "delimiters"},
        {"{{=a b c=}}", "main.mustache:1", "delimiters"},
        {"{{$block}}{{/block}}", "main.mustache:1", "not understood"},
        {"{{<parent}}{{/parent}}", "main.mustache:1", "not understood"},
        {"{{>*name}}", "main.mustache:1", "not understood"},
        {"\n{{>absent}}", "main.mustache:2", "no partial named absent"},
        {"\n{{{a}}}", "main.mustache:2", "unescaped"},
        {"\n{{& a }}", "main.mustache:2", "unescaped"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RESULT struct result result = render_json(TEMPLATE_HTML, cases[i].template, "{}");
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
    AUTO_RESULT struct result result =
        render(&rules, "{{{own_html}}}{{link.url}}{{.}}\n{{lnk}}\n{{{link}}}", NULL, known);
    assert_false(result.compiled);
    assert_int_equal(json_array_size(result.faults), 2);
    const json_t *last = json_array_get(result.faults, 1);
    assert_string_equal(json_string_value(json_object_get(last, "where")), "main.mustache:3");
}

static void refuses_two_templates_of_one_name(void **state)
{
    (void)state;
    const struct template_rules rules = {.mode = TEMPLATE_TEXT};
    json_auto_t *partials = json_pack("{s:s}", MAIN, "again");
    AUTO_RESULT struct result result = render(&rules, "once", partials, partials);
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
        {"{{>p}}", "\n{{>p}}", "partials within each other"},
        {"{{>p}}", "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{>p}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}",
         "sections within each other"},
        {"{{>p}}", "{{#list}}{{#list}}{{#list}}{{/list}}{{/list}}{{/list}}", "steps"},
        {"{{>p}}", "{{#list}}{{#list}}12345{{/list}}{{/list}}", "bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *partials = json_pack("{s:s}", "p", cases[i].partial);
        AUTO_RESULT struct result result = render(&rules, cases[i].template, partials, view);
        assert_true(result.compiled);
        assert_false(result.rendered);
        assert_int_equal(result.err.code, ERR_INPUT);
        assert_non_null(strstr(result.err.message, cases[i].want));
    }

    char deep[33 * 6 + 1] = "";
    for (size_t i = 0; i < 33; i++)
        memcpy(deep + i * 6, "{{#a}}", 7);
    AUTO_RESULT struct result result = render(&rules, deep, NULL, view);
    assert_false(result.compiled);
}

#define PASSES_SPEC(file)                                                                          \
    {                                                                                              \
        "passes_spec_" #file, passes_spec, NULL, NULL, (char[])                                    \
        {                                                                                          \
#file                                                                                  \
        }                                                                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PASSES_SPEC(comments),
        PASSES_SPEC(delimiters),
        PASSES_SPEC(interpolation),
        PASSES_SPEC(inverted),
        PASSES_SPEC(partials),
        PASSES_SPEC(sections),
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
