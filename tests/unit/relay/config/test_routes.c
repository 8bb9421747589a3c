// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "tests/unit/relay/config/folder.h"

#define KEYS "kratos:" KEY ",crm:" KEY "2"

// Texts are written with ' for ", as nobody could read them else.
static void set_routes(const char *text)
{
    char *json = strdup(text);
    assert_non_null(json);
    for (char *at = json; *at; at++)
        if (*at == '\'')
            *at = '"';
    set_needed();
    setenv("RELAY_API_KEY", KEYS, 1);
    setenv("RELAY_ROUTES", json, 1);
    free(json);
}

static void reads_a_further_route(void **state)
{
    (void)state;
    set_routes("{'crm': {'path': '/crm/events', 'normaliser': 'crm.jsonnet', 'keys': ['crm'],"
               " 'defaults': {'template': 'welcome', 'locale': 'de', 'brand': 'acme',"
               " 'timezone': 'Europe/Berlin', 'expires_in_minutes': 60}, 'samples': 'crm-samples'},"
               " 'bare': {'path': '/', 'normaliser': '/n.jsonnet', 'keys': null}, 'off': null}");
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 0);
    assert_int_equal(config->route_count, 3);
    assert_string_equal(config->routes[0].name, "kratos");
    assert_string_equal(config->routes[0].path, "/kratos/webhook");
    const struct config_route *crm = &config->routes[1], *bare = &config->routes[2];
    assert_string_equal(crm->name, "crm");
    assert_string_equal(crm->path, "/crm/events");
    assert_string_equal(crm->normaliser, "crm.jsonnet");
    assert_string_equal(crm->keys[0], "crm");
    assert_null(crm->keys[1]);
    assert_string_equal(
        crm->defaults,
        "{\"template\":\"welcome\",\"brand\":\"acme\",\"timezone\":\"Europe/Berlin\","
        "\"expires_in_minutes\":60,\"default_locale\":\"de\"}");
    assert_string_equal(crm->samples_dir, "crm-samples");
    assert_string_equal(bare->path, "/");
    assert_null(bare->keys);
    assert_null(bare->defaults);
    assert_null(bare->samples_dir);
    config_destroy(config);
    config_report_finish(&report);
}

static void kratos_is_the_route_that_is_always_there(void **state)
{
    (void)state;
    set_routes("{'kratos': {'path': '/mail', 'normaliser': 'own.jsonnet', 'keys': ['kratos'],"
               " 'defaults': {'timezone': 'Europe/Budapest'}, 'samples': 'own-samples'}}");
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(config->route_count, 1);
    const struct config_route *kratos = &config->routes[0];
    assert_string_equal(kratos->name, "kratos");
    assert_string_equal(kratos->path, "/mail");
    assert_string_equal(kratos->normaliser, "own.jsonnet");
    assert_string_equal(config->normaliser, "own.jsonnet");
    assert_string_equal(kratos->keys[0], "kratos");
    assert_string_equal(kratos->defaults, "{\"timezone\":\"Europe/Budapest\"}");
    assert_string_equal(kratos->samples_dir, "own-samples");
    config_destroy(config);
    config_report_finish(&report);

    // Its normaliser is said in one place.
    set_routes("{'kratos': {'normaliser': 'own.jsonnet'}}");
    setenv("RELAY_NORMALISER", "/other.jsonnet", 1);
    assert_null(config_load(NULL, CONFIG_FOR_RELAY, &report));
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, true, "RELAY_ROUTES",
                        "kratos.normaliser is given by RELAY_NORMALISER already"));
    config_report_finish(&report);

    set_routes("{'kratos': {'path': '/mail'}}");
    config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_string_equal(config->routes[0].normaliser, "/other.jsonnet");
    config_destroy(config);
    config_report_finish(&report);
}

#define ROUTE(members) "{'crm': {'path': '/crm', 'normaliser': 'n', " members "}}"
#define PATH(path) "{'crm': {'normaliser': 'n', 'path': '" path "'}}"
#define DEFAULTS(members) ROUTE("'defaults': {" members "}")
#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define NOT_PRINTABLE "crm.path is not of printable ASCII"
#define DOTS "crm.path holds '//', '/./' or '/../'"
#define RESERVED "crm.path is below /health or /admin"
#define NO_KEYS "crm.keys is no list of names; leave it out to allow every key"
#define NO_LOCALE "crm.defaults.locale is no language, like 'de'"

