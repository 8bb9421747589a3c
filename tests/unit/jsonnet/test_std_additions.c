// What the values should be was taken from the standard library's documentation, and where that
// says too little, from what go-jsonnet 0.21 answers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jsonnet/normaliser.h"
#include "jsonnet/payload.h"
#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Gives {"n": 0, "secret": "hunter2"}, {"n": 1, ...}, count of them; or the payload.
struct stream {
    int count, given;
    const char *payload;
    json_t *document, *results;
};

static json_t *next(void *context, size_t *ret_source)
{
    struct stream *stream = context;
    *ret_source = 0;
    json_decref(stream->document);
    stream->document = NULL;
    if (stream->given++ < stream->count)
        stream->document =
            stream->payload ? payload_parse(stream->payload, strlen(stream->payload), NULL)
                            : json_pack("{s:i, s:s}", "n", stream->given - 1, "secret", "hunter2");
    return stream->document;
}

static void emit(void *context, json_t *result)
{
    struct stream *stream = context;
    json_array_append_new(stream->results, result);
}

static bool run(char *text, struct stream *stream, bool *ret_in_payload, struct error *err)
{
    struct normaliser_io io = {.next = next, .emit = emit, .context = stream};
    char file[] = "my.jsonnet";
    return normaliser_run(&(struct normaliser_source){text, file}, 1, &io, ret_in_payload, err);
}

