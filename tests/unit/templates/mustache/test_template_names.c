// Names of values that no view has.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/rendering.h"

static const char KNOWN[] =
    "{\"code\": null, \"kind\": null, \"link\": {\"url\": null, \"host\": null},"
    " \"own\": {\"lines\": [{\"text\": null}]}, \"brand\": {\"name\": null, \"more\": true}}";

static const struct {
    const char *template;
    const char *partials; // a JSON object, or NULL
    const char *where;    // of the one fault; NULL: none
    const char *what;
} CASES[] = {
    {"{{code}}{{link.url}}{{#code}}{{.}}{{code}}{{/code}}", NULL, NULL, NULL},
    {"\n{{cod}}", NULL, "main.mustache:2", "there is no value named cod"},
    // Part by part.
    {"{{link.urll}}", NULL, "main.mustache:1", "no value named link.urll"},
    {"{{code.x}}", NULL, "main.mustache:1", "no value named code.x"},
    {"{{brand.nmae}}", NULL, "main.mustache:1", "no value named brand.nmae"},
    {"{{#own.foo}}{{/own.foo}}", NULL, "main.mustache:1", "no value named own.foo"},
    {"{{^own.foo}}{{/own.foo}}", NULL, "main.mustache:1", "no value named own.foo"},
    {"{{own.lines.text}}", NULL, "main.mustache:1", "no value named own.lines.text"},
    // Where it stands.
    {"{{url}}", NULL, "main.mustache:1", "named url here; did you mean link.url"},
    {"{{#link}}{{url}}{{link.url}}{{code}}{{/link}}", NULL, NULL, NULL},
    {"{{#link}}{{/link}}{{host}}", NULL, "main.mustache:1", "named host here"},
    {"{{^link}}{{host}}{{/link}}", NULL, "main.mustache:1", "named host here"},
    {"{{#link}}{{#brand}}{{host}}{{name}}{{/brand}}{{/link}}", NULL, NULL, NULL},
    {"{{#link}}{{name}}{{/link}}", NULL, "main.mustache:1", "did you mean brand.name"},
    {"{{#own}}{{#lines}}{{text}}{{/lines}}{{/own}}", NULL, NULL, NULL},
    {"{{#own.lines}}{{text}}{{.}}{{/own.lines}}", NULL, NULL, NULL},
    {"{{#own.lines}}{{txt}}{{/own.lines}}", NULL, "main.mustache:1", "named txt"},
    {"{{#own}}{{text}}{{/own}}", NULL, "main.mustache:1", "named text"},
    // What no more is known of.
    {"{{brand.more.a.b}}{{#brand.more}}{{a}}{{#b}}{{c}}{{/b}}{{/brand.more}}", NULL, NULL, NULL},
    {"{{#brand.less}}{{a}}{{/brand.less}}", NULL, "main.mustache:1", "named brand.less"},
    // Partials are judged by what is open around the places that name them.
    {"{{#link}}{{>p}}{{/link}}", "{\"p\": \"{{url}}\"}", NULL, NULL},
    {"{{>p}}", "{\"p\": \"{{url}}\"}", "p:1", "named url"},
    {"{{>p}}{{#link}}{{>p}}{{/link}}", "{\"p\": \"{{url}}\"}", NULL, NULL},
    {"{{#link}}{{>p}}{{/link}}", "{\"p\": \"{{>q}}\", \"q\": \"{{host}}\"}", NULL, NULL},
    {"{{#link}}{{>p}}{{/link}}", "{\"p\": \"{{name}}\"}", "p:1", "named name"},
    {"", "{\"p\": \"{{url}}\"}", "p:1", "named url"},
    {"", "{\"p\": \"{{code}}{{>q}}\", \"q\": \"{{cod}}{{>p}}\"}", "q:1", "named cod"},
    {"", "{\"p\": \"{{#link}}{{url}}{{>p}}{{/link}}{{^code}}{{host}}{{/code}}\"}", NULL, NULL},
    {"{{#link}}{{>*kind}}{{/link}}", "{\"p\": \"{{url}}\"}", NULL, NULL},
    {"{{>*knd}}", NULL, "main.mustache:1", "named knd"},
    {"{{<*knd}}{{/*knd}}", NULL, "main.mustache:1", "named knd"},
    // Blocks as well, wherever they are put.
    {"{{<p}}{{$b}}{{url}}{{/b}}{{/p}}", "{\"p\": \"{{#link}}{{$b}}{{host}}{{/b}}{{/link}}\"}", NULL,
     NULL},
    {"{{<p}}{{$b}}{{url}}{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{/b}}\"}", "main.mustache:1",
     "named url"},
    {"{{<p}}{{$b}}{{code}}{{/b}}{{/p}}", "{\"p\": \"{{$b}}{{cod}}{{/b}}\"}", "p:1", "named cod"},
    {"{{<p}}{{$b}}{{url}}{{/b}}{{/p}}",
     "{\"p\": \"{{<q}}{{$b}}{{host}}{{/b}}{{/q}}\", \"q\": \"{{#link}}{{$b}}{{/b}}{{/link}}\"}",
     NULL, NULL},
    {"{{<p}}{{$a}}{{url}}{{/a}}{{/p}}",
     "{\"p\": \"{{<q}}{{$b}}{{$a}}{{/a}}{{/b}}{{/q}}\", "
     "\"q\": \"{{#link}}{{$b}}{{/b}}{{/link}}\"}",
     NULL, NULL},
};

static void names_are_judged_where_they_stand(void **state)
{
    (void)state;
    json_auto_t *known = json_loads(KNOWN, 0, NULL);
    assert_non_null(known);
    const struct template_rules rules = {.mode = TEMPLATE_TEXT, .known_names = known};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        json_auto_t *partials = CASES[i].partials ? json_loads(CASES[i].partials, 0, NULL) : NULL;
        AUTO_RENDERING struct rendering made =
            rendering_make(&rules, CASES[i].template, partials, known);
        const json_t *fault = json_array_get(made.faults, 0);
        const char *where = json_string_value(json_object_get(fault, "where"));
        const char *what = json_string_value(json_object_get(fault, "what"));
        if (json_array_size(made.faults) != (CASES[i].where ? 1 : 0) ||
            (where && CASES[i].where && strcmp(where, CASES[i].where) != 0) ||
            (what && CASES[i].what && !strstr(what, CASES[i].what)))
            fail_msg("case %zu, %s: %s: %s", i, CASES[i].template, where, what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_judged_where_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