static void names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } cases[] = {
        {"{", "is no JSON, line 1 column"},
        {"{'a': {}, 'a': {}}", "is no JSON, line 1 column"},
        {"'text'", "is not an object of routes"},
        {"null", "is not an object of routes"},
        {"{'crm': []}", "crm is no object"},
        {"{'': {}}", "a name is not of 1 to 64 letters, digits, '-_.'"},
        {"{'a b': {}}", "a name is not of"},
        {"{'" LONG_64 "5': {}}", "a name is not of"},
        {"{'\303\244': {}}", "a name is not of"},
        {ROUTE("'pth': 1"), "crm.pth is not known; did you mean path?"},
        {ROUTE("'sample': 1"), "crm.sample is not known; did you mean samples?"},
        {ROUTE("'xyzzy': 1"), "crm.xyzzy is not known"},
        {"{'crm': {'path': '/crm'}}", "crm.normaliser is needed"},
        {"{'crm': {'path': '/crm', 'normaliser': null}}", "crm.normaliser is needed"},
        {"{'crm': {'path': '/crm', 'normaliser': ''}}", "crm.normaliser is no text"},
        {"{'crm': {'path': '/crm', 'normaliser': 1}}", "crm.normaliser is no text"},
        {"{'crm': {'path': '/crm', 'normaliser': 'a\\nb'}}", "crm.normaliser holds a control"},
        {"{'crm': {'normaliser': 'n'}}", "crm.path is needed"},
        {"{'crm': {'normaliser': 'n', 'path': 1}}", "crm.path is no text"},
        {"{'kratos': {'path': 1}}", "kratos.path is no text"},
        {PATH(""), "crm.path is no text"},
        {PATH("crm"), "crm.path does not begin with '/'"},
        {PATH("/c%72m"), NOT_PRINTABLE},
        {PATH("/crm?a"), NOT_PRINTABLE},
        {PATH("/crm#a"), NOT_PRINTABLE},
        {PATH("/c m"), NOT_PRINTABLE},
        {PATH("/\303\244"), NOT_PRINTABLE},
        {PATH("/crm\\u007f"), "crm.path holds a control character"},
        {PATH("//crm"), DOTS},
        {PATH("/crm//a"), DOTS},
        {PATH("/crm//"), DOTS},
        {PATH("/./crm"), DOTS},
        {PATH("/crm/."), DOTS},
        {PATH("/a/../crm"), DOTS},
        {PATH("/crm/.."), DOTS},
        {PATH("/" LONG_64 LONG_64 LONG_64 LONG_64), "crm.path is too long"},
        {PATH("/health"), RESERVED},
        {PATH("/health/mine"), RESERVED},
        {PATH("/admin"), RESERVED},
        {PATH("/admin/x"), RESERVED},
        {PATH("/kratos/webhook"), "crm.path is that of kratos as well"},
        {"{'crm': {'path': '/a', 'normaliser': 'n'}, 'kratos': {'path': '/a'}}",
         "crm.path is that of kratos as well"},
        {"{'a': {'path': '/a', 'normaliser': 'n'}, 'b': {'path': '/a', 'normaliser': 'n'}}",
         "b.path is that of a as well"},
        {ROUTE("'keys': 'crm'"), NO_KEYS},
        {ROUTE("'keys': []"), NO_KEYS},
        {ROUTE("'keys': ['crm', 1]"), NO_KEYS},
        {ROUTE("'keys': ['crm', 'crn']"), "crm.keys names at place 2 what is no key's"},
        {ROUTE("'keys': ['']"), "crm.keys names at place 1 what is no key's name in api_key"},
        {ROUTE("'samples': {}"), "crm.samples is no text"},
        {ROUTE("'defaults': []"), "crm.defaults is no object"},
        {DEFAULTS("'templte': 'a'"), "crm.defaults.templte is not known; did you mean template?"},
        {DEFAULTS("'to': 'a@b.example'"), "crm.defaults.to is not known"},
        {DEFAULTS("'template': 1"), "crm.defaults.template is no short word"},
        {DEFAULTS("'template': ''"), "crm.defaults.template is no short word"},
        {DEFAULTS("'template': '" LONG_64 "5'"), "crm.defaults.template is no short word"},
        {DEFAULTS("'timezone': 'Europe/ Berlin'"), "crm.defaults.timezone is no short word"},
        {DEFAULTS("'brand': ['a']"), "crm.defaults.brand is no short word"},
        {DEFAULTS("'locale': ['de']"), NO_LOCALE},
        {DEFAULTS("'locale': ''"), NO_LOCALE},
        {DEFAULTS("'locale': 'de en'"), NO_LOCALE},
        {DEFAULTS("'locales': ['de']"), "crm.defaults.locales is not known; did you mean locale?"},
        {DEFAULTS("'expires_in_minutes': 0"), "crm.defaults.expires_in_minutes is no number"},
        {DEFAULTS("'expires_in_minutes': -1"), "crm.defaults.expires_in_minutes is no number"},
        {DEFAULTS("'expires_in_minutes': '60'"), "crm.defaults.expires_in_minutes is no number"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_routes(cases[i].text);
        struct config_report report;
        if (config_load(NULL, CONFIG_FOR_RELAY, &report))
            fail_msg("taken: %s", cases[i].text);
        if (report.count != 1 || !reports(&report, true, "RELAY_ROUTES", cases[i].what))
            fail_msg("%s: %zu findings", cases[i].text, report.count);
        config_report_finish(&report);
    }
}