static const struct {
    const char *expression, *want; // want is JSON
} documented[] = {
    // 0.20
    {"std.all([])", "true"},
    {"std.all([true, true])", "true"},
    {"std.all([false, 'never looked at'])", "false"},
    {"std.any([])", "false"},
    {"std.any([false, true, 'never looked at'])", "true"},
    {"std.any([false, false])", "false"},
    {"std.escapeStringXML('<a b=\"c\">&\\'</a>')",
     "\"&lt;a b=&quot;c&quot;&gt;&amp;&apos;&lt;/a&gt;\""},
    {"std.escapeStringXML({ a: '<' })", "\"{&quot;a&quot;: &quot;&lt;&quot;}\""},
    {"std.isEmpty('')", "true"},
    {"std.isEmpty(' ')", "false"},
    {"std.objectKeysValues({ a: 1, b:: 2, c: self.b })",
     "[{\"key\":\"a\",\"value\":1},{\"key\":\"c\",\"value\":2}]"},
    {"std.objectKeysValuesAll({ a: 1, b:: 2 })",
     "[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":2}]"},
    {"[std.round(x) for x in [2.5, 2.4, -0.5, -1.5]]", "[3,2,-1,-2]"},
    {"std.splitLimitR('/foo/_bar', '/_', 1)", "[\"/foo\",\"bar\"]"},
    {"std.splitLimitR('a,b,c', ',', 1)", "[\"a,b\",\"c\"]"},
    {"std.splitLimitR('a,b,c', ',', -1)", "[\"a\",\"b\",\"c\"]"},
    {"std.splitLimitR('a,b,c', ',', 0)", "[\"a,b,c\"]"},
    {"std.splitLimitR('aaa', 'aa', -1)", "[\"a\",\"\"]"},
    {"std.splitLimitR('', ',', -1)", "[\"\"]"},
    {"std.sum([])", "0"},
    {"std.sum([1, 2.5, 3])", "6.5"},
    {"[std.xor(true, x) for x in [true, false]]", "[false,true]"},
    {"[std.xnor(true, x) for x in [true, false]]", "[true,false]"},
    // 0.21
    {"std.atan2(0, 1) + std.atan2(0, -1) == std.pi", "true"},
    {"std.atan2(y=1, x=2) < 0.5", "true"},
    {"std.avg([1, 2])", "1.5"},
    {"std.contains(['a', { b: [1] }], { b: [1] })", "true"},
    {"std.contains(['a'], 'A')", "false"},
    {"std.deg2rad(180) == std.pi && std.rad2deg(std.pi) == 180", "true"},
    {"std.equalsIgnoreCase('Login@Example.ORG', 'lOGIN@eXAMPLE.org')", "true"},
    {"std.equalsIgnoreCase('\\u00c0\\u03a3\\u212a', '\\u00e0\\u03c2k')", "true"},
    {"std.equalsIgnoreCase('Stra\\u00dfe', 'STRASSE')", "false"},
    {"std.equalsIgnoreCase('\\u0130', 'i')", "false"},
    {"std.equalsIgnoreCase('ab', 'a')", "false"},
    {"std.flattenDeepArray([1, [2, [3, []]], { a: [4] }])", "[1,2,3,{\"a\":[4]}]"},
    {"std.flattenDeepArray('a')", "[\"a\"]"},
    {"std.hypot(3, 4)", "5"},
    {"[std.isDecimal(x) for x in [1, 1.5, -2]]", "[false,true,false]"},
    {"[std.isInteger(x) for x in [1, 1.5, -2]]", "[true,false,true]"},
    {"[std.isEven(x) for x in [2, 3, -2.5, 0]]", "[true,false,true,true]"},
    {"[std.isOdd(x) for x in [2, 3, -3.5]]", "[false,true,true]"},
    {"std.log2(8)", "3"},
    {"std.isDecimal(std.log10(1000) * 1000000) || std.log10(1000) == 3", "true"},
    {"std.log10(100)", "2"},
    {"std.maxArray([3, 9, 2])", "9"},
    {"std.maxArray(['a', 'c', 'b'])", "\"c\""},
    {"std.maxArray([{ n: 1 }, { n: 2 }], function(o) -o.n)", "{\"n\":1}"},
    {"std.maxArray([], onEmpty='none')", "\"none\""},
    {"std.minArray([3, 1, 2])", "1"},
    {"std.minArray([[1, 2], [1, 1]])", "[1,1]"},
    {"std.minArray([{ n: 'b', k: 1 }, { n: 'a', k: 1 }], keyF=function(o) o.k).n", "\"b\""},
    {"std.minArray([null])", "null"},
    {"std.objectRemoveKey({ a: 1, b:: 2, c: 3 }, 'a')", "{\"c\":3}"},
    {"std.objectFieldsAll(std.objectRemoveKey({ a: 1, b:: 2, c: 3 }, 'a'))", "[\"b\",\"c\"]"},
    {"std.objectRemoveKey({ a: 1 }, 'b')", "{\"a\":1}"},
    {"std.pi > 3.14159265358979 && std.pi < 3.1415926535898", "true"},
    {"std.remove([1, 2, 3, 2], 2)", "[1,3,2]"},
    {"std.remove([1], [1])", "[1]"},
    {"std.removeAt([1, 2, 3], 1)", "[1,3]"},
    {"std.removeAt([1, 2, 3], 3)", "[1,2,3]"},
    {"std.sha1('abc')", "\"a9993e364706816aba3e25717850c26c9cd0d89d\""},
    {"std.sha256('abc\\u00e9')",
     "\"ab2b4afd2eb587b106d4831e83d3f408a44dc34a4479fa991b8dd19cc63d7208\""},
    {"std.sha512('')",
     "\"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d"
     "2877eec2f63b931bd47417a81a538327af927da3e\""},
    {"std.trim(' \\t\\n\\f\\r\\u0085\\u00a0a b\\u2003 ')", "\"a b\""},
    {"std.trim(str='   ')", "\"\""},
    {"std.trim('\\u200ba')", "\"\\u200ba\""},
    {"std.id([1])", "[1]"},
    // 0.22
    {"[std.isNull(x) for x in [null, 0, '', []]]", "[true,false,false,false]"},
    // There before, but with separators of one character.
    {"std.split('a--b-c', '--')", "[\"a\",\"b-c\"]"},
    {"std.split('', ',')", "[\"\"]"},
    {"std.splitLimit('a--b--c', '--', 1)", "[\"a\",\"b--c\"]"},
    {"std.splitLimit('a,b', ',', 0)", "[\"a,b\"]"},
    {"std.splitLimit(',a,', ',', -1)", "[\"\",\"a\",\"\"]"},
    // What was there before is there still.
    {"[std.length('\\u00e9'), std.join('-', ['a', 'b']), '%03d' % 7, [1, 2, 3][1:]]",
     "[1,\"a-b\",\"007\",[2,3]]"},
    {"std.manifestIni({ main: { a: 1 }, sections: {} })", "\"a = 1\\n\""},
};

