// fuzz_template.c - any templates, and any values for them, through template.h.
//
// Input: sources and a JSON view, '\x01' between them. The first source is rendered, the others
// are named a, b, c, d. Values must come out escaped whatever way they take: HTML of a view is
// what text templates make of the same view with its strings escaped beforehand.
#include <string.h>

#include "templates/mustache/template.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (256 * 1024)
#define SEPARATOR '\x01'
#define SOURCES_MAX 5

struct part {
    const char *text;
    size_t size;
};

static const char *const names[SOURCES_MAX] = {"main", "a", "b", "c", "d"};

// Where the input has no view that is JSON: one in which every short name is something.
static const char usual_view[] =
    "{\"a\": \"b\", \"b\": \"c\", \"n\": \"a\", \"v\": \"<&\\\"'`=>{{v}}\", \"w\": \"x\\n<y\\n\", "
    "\"l\": [\"a\", \"<\", {\"v\": \">\", \"l\": [1, 2]}], \"o\": {\"n\": \"d\", \"v\": 1.5}, "
    "\"t\": true, \"f\": false, \"z\": null, \"i\": -7, \"e\": [], \"s\": \"\"}";

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '`':
        return "&#96;";
    case '=':
        return "&#61;";
    default:
        return NULL;
    }
}

static json_t *escaped_string(const json_t *string)
{
    const char *text = json_string_value(string);
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, 1024 * 1024);
    buffer_puts(&out, "");
    for (size_t i = 0; i < json_string_length(string); i++) {
        const char *escape = escape_of(text[i]);
        if (escape)
            buffer_puts(&out, escape);
        else
            buffer_putc(&out, text[i]);
    }
    return json_stringn(out.data, out.size);
}

// A copy in which every string, but no key, is escaped.
static json_t *escaped(json_t *value)
{
    if (json_is_string(value))
        return escaped_string(value);
    json_t *copy = json_copy(value);
    const char *key;
    size_t index;
    json_t *member;
    json_object_foreach(value, key, member)
    {
        json_object_set_new(copy, key, escaped(member));
    }
    json_array_foreach(value, index, member)
    {
        json_array_set_new(copy, index, escaped(member));
    }
    return copy;
}

static struct template_set *compile(const struct template_rules *rules, const struct part *parts,
                                    size_t count)
{
    json_auto_t *faults = json_array();
    struct template_set *set = template_set_create(rules);
    FUZZ_CHECK(set && faults, "there is memory");
    bool compiled = true;
    for (size_t i = 0; i < count; i++)
        compiled &= template_set_add(set, names[i], names[i], parts[i].text, parts[i].size, faults);
    FUZZ_CHECK(compiled == (json_array_size(faults) == 0), "what is refused has a fault");
    bool linked = template_set_link(set, faults);
    FUZZ_CHECK((compiled && linked) == (json_array_size(faults) == 0),
               "so has what has no partial");
    if (!compiled) {
        template_set_destroy(set);
        return NULL;
    }
    return set;
}

static bool render(const struct template_set *set, const json_t *view, struct buffer *out)
{
    struct error err;
    buffer_init(out, OUT_MAX);
    bool rendered = template_render(template_set_find(set, "main"), view, out, &err);
    FUZZ_CHECK(rendered || err.code == ERR_INPUT, "there is one reason to fail");
    FUZZ_CHECK(out->size <= OUT_MAX, "the result keeps its limit");
    return rendered;
}

static void check_escaping(const struct template_set *html, const struct template_set *text,
                           json_t *view)
{
    json_auto_t *escaped_view = escaped(view);
    AUTO_BUFFER struct buffer from_html;
    AUTO_BUFFER struct buffer from_text;
    bool rendered = render(html, view, &from_html);
    FUZZ_CHECK(render(text, escaped_view, &from_text) == rendered, "the mode changes no step");
    if (!rendered)
        return;
    FUZZ_CHECK(
        from_html.size == from_text.size &&
            (from_html.size == 0 || memcmp(from_html.data, from_text.data, from_html.size) == 0),
        "every value is escaped");
}

static json_t *take_view(const struct part *part)
{
    json_t *view = json_loadb(part->text, part->size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!view)
        view = json_loads(usual_view, 0, NULL);
    FUZZ_CHECK(view, "there is a view");
    return view;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const raw_names[] = {"v", NULL};
    static const struct template_rules text_rules = {.mode = TEMPLATE_TEXT};
    static const struct template_rules html_rules = {.mode = TEMPLATE_HTML};
    static const struct template_rules raw_rules = {.mode = TEMPLATE_HTML, .raw_names = raw_names};

    struct part parts[SOURCES_MAX + 1];
    size_t count = 0;
    const char *at = (const char *)data;
    const char *end = at + size;
    while (count < SOURCES_MAX + 1) {
        const char *stop = size ? memchr(at, SEPARATOR, (size_t)(end - at)) : NULL;
        parts[count].text = size ? at : "";
        parts[count++].size = (size_t)((stop ? stop : end) - at);
        if (!stop)
            break;
        at = stop + 1;
    }
    // The last one is the view, unless it is the only one.
    const struct part no_view = {"", 0};
    json_auto_t *view = take_view(count > 1 ? &parts[count - 1] : &no_view);
    size_t sources = count > 1 ? count - 1 : 1;

    struct template_set *text = compile(&text_rules, parts, sources);
    struct template_set *html = compile(&html_rules, parts, sources);
    struct template_set *raw = compile(&raw_rules, parts, sources);
    FUZZ_CHECK(text || !html, "text templates may do whatever those of HTML may");
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, OUT_MAX);
    if (raw)
        render(raw, view, &out);
    if (html)
        check_escaping(html, text, view);
    else if (text && !raw)
        render(text, view, &out);
    template_set_destroy(text);
    template_set_destroy(html);
    template_set_destroy(raw);
    return 0;
}