static void takes_what_is_at_the_limit(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{'" LONG_64 "': {'path': '/a', 'normaliser': 'n'}}",
        "{'A-b_c.9': {'path': '/a', 'normaliser': 'n'}}",
        PATH("/healthy"),
        PATH("/x/health"),
        PATH("/administration"),
        PATH("/Kratos/webhook"),
        PATH("/crm/"),
        PATH("/.../.a/a."),
        PATH("/!$&()*+,;=:@~_-"),
        ROUTE("'keys': ['crm', 'kratos']"),
        ROUTE("'defaults': {}"),
        DEFAULTS("'template': '" LONG_64 "', 'expires_in_minutes': 0.5, 'locale': null"),
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_routes(cases[i]);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        if (!config)
            print_message("%s: %s\n", cases[i], report.count ? report.findings[0].what : "");
        assert_int_equal(config ? config->route_count : 0, 2);
        config_destroy(config);
        config_report_finish(&report);
    }
}

static void says_all_that_is_wrong_at_once(void **state)
{
    (void)state;
    set_routes("{'a': {'path': 'a', 'keys': ['no'], 'defaults': {'brand': 1, 'x': 1}},"
               " 'b': 1, 'c': {'path': '/health', 'normaliser': 'n', 'y': 1}}");
    struct config_report report;
    assert_null(config_load(NULL, CONFIG_FOR_RELAY, &report));
    assert_int_equal(report.count, 8);
    config_report_finish(&report);
}

static void there_are_at_most_32(void **state)
{
    (void)state;
    char text[4096];
    for (int count = 31; count <= 32; count++) {
        size_t size = 0;
        for (int i = 0; i < count; i++)
            size += (size_t)snprintf(text + size, sizeof(text) - size,
                                     "%c'r%d': {'path': '/%d', 'normaliser': 'n'}", i ? ',' : '{',
                                     i, i);
        snprintf(text + size, sizeof(text) - size, ", 'kratos': {'path': '/mail'}}");
        set_routes(text);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        if (count < 32)
            assert_int_equal(config->route_count, 32); // with Kratos'
        else
            assert_true(reports(&report, true, "RELAY_ROUTES", "r31 is one more than 32 routes"));
        config_destroy(config);
        config_report_finish(&report);
    }
}

// A command need not know the keys, and what is wrong with them is said once.
static void keys_that_are_not_there_are_no_second_fault(void **state)
{
    (void)state;
    set_routes(ROUTE("'keys': ['crm']"));
    unsetenv("RELAY_API_KEY");
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_COMMAND, &report);
    assert_non_null(config);
    config_destroy(config);
    config_report_finish(&report);

    set_routes(ROUTE("'keys': ['crm']"));
    setenv("RELAY_API_KEY", "crm:", 1);
    assert_null(config_load(NULL, CONFIG_FOR_RELAY, &report));
    assert_int_equal(report.count, 1);
    config_report_finish(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_a_further_route),
        TEST(kratos_is_the_route_that_is_always_there),
        TEST(names_what_is_wrong),
        TEST(takes_what_is_at_the_limit),
        TEST(says_all_that_is_wrong_at_once),
        TEST(there_are_at_most_32),
        TEST(keys_that_are_not_there_are_no_second_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