static void every_function_gives_what_is_documented(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, 64 * 1024);
    buffer_puts(&text, "function(p) [\n");
    for (size_t i = 0; i < COUNT(documented); i++)
        buffer_printf(&text, "%s,\n", documented[i].expression);
    buffer_puts(&text, "]");
    assert_false(text.failed);

    json_auto_t *results = json_array();
    struct stream stream = {.count = 1, .results = results};
    struct error err;
    bool in_payload;
    if (!run(text.data, &stream, &in_payload, &err))
        fail_msg("%s", err.message); // the line is the number of the case, and one
    json_t *values = json_array_get(results, 0);
    assert_int_equal(json_array_size(values), COUNT(documented));
    for (size_t i = 0; i < COUNT(documented); i++) {
        json_auto_t *want = json_loads(documented[i].want, JSON_DECODE_ANY, NULL);
        assert_non_null(want);
        json_t *value = json_array_get(values, i);
        bool same = json_is_number(want) ? json_is_number(value) &&
                                               json_number_value(value) == json_number_value(want)
                                         : json_equal(value, want);
        AUTO_FREE char *got = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!same)
            fail_msg("%s is %s, not %s", documented[i].expression, got, documented[i].want);
    }
}

static void wrong_arguments_are_told_without_a_value(void **state)
{
    (void)state;
    static const char types[] = "standard function called with values of the wrong types";
    static const char native_types[] = "a native takes no arrays, objects and functions";
    static const char empty[] = "standard function called with an empty array";
    static const char range[] = "standard function called with a value out of range";
    static const char integer[] = "standard function called with a number that is no integer";
    static const struct {
        const char *expression, *want;
    } cases[] = {
        {"std.all([true, p.secret])", types},
        {"std.all(p.secret)", types},
        {"std.any([p.secret])", types},
        {"std.contains(p.secret, 'h')", types},
        {"std.remove(p.secret, 'h')", types},
        {"std.removeAt([1], 0.5)", integer},
        {"std.removeAt([1], p.secret)", types},
        {"std.sum([p.secret])", types},
        {"std.avg([])", empty},
        {"std.avg(p.secret)", types},
        {"std.minArray([])", empty},
        {"std.maxArray([1, p.secret])", "comparison of values of different types"},
        {"std.objectRemoveKey({ a: 1 }, 5)", types},
        {"std.objectKeysValues(p.secret)", types},
        {"std.isEmpty(5)", types},
        {"std.isEmpty([p.secret])", native_types},
        {"std.trim({ a: p.secret })", native_types},
        {"std.trim(null)", types},
        {"std.equalsIgnoreCase(p.secret, 5)", types},
        {"std.splitLimitR(p.secret, '', -1)", range},
        {"std.splitLimitR(p.secret, 'h', -2)", range},
        {"std.splitLimitR(p.secret, 'h', 1.5)", integer},
        {"std.split(5, p.secret)", types},
        {"std.sha256(5)", types},
        {"std.sha3(p.secret)", "std.sha3 is not to be had here"},
        {"std.round(p.secret)", types},
        {"std.hypot(p.secret, 1)", types},
        {"std.isEven(p.secret)", types},
        {"std.xor(p.secret, true)", types},
        {"std.xnor(true, 1)", types},
        {"std.log2(0)", "number overflow"},
        {"std.log10(-1)", "not a number"},
        {"std.hypot(1.7e308, 1.7e308)", "number overflow"},
    };
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, 64 * 1024);
    buffer_puts(&text, "function(p) [function()\n");
    for (size_t i = 0; i < COUNT(cases); i++)
        buffer_printf(&text, "%s, function()\n", cases[i].expression);
    buffer_puts(&text, "null][p.n]()");

    json_auto_t *results = json_array();
    struct stream stream = {.count = COUNT(cases), .results = results};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        bool in_payload;
        if (run(text.data, &stream, &in_payload, &err))
            fail_msg("%s did not fail", cases[i].expression);
        assert_true(in_payload);
        char place[40];
        snprintf(place, sizeof(place), "my.jsonnet:%zu:", i + 2);
        const char *what = strstr(err.message, ": ");
        if (strncmp(err.message, place, strlen(place)) != 0 || !what ||
            strncmp(what + 2, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s", cases[i].expression, err.message);
        assert_null(strstr(err.message, "hunter2"));
    }
    json_decref(stream.document);
}

