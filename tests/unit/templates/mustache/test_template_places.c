// What comes from elsewhere into a template: partials named by a value, parents and blocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rendering.h"

struct place_case {
    const char *template, *partials, *view, *want;
};

static void expect(const struct place_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_RENDERING struct rendering made =
            rendering_of(TEMPLATE_TEXT, cases[i].template, cases[i].partials, cases[i].view);
        if (!made.rendered || strcmp(made.text, cases[i].want) != 0)
            print_error("%s\n", cases[i].template);
        assert_true(made.rendered);
        assert_string_equal(made.text, cases[i].want);
    }
}

#define EXPECT(cases) expect(cases, sizeof(cases) / sizeof((cases)[0]))

// ---- names that are values ------------------------------------------------------------------

static void a_value_picks_among_what_was_loaded(void **state)
{
    (void)state;
    static const char partials[] = "{\"mail\": \"M{{v}}\", \"mails\": \"S\", \"a.b\": \"dot\", "
                                   "\"../secret\": \"loaded\"}";
    static const struct place_case cases[] = {
        {"{{>*kind}}", partials, "{\"kind\": \"mail\", \"v\": 1}", "M1"},
        {"{{>*a.kind}}", partials, "{\"a\": {\"kind\": \"mails\"}}", "S"},
        {"{{>*kind}}", partials, "{\"kind\": \"a.b\", \"a\": {\"b\": \"mail\"}}", "dot"},
        {"{{#all}}{{>*.}}{{/all}}", partials, "{\"all\": [\"mail\", \"x\", \"mails\"]}", "MS"},
        // Whole names, and nothing near them.
        {"[{{>*kind}}]", partials, "{\"kind\": \"mai\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"mailss\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"mail\\u0000\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"mail\\u0000x\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"MAIL\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"mail.text.mustache\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"./mail\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"/etc/hostname\"}", "[]"},
        // Only a string is a name.
        {"[{{>*kind}}]", "{\"1\": \"one\", \"true\": \"yes\"}", "{\"kind\": 1}", "[]"},
        {"[{{>*kind}}]", "{\"1\": \"one\", \"true\": \"yes\"}", "{\"kind\": true}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": [\"mail\"]}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": {\"mail\": \"mail\"}}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": null}", "[]"},
        // A value is a name, and not a tag or another such name.
        {"[{{>*kind}}]", partials, "{\"kind\": \"*other\", \"other\": \"mail\"}", "[]"},
        {"[{{>*kind}}]", partials, "{\"kind\": \"{{>mail}}\"}", "[]"},
        // Parents as well.
        {"{{<*kind}}{{$b}}in{{/b}}{{/*kind}}", "{\"p\": \"<{{$b}}{{/b}}>\"}", "{\"kind\": \"p\"}",
         "<in>"},
        {"[{{< * kind }}{{$b}}in{{/b}}{{/ *kind}}]", "{\"p\": \"{{$b}}{{/b}}\"}",
         "{\"kind\": \"q\"}", "[]"},
        {" {{>*kind}}\n", "{\"p\": \"1\\n2\\n\"}", "{\"kind\": \"p\"}", " 1\n 2\n"},
    };
    EXPECT(cases);
}

static void names_that_are_values_must_be_known(void **state)
{
    (void)state;
    json_auto_t *known = json_pack("{s:{s:n}}", "kind", "name");
    const struct template_rules rules = {.mode = TEMPLATE_TEXT, .known_names = known};
    static const struct {
        const char *template;
        bool is_good;
    } cases[] = {
        {"{{>*kind.name}}", true},      {"{{>*other}}", false},
        {"{{<*kind}}{{/*kind}}", true}, {"{{<*other}}{{/*other}}", false},
        {"{{$other}}{{/other}}", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RENDERING struct rendering made =
            rendering_make(&rules, cases[i].template, NULL, known);
        assert_int_equal(json_array_size(made.faults), cases[i].is_good ? 0 : 1);
    }
}

// ---- blocks ---------------------------------------------------------------------------------

static void blocks_are_filled_from_outside(void **state)
{
    (void)state;
    static const struct place_case cases[] = {
        // Who is outermost decides; what nobody gives stays as the parent has it.
        {"{{<p}}{{$a}}1{{/a}}{{/p}}", "{\"p\": \"{{$a}}A{{/a}}{{$b}}B{{/b}}\"}", "{}", "1B"},
        {"{{<p}}{{$a}}{{/a}}{{/p}}", "{\"p\": \"[{{$a}}A{{/a}}]\"}", "{}", "[]"},
        {"{{<p}}{{$x}}1{{/x}}{{/p}}", "{\"p\": \"{{$a}}A{{/a}}\"}", "{}", "A"},
        {"{{<p}}{{$a}}1{{/a}}{{/p}}",
         "{\"p\": \"{{<q}}{{$b}}({{$a}}A{{/a}}){{/b}}{{/q}}\", "
         "\"q\": \"[{{$b}}B{{/b}}{{$a}}Q{{/a}}]\"}",
         "{}", "[(1)1]"},
        {"{{<p}}{{$a}}1{{/a}}{{/p}}",
         "{\"p\": \"{{<q}}{{$a}}2{{/a}}{{$b}}3{{/b}}{{/q}}\", "
         "\"q\": \"{{<r}}{{$a}}4{{/a}}{{$b}}5{{/b}}{{/r}}\", "
         "\"r\": \"{{$a}}A{{/a}}{{$b}}B{{/b}}\"}",
         "{}", "13"},
        // A partial passes on what was given, and so does a name that is a value.
        {"{{<p}}{{$a}}1{{/a}}{{/p}}", "{\"p\": \"{{>q}}{{>*n}}\", \"q\": \"{{$a}}Q{{/a}}\"}",
         "{\"n\": \"q\"}", "11"},
        // It does not outlast its parent.
        {"{{<p}}{{$a}}1{{/a}}{{/p}}{{>p}}", "{\"p\": \"{{$a}}A{{/a}}\"}", "{}", "1A"},
        // One place may be used more than once, and in a list.
        {"{{<p}}{{$a}}{{.}}{{/a}}{{/p}}", "{\"p\": \"{{#l}}{{$a}}A{{/a}},{{/l}}\"}",
         "{\"l\": [1, 2]}", "1,2,"},
        // A block of the same name within what is given is the giver's own.
        {"{{<p}}{{$a}}[{{$a}}1{{/a}}]{{/a}}{{/p}}", "{\"p\": \"{{$a}}A{{/a}}\"}", "{}", "[1]"},
        {"{{<m}}{{$a}}2{{/a}}{{/m}}",
         "{\"m\": \"{{<p}}{{$b}}[{{$a}}1{{/a}}]{{/b}}{{/p}}\", \"p\": \"{{$b}}B{{/b}}\"}", "{}",
         "[2]"},
        // A parent within what is given fills from what is given to it.
        {"{{<p}}{{$a}}{{<q}}{{$b}}1{{/b}}{{/q}}{{/a}}{{/p}}",
         "{\"p\": \"({{$a}}A{{/a}}{{$b}}P{{/b}})\", \"q\": \"<{{$b}}Q{{/b}}>\"}", "{}", "(<1>P)"},
        {"{{<p}}{{$b}}[{{$a}}1{{/a}}]{{/b}}{{$a}}2{{/a}}{{/p}}",
         "{\"p\": \"{{$b}}B{{/b}}{{$a}}A{{/a}}\"}", "{}", "[1]2"},
        // What is not a block is passed over.
        {"{{<p}} text {{! note }}{{$a}}1{{/a}} text {{=| |=}}|$b|2|/b|\n|/p|",
         "{\"p\": \"{{$a}}{{/a}}{{$b}}{{/b}}\"}", "{}", "12"},
        // Names of blocks are neither values nor templates, and may have dots.
        {"{{<p}}{{$p.a}}1{{/p.a}}{{/p}}", "{\"p\": \"{{$p.a}}{{p.a}}{{/p.a}}\"}",
         "{\"p\": {\"a\": 2}}", "1"},
        // Values look like tags, and are text.
        {"{{<p}}{{$a}}{{v}}{{/a}}{{/p}}", "{\"p\": \"{{$a}}A{{/a}}{{v}}\"}",
         "{\"v\": \"{{$a}}{{/a}}{{>p}}\"}", "{{$a}}{{/a}}{{>p}}{{$a}}{{/a}}{{>p}}"},
        // A parent that is not there takes all it was given along.
        {"[{{<none}}{{$a}}1{{/a}}{{/none}}]", NULL, "{}", "[]"},
    };
    EXPECT(cases);
}

static void a_block_that_nobody_fills_comes_out_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *template, *want;
    } cases[] = {
        {"a\n  {{$b}}x{{/b}}\nc", "a\n  x\nc"},
        {"a\n  {{$b}}x\n  y\n{{/b}}\nc", "a\n  x\n  y\nc"},
        {"a\n  {{$b}}x\n    y{{/b}} z\nc", "a\n  x\n    y z\nc"},
        {"a\n    {{$b}}x\n  y{{/b}}\nc", "a\n    x\n  y\nc"},
        {"a\n  {{$b}}{{/b}} z\nc", "a\n   z\nc"},
        {"a\n  {{$b}}{{/b}}{{$c}}{{/c}}z\nc", "a\n  z\nc"},
        {"a\n  {{$b}}{{/b}}\nc", "a\n\nc"},
        {"a {{$b}}x\n  y\n{{/b}} z\nc", "a x\n  y\n z\nc"},
        {"  {{$b}}{{/b}}\n{{t}}\n", "\n1\n"},
        {"    {{$b}}{{$c}}x\n    y{{/c}}{{/b}}\n", "    x\n    y\n"},
        {"{{$o}}\n    {{$b}}  {{$c}}x\n    y{{/c}}{{/b}}\n{{/o}}", "      x\n    y\n"},
        {"{{$o}}\n    {{$b}}  {{$c}}\n      x\n{{/c}}{{/b}}\n{{/o}}", "      x\n\n"},
        {"{{$o}}\n    x {{$b}}  {{$c}}\n  {{/c}}{{/b}}\n{{/o}}", "    x \n"},
        {"a {{$b}}x\n  {{/b}} z\nc", "a x\n   z\nc"},
        {"  {{$b}}x\n  {{/b}} z\nc", "  x\n   z\nc"},
        {"{{$b}}\n    x\n  {{/b}} z\nc", "    x\n   z\nc"},
        {"{{$b}}\n\n    x\n  y\n \n\ty\n{{/b}}\nc", "\n    x\n  y\n \n\ty\nc"},
        {"{{$b}}\n  x\n\n    y\n{{/b}}\nc", "  x\n\n    y\nc"},
        {"  {{$b}}\n  {{#t}}\n   x\n  {{/t}}\n    y\n  {{/b}}\nc", "   x\n    y\nc"},
        {"  {{$b}}\n    {{t}}{{t}}\n     {{^u}}x{{/u}}\n  {{/b}}\nc", "    11\n     x\nc"},
        {"{{$b}}\n  x\n  {{$c}}\n    y\n      z\n  {{/c}}\n  {{$d}}w{{/d}}\n{{/b}}\n",
         "  x\n    y\n      z\n  w\n"},
        {"{{$b}}\r\n  x\r\n\r\n  {{$c}}y{{/c}}\r\n{{/b}}\r\nc", "  x\r\n\r\n  y\r\nc"},
        {"{{#t}}\r\n\r\n{{$b}}\r\n\r\n  x\r\n{{/b}}\r\n{{/t}}", "\r\n\r\n  x\r\n"},
        {"{{$b}}{{$c}}\n  x\n{{/c}}{{/b}}", "  x\n"},
        {"{{$b}}\n    x\n{{$c}}  y\n{{/c}}  {{t}}\n{{/b}}", "    x\n  y\n  1\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        // In a partial that is indented, every line is, but empty ones.
        json_auto_t *partials = json_pack("{s:s}", "p", cases[i].template);
        AUTO_BUFFER struct buffer want;
        buffer_init(&want, RENDERING_MAX);
        for (const char *at = cases[i].want; *at;) {
            size_t size = strcspn(at, "\n") + 1;
            bool is_last = strlen(at) < size;
            buffer_puts(&want, at[0] == '\n' || at[0] == '\r' ? "" : "\t");
            buffer_append(&want, at, is_last ? size - 1 : size);
            at += is_last ? size - 1 : size;
        }
        json_auto_t *view = json_pack("{s:i}", "t", 1);
        const struct template_rules rules = {.mode = TEMPLATE_TEXT};
        AUTO_RENDERING struct rendering plain =
            rendering_make(&rules, cases[i].template, NULL, view);
        assert_true(plain.rendered);
        assert_string_equal(plain.text, cases[i].want);
        AUTO_RENDERING struct rendering indented =
            rendering_make(&rules, "\t{{>p}}", partials, view);
        assert_string_equal(indented.text, want.data);
    }
}

static void what_is_given_takes_the_indentation_of_the_place(void **state)
{
    (void)state;
    static const struct place_case cases[] = {
        // However deep it stands where it is given.
        {"{{<p}}\n      {{$b}}\n        1\n          2\n      {{/b}}\n{{/p}}\n",
         "{\"p\": \"{{$b}}\\n  default\\n{{/b}}\\nend\\n\"}", "{}", "  1\n    2\nend\n"},
        {"{{<p}}\n  {{$b}}1\n  2{{/b}}{{/p}}", "{\"p\": \"  {{$b}}default{{/b}}.\\n\"}", "{}",
         "  1\n  2.\n"},
        {"{{<p}}{{$b}}1\n  2{{/b}}{{/p}}", "{\"p\": \"- {{$b}}default{{/b}}.\\n\"}", "{}",
         "- 1\n  2.\n"},
        {"{{<p}}{{$b}}{{/b}}{{/p}}", "{\"p\": \"  {{$b}}default{{/b}} x\\n\"}", "{}", "   x\n"},
        {"{{<p}}{{$b}}{{/b}}{{/p}}", "{\"p\": \"  {{$b}}\\n  default\\n  {{/b}}\\nx\\n\"}", "{}",
         "x\n"},
        {"{{<p}}{{$b}}\n    1\n\n  \n    2\n{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{/b}}\"}", "{}",
         "1\n\n\n2\n"},
        {"{{<p}}{{$b}}\r\n    1\r\n\r\n    2\r\n{{/b}}{{/p}}", "{\"p\": \" {{$b}}{{/b}}\"}", "{}",
         " 1\r\n\r\n 2\r\n"},
        {"a {{<p}}{{$b}}1{{/b}}{{/p}}", "{\"p\": \"\\n  {{$b}}{{/b}}\"}", "{}", "a \n  1"},
        // Blocks within it lose what it loses, also where their lines stand further left.
        {"{{<p}}{{$b}}\n    x {{$c}}1\n    2{{/c}}\n    {{$d}}3\n     4{{/d}}\n{{/b}}{{/p}}",
         "{\"p\": \"{{$b}}{{/b}}\"}", "{}", "x 1\n2\n3\n 4\n"},
        // A place whose line has begun indents nothing.
        {"{{<p}}{{$b}}\n  1\n  2\n{{/b}}{{/p}}", "{\"p\": \"a {{$b}}default{{/b}}z\\n\"}", "{}",
         "a 1\n2\nz\n"},
        // That of the parent comes before that of the place, and a value's lines have none.
        {" {{<p}}{{$b}}\n1\n{{v}}\n\n{{/b}}{{/p}}\nend",
         "{\"p\": \"a\\n  {{$b}}\\n  default\\n  {{/b}}\\n\"}", "{\"v\": \"x\\ny\"}",
         " a\n   1\n   x\ny\n\nend"},
        // Partials within it, alone on a line or not.
        {"{{<p}}\n{{$b}}\n    {{>q}}\n      {{>q}}\n{{/b}}\n{{/p}}",
         "{\"p\": \"  {{$b}}{{/b}}\", \"q\": \"1\\n2\\n\"}", "{}", "  1\n  2\n    1\n    2\n"},
        {"{{<p}}{{$b}}{{>q}}{{/b}}{{/p}}", "{\"p\": \"  {{$b}}{{/b}}\", \"q\": \"1\\n2\\n\"}", "{}",
         "  1\n2\n"},
        // Parents that are alone on their line, on several, and not alone.
        {"a\n  {{<p}}{{$b}}x\ny{{/b}}{{/p}}  \nz", "{\"p\": \"{{$b}}{{/b}}\\n\"}", "{}",
         "a\n  x\n  y\nz"},
        {"a\n  {{<p}}\n\n  {{$b}}x{{/b}}\n\n  {{/p}}\nz", "{\"p\": \"{{$b}}{{/b}}\\n1\\n\"}", "{}",
         "a\n  x\n  1\nz"},
        {"a\n  {{<p}}{{/p}} z\n", "{\"p\": \"1\\n2\\n\"}", "{}", "a\n  1\n2\n z\n"},
        {"a\n  {{<p}}\n{{/p}} z\n", "{\"p\": \"1\\n2\\n\"}", "{}", "a\n  1\n  2\n z\n"},
        {"a {{<p}}{{/p}}\nz\n", "{\"p\": \"1\\n2\\n\"}", "{}", "a 1\n2\n\nz\n"},
        {"a {{<p}}\n{{/p}}\nz\n", "{\"p\": \"1\\n2\\n\"}", "{}", "a 1\n2\nz\n"},
        {"{{<p}}{{$b}}  {{<q}}{{/q}}  {{/b}}{{/p}}!",
         "{\"p\": \" {{$b}}{{/b}}\", \"q\": \"1\\n2\\n\"}", "{}", "   1\n   2\n!"},
        {"\t{{>q}}\n", "{\"p\": \"1\\n2\\n\", \"q\": \"a {{<p}}{{/p}} b\\nc\\n\"}", "{}",
         "\ta 1\n2\n b\n\tc\n"},
        {"\t{{>q}}\n", "{\"p\": \"1\\n2\\n\", \"q\": \" {{<p}}{{/p}}\\nc\\n\"}", "{}",
         "\t 1\n\t 2\n\tc\n"},
        // In a block that is indented itself, what a parent there is given is not.
        {"{{$o}}\n    {{<p}}\n  {{$b}}\n      1\n        2\n  {{/b}}\n    {{/p}}\n{{/o}}",
         "{\"p\": \"{{$b}}{{/b}}\"}", "{}", "    1\n      2\n"},
        {"{{<p}}{{$b}}\n    {{<p}}\n{{$b}}\n1\n{{/b}}\n    {{/p}}\n    x\n{{/b}}{{/p}}",
         "{\"p\": \"{{$b}}{{/b}}\"}", "{}", "1\nx\n"},
    };
    EXPECT(cases);
}

static void a_block_that_nothing_takes_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        const char *template, *partials, *what; // NULL: no fault
    } cases[] = {
        {"{{<p}}\n{{$a}}{{/a}}{{/p}}", "{\"p\": \"{{$a}}{{/a}}\"}", NULL},
        {"{{<p}}\n{{$b}}{{/b}}{{/p}}", "{\"p\": \"{{$a}}{{/a}}\"}", "no block named b"},
        {"{{<p}}\n{{$b}}{{/b}}{{/p}}", "{\"p\": \"{{>q}}\", \"q\": \"{{$b}}{{/b}}\"}", NULL},
        // Who gives one does not have it, but what is given may.
        {"{{<p}}\n{{$b}}{{/b}}{{/p}}",
         "{\"p\": \"{{<q}}{{$a}}{{$b}}{{/b}}{{/a}}{{/q}}\", "
         "\"q\": \"{{$a}}{{/a}}\"}",
         NULL},
        // One fault is enough: what is not compiled may have the block.
        {"{{<p}}\n{{$b}}{{/b}}{{/p}}", "{\"p\": \"{{$a}}{{/a}}{{\"}", "not closed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RENDERING struct rendering made =
            rendering_of(TEMPLATE_TEXT, cases[i].template, cases[i].partials, "{}");
        assert_int_equal(json_array_size(made.faults), cases[i].what ? 1 : 0);
        if (!cases[i].what)
            continue;
        const json_t *fault = json_array_get(made.faults, 0);
        assert_non_null(strstr(json_string_value(json_object_get(fault, "what")), cases[i].what));
        if (made.compiled)
            assert_string_equal(json_string_value(json_object_get(fault, "where")),
                                "main.mustache:2");
    }
}

static void a_parent_takes_sixty_four_blocks(void **state)
{
    (void)state;
    for (int count = 64; count <= 65; count++) {
        AUTO_BUFFER struct buffer source;
        buffer_init(&source, RENDERING_MAX);
        buffer_puts(&source, "{{<p}}");
        for (int i = 0; i < count; i++)
            buffer_printf(&source, "{{$b%d}}%d{{/b%d}}", i, i, i);
        buffer_puts(&source, "{{/p}}");
        AUTO_RENDERING struct rendering made = rendering_of(
            TEMPLATE_TEXT, source.data, "{\"p\": \"{{$b0}}{{/b0}} {{$b63}}{{/b63}}\"}", "{}");
        assert_int_equal(made.compiled, count == 64);
        if (made.compiled)
            assert_string_equal(made.text, "0 63");
    }
}

// ---- what must not get through --------------------------------------------------------------

static void escapes_whatever_way_a_value_comes(void **state)
{
    (void)state;
    static const char view[] = "{\"v\": \"<&\\\">\", \"own_html\": \"<p>\", \"n\": \"p\"}";
    static const struct {
        const char *template, *partials, *want;
    } cases[] = {
        {"{{>*n}}", "{\"p\": \"{{v}}\"}", "&lt;&amp;&quot;&gt;"},
        {"{{<p}}{{$b}}{{v}}{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{/b}}\"}", "&lt;&amp;&quot;&gt;"},
        {"{{<*n}}{{$b}}{{{own_html}}}{{v}}{{/b}}{{/*n}}", "{\"p\": \"{{$b}}{{/b}}\"}",
         "<p>&lt;&amp;&quot;&gt;"},
        {"{{=<% %>=}}<%v%><%&own_html%>", NULL, "&lt;&amp;&quot;&gt;<p>"},
        {"{{=<% %>=}}[<%{v}%>]", NULL, "[]"}, // a value named "{v}"
        {"{{={ }=}}{v}", NULL, "&lt;&amp;&quot;&gt;"},
    };
    static const char *const raw_names[] = {"own_html", NULL};
    const struct template_rules rules = {.mode = TEMPLATE_HTML, .raw_names = raw_names};
    json_auto_t *values = json_loads(view, 0, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *partials = cases[i].partials ? json_loads(cases[i].partials, 0, NULL) : NULL;
        AUTO_RENDERING struct rendering made =
            rendering_make(&rules, cases[i].template, partials, values);
        assert_true(made.rendered);
        assert_string_equal(made.text, cases[i].want);
    }
}

static void refuses_raw_values_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const templates[] = {
        "{{{v}}}",
        "{{& v }}",
        "{{&\nv}}",
        "{{{own_html.x}}}",
        "{{{.}}}",
        "{{=| |=}}|&v|",
        "{{={{ }}=}}{{{v}}}",
        "{{=<% %>=}}<%={{ }}=%>{{{v}}}",
        "{{={ }=}}{&v}",
        "{{<p}}{{$b}}{{{v}}}{{/b}}{{/p}}",
        "{{<*n}}{{$b}}{{&v}}{{/b}}{{/*n}}",
        "{{$b}}{{#s}}{{&v}}{{/s}}{{/b}}",
        "{{#own_html}}{{&.}}{{/own_html}}",
    };
    static const char *const raw_names[] = {"own_html", NULL};
    const struct template_rules rules = {.mode = TEMPLATE_HTML, .raw_names = raw_names};
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        json_auto_t *partials = json_pack("{s:s}", "p", "");
        AUTO_RENDERING struct rendering made =
            rendering_make(&rules, templates[i], partials, partials);
        if (made.compiled)
            print_error("%s\n", templates[i]);
        assert_false(made.compiled);
        const json_t *fault = json_array_get(made.faults, 0);
        assert_non_null(strstr(json_string_value(json_object_get(fault, "what")), "unescaped"));
    }
}