// As it could stand in Kratos' documentation: no native of ours, and everything go-jsonnet has.
static void a_normaliser_for_go_jsonnet_runs_as_it_is(void **state)
{
    (void)state;
    static const char text[] =
        "function(ctx)\n"
        "  local data = std.get(ctx, 'template_data', {});\n"
        "  local traits = std.get(std.get(data, 'identity', {}), 'traits', {});\n"
        "  local name = std.trim(std.get(traits, 'name', ''));\n"
        "  local codes = [kv.value for kv in std.objectKeysValues(data)\n"
        "                 if std.endsWith(kv.key, '_code')];\n"
        "  local staff = std.any([\n"
        "    std.equalsIgnoreCase(std.splitLimitR(ctx.recipient, '@', 1)[1], domain)\n"
        "    for domain in ['Example.COM', 'example.org']\n"
        "  ]);\n"
        "  assert std.all([std.isString(code) for code in codes]) : 'a code is a text';\n"
        "  {\n"
        "    channel: 'email',\n"
        "    template: ctx.template_type,\n"
        "    to: std.trim(ctx.recipient),\n"
        "    data: {\n"
        "      [if !std.isEmpty(name) then 'name']: name,\n"
        "      [if std.length(codes) > 0 then 'code']: std.maxArray(codes),\n"
        "    },\n"
        "    locales: std.flattenDeepArray([std.get(traits, 'lang', []), [['en']]]),\n"
        "    expires_in_minutes: std.round(data.expires_in_minutes),\n"
        "    identity_id: std.sha256(data.identity.id)[:16],\n"
        "    brand: if staff && std.contains(['a', 'b'], 'b') then 'staff' else null,\n"
        "    fallback: std.objectRemoveKey({ subject: ctx.subject, text: ctx.body, html: 1 }, "
        "'html'),\n"
        "  }\n";
    static const char payload[] =
        "{\"recipient\":\" "
        "Zoe@EXAMPLE.com\",\"template_type\":\"login_code_valid\",\"subject\":\"S\","
        "\"body\":\"B\",\"template_data\":{\"login_code\":\"750046\",\"expires_in_minutes\":14.6,"
        "\"identity\":{\"id\":\"7c0f\",\"traits\":{\"name\":\" Zo\\u00eb "
        "\",\"lang\":[\"hu\",[\"de\"]]}}}}";
    static const char want[] =
        "{\"channel\":\"email\",\"template\":\"login_code_valid\",\"to\":\"Zoe@EXAMPLE.com\","
        "\"data\":{\"code\":\"750046\",\"name\":\"Zo\\u00eb\"},\"locales\":[\"hu\",\"de\",\"en\"],"
        "\"expires_in_minutes\":15,\"identity_id\":\"19a0f451d69e1906\",\"brand\":\"staff\","
        "\"fallback\":{\"subject\":\"S\",\"text\":\"B\"}}";
    AUTO_FREE char *copy = strdup(text);
    json_auto_t *results = json_array();
    struct stream stream = {.count = 1, .payload = payload, .results = results};
    struct error err;
    bool in_payload;
    if (!run(copy, &stream, &in_payload, &err))
        fail_msg("%s", err.message);
    json_auto_t *wanted = json_loads(want, 0, NULL);
    AUTO_FREE char *got = json_dumps(json_array_get(results, 0), JSON_SORT_KEYS);
    if (!json_equal(json_array_get(results, 0), wanted))
        fail_msg("%s", got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_gives_what_is_documented),
        cmocka_unit_test(wrong_arguments_are_told_without_a_value),
        cmocka_unit_test(a_normaliser_for_go_jsonnet_runs_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