static void ends_what_has_no_end(void **state)
{
    (void)state;
    static const struct {
        const char *template, *partials, *want;
    } cases[] = {
        {"{{>*n}}", "{\"p\": \"{{>*n}}\"}", "partials, parents and blocks"},
        {"{{>*n}}", "{\"p\": \"\\n{{>*n}}{{>*n}}\"}", "p:2: more than 64 partials"},
        {"{{<p}}{{/p}}", "{\"p\": \"{{<p}}{{/p}}\"}", "partials, parents and blocks"},
        {"{{<p}}{{$b}}x{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{/b}}{{<p}}{{$b}}{{/b}}{{/p}}\"}",
         "partials, parents and blocks"},
        {"{{<p}}{{$b}}{{>p}}{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{>p}}{{/b}}\"}",
         "partials, parents and blocks"},
        {"{{>p}}", "{\"p\": \"{{$b}}{{>p}}{{/b}}\"}", "partials, parents and blocks"},
        {"{{>p}}", "{\"p\": \"{{#l}}{{>p}}{{/l}}\"}", "partials, parents and blocks"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_RENDERING struct rendering made = rendering_of(
            TEMPLATE_TEXT, cases[i].template, cases[i].partials, "{\"n\": \"p\", \"l\": [1, 2]}");
        assert_true(made.compiled);
        assert_false(made.rendered);
        assert_int_equal(made.err.code, ERR_INPUT);

        assert_non_null(strstr(made.err.message, cases[i].want));
    }
}

// Each of 30 templates runs the next one twice: 2^30 in all, none of which writes anything.
static void ends_what_doubles(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{{>p%d}}{{>p%d}}",
        "{{<p%d}}{{/p%d}}{{>*n.p%d}}{{>p%d}}",
        "{{$b}}{{>p%d}}{{/b}}{{>p%d}}",
        "{{#l}}{{>p%d}}{{/l}}",
    };
    for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
        json_auto_t *partials = json_object();
        for (int i = 0; i < 30; i++) {
            char name[16];
            snprintf(name, sizeof(name), "p%d", i);
            AUTO_BUFFER struct buffer source;
            buffer_init(&source, RENDERING_MAX);
            for (const char *at = forms[form]; *at; at++) {
                if (at[0] == '%')
                    buffer_printf(&source, "%d", i + 1);
                else if (at == forms[form] || at[-1] != '%')
                    buffer_putc(&source, *at);
            }
            json_object_set_new(partials, name, json_string(source.data));
        }
        json_object_set_new(partials, "p30", json_string(""));
        json_auto_t *view = json_pack("{s:[i,i]}", "l", 1, 2);
        const struct template_rules rules = {.mode = TEMPLATE_TEXT};
        AUTO_RENDERING struct rendering made = rendering_make(&rules, "{{>p0}}", partials, view);
        assert_true(made.compiled);
        assert_true(made.linked);
        assert_false(made.rendered);
        assert_int_equal(made.err.code, ERR_INPUT);
        assert_non_null(strstr(made.err.message, "steps"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_picks_among_what_was_loaded),
        cmocka_unit_test(names_that_are_values_must_be_known),
        cmocka_unit_test(blocks_are_filled_from_outside),
        cmocka_unit_test(a_block_that_nobody_fills_comes_out_as_written),
        cmocka_unit_test(what_is_given_takes_the_indentation_of_the_place),
        cmocka_unit_test(a_block_that_nothing_takes_is_a_fault),
        cmocka_unit_test(a_parent_takes_sixty_four_blocks),
        cmocka_unit_test(escapes_whatever_way_a_value_comes),
        cmocka_unit_test(refuses_raw_values_wherever_they_stand),
        cmocka_unit_test(ends_what_has_no_end),
        cmocka_unit_test(ends_what_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
