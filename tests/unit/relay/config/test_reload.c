// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "relay/children/composer_session.h"
#include "tests/unit/relay/config/folder.h"

#define NEW_KEY "new-key-0123456789abcdef"

static struct config *load_relay(void)
{
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    config_report_finish(&report);
    return config;
}

static struct config *reload(const struct config *old)
{
    struct config_report report;
    struct config *config = config_reload(old, &report);
    if (!config && report.count)
        fail_msg("%s: %s", report.findings[0].where, report.findings[0].what);
    assert_non_null(config);
    config_report_finish(&report);
    return config;
}

// The names that differ, separated by spaces; a '*' behind those that wait for a restart.
static const char *changes(const struct config *before, const struct config *after)
{
    static char text[512];
    text[0] = '\0';
    size_t number = 0;
    bool reloads;
    for (const char *name; (name = config_next_change(before, after, &number, &reloads));) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof(text) - size, "%s%s%s", size ? " " : "", name,
                 reloads ? "" : "*");
    }
    return text;
}

static void reads_the_secrets_that_were_wiped(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_QUEUE_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
           1);
    struct config *first = load_relay();
    assert_null(getenv("RELAY_API_KEY"));
    struct config *second = reload(first);
    assert_string_equal(changes(first, second), "");
    config_destroy(first); // nothing of it is shared

    struct config *third = reload(second);
    config_destroy(second);
    assert_string_equal(third->clear_api_key, KEY);
    assert_int_equal(strlen(third->queue_key), 64);
    assert_int_equal(third->smarthost_count, 1);
    assert_string_equal(config_place(third, "api_key"), "RELAY_API_KEY");
    assert_null(getenv("RELAY_API_KEY"));
    config_destroy(third);
}

static void changes_nothing_in_the_environment(void **state)
{
    (void)state;
    set_needed();
    struct config *first = load_relay();
    size_t count = 0;
    while (environ[count])
        count++;
    char **before = calloc(count + 1, sizeof(*before)), **array = environ;
    for (size_t i = 0; i < count; i++)
        before[i] = strdup(environ[i]);
    struct config *second = reload(first);
    assert_ptr_equal(environ, array);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(environ[i], before[i]);
        free(before[i]);
    }
    assert_null(environ[count]);
    free(before);

    // The next incarnation gets the same from either.
    char **from_first = config_exec_environment(first);
    char **from_second = config_exec_environment(second);
    for (size_t i = 0; from_first[i] || from_second[i]; i++)
        assert_string_equal(from_first[i], from_second[i]);
    free(from_first);
    free(from_second);
    config_destroy(first);
    config_destroy(second);
}

static void a_secrets_file_is_read_again(void **state)
{
    set_needed();
    unsetenv("RELAY_API_KEY");
    char *path = write_file(*state, "secret", "kratos:" KEY "\n", 0400);
    setenv("RELAY_API_KEY_FILE", path, 1);
    struct config *first = load_relay();
    unlink(path);
    free(path);
    path = write_file(*state, "secret", "kratos:" KEY ",kratos-2:" NEW_KEY, 0400);
    struct config *second = reload(first);
    assert_string_equal(changes(first, second), "api_key");
    struct api_key_entry entry;
    assert_false(api_keys_find(first->api_keys, NEW_KEY, strlen(NEW_KEY), &entry));
    assert_true(api_keys_find(second->api_keys, NEW_KEY, strlen(NEW_KEY), &entry));
    assert_string_equal(entry.name, "kratos-2");
    config_destroy(second);

    // The line end behind a secret is no part of it.
    unlink(path);
    free(path);
    path = write_file(*state, "secret", "kratos:" KEY "\r\n", 0400);
    second = reload(first);
    assert_string_equal(changes(first, second), "");
    config_destroy(second);

    // The same faults as at the start, and what was read before stays.
    unlink(path);
    struct config_report report;
    assert_null(config_reload(first, &report));
    assert_true(reports(&report, true, "RELAY_API_KEY_FILE", "No such file"));
    config_report_finish(&report);
    assert_string_equal(first->clear_api_key, KEY);
    config_destroy(first);
    free(path);
}

static void warns_again(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_API_KEY", "kratos:short", 1);
    struct config *first = load_relay();
    struct config_report report;
    struct config *second = config_reload(first, &report);
    assert_true(reports(&report, false, "RELAY_API_KEY", "kratos has fewer than 16"));
    config_report_finish(&report);
    config_destroy(second);
    config_destroy(first);
}

// The environment of a running relay does not change; here it stands for its file.
static void names_what_changed_and_what_waits_for_a_restart(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *value, *want;
    } cases[] = {
        {"RELAY_MAIL_FROM", "Other <o@acme.example>", "mail_from"},
        {"RELAY_MAIL_REPLY_TO", "help@acme.example", "mail_reply_to"},
        {"RELAY_MAIL_HEADERS", "{}", "mail_headers"},
        {"RELAY_TEMPLATES_DIR", "/t", "templates_dir"},
        {"RELAY_NORMALISER", "/n.jsonnet", "normaliser"},
        {"RELAY_ROUTES", "{}", "routes"},
        {"RELAY_LOCALE", "hu", "locale"},
        {"RELAY_LOCALE", "en", ""}, // what it was without
        {"RELAY_TIMEZONE", "Europe/Budapest", "timezone"},
        {"RELAY_LIFETIME", "login_code_valid=15m", "lifetime"},
        {"RELAY_LOG_LEVEL", "debug", "log_level"},
        {"RELAY_LOG_FORMAT", "text", "log_format*"},
        {"RELAY_LISTEN", ":9", "listen*"},
        {"RELAY_ADMIN_LISTEN", "off", "admin_listen*"},
        {"RELAY_ADMIN_KEY", "a:read:" KEY, "admin_key"},
        {"RELAY_QUEUE_DIR", "/q", "queue_dir*"},
        {"RELAY_SMTP_HELO", "relay.example", "smtp_helo"},
        {"RELAY_BODY_LIMIT", "2048", "body_limit*"},
        {"RELAY_CONNECTIONS", "4", "connections"},
        {"RELAY_TRANSACTION_TIMEOUT", "5s", "transaction_timeout"},
        {"RELAY_DEADLINE_MARGIN", "0s", "deadline_margin*"},
        {"RELAY_SHUTDOWN_GRACE", "1s", "shutdown_grace*"},
    };
    set_needed();
    struct config *first = load_relay();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *set = getenv(cases[i].variable);
        char *was = set ? strdup(set) : NULL;
        setenv(cases[i].variable, cases[i].value, 1);
        struct config *second = reload(first);
        assert_string_equal(changes(first, second), cases[i].want);
        assert_string_equal(changes(second, first), cases[i].want);
        config_destroy(second);
        unsetenv(cases[i].variable);
        if (was)
            setenv(cases[i].variable, was, 1);
        free(was);
    }
    setenv("RELAY_LOCALE", "hu", 1);
    setenv("RELAY_LISTEN", ":9", 1);
    struct config *second = reload(first);
    assert_string_equal(changes(first, second), "listen* locale");
    config_destroy(second);
    config_destroy(first);
}

// As a deliverer does that was started with it.
static void what_is_held_outlives_its_owner(void **state)
{
    (void)state;
    set_needed();
    struct config *first = load_relay();
    const struct config *held = config_hold(first);
    config_destroy(first);
    assert_int_equal(held->smarthost_count, 1);
    assert_non_null(held->smarthosts[0].uri);
    config_release(held); // the sanitizer sees to it that nothing of it stays
}

static void a_fault_keeps_nothing(void **state)
{
    (void)state;
    set_needed();
    struct config *first = load_relay();
    setenv("RELAY_LOCALE", "e\nn", 1);
    setenv("RELAY_XYZZY", "1", 1);
    struct config_report report;
    assert_null(config_reload(first, &report));
    assert_int_equal(report.count, 2);
    assert_true(reports(&report, true, "RELAY_LOCALE", "control"));
    assert_true(reports(&report, true, "RELAY_XYZZY", "not known"));
    config_report_finish(&report);

    // What was needed at the start still is.
    unsetenv("RELAY_LOCALE");
    unsetenv("RELAY_XYZZY");
    unsetenv("RELAY_MAIL_FROM");
    assert_null(config_reload(first, &report));
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, true, "RELAY_MAIL_FROM", "is needed"));
    config_report_finish(&report);
    config_destroy(first);
}

// What the composer is told of routes.
static void the_composer_is_told_of_every_route(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_ROUTES",
           "{\"crm\": {\"path\": \"/crm\", \"normaliser\": \"c.jsonnet\","
           " \"defaults\": {\"locale\": \"de\"}}, \"kratos\": {\"normaliser\": \"k.jsonnet\"}}",
           1);
    struct config *config = load_relay();
    json_auto_t *header = composer_init_header(config);
    json_auto_t *want = json_loads("[{\"name\": \"kratos\", \"normaliser\": \"k.jsonnet\","
                                   "  \"defaults\": null},"
                                   " {\"name\": \"crm\", \"normaliser\": \"c.jsonnet\","
                                   "  \"defaults\": {\"default_locale\": \"de\"}}]",
                                   0, NULL);
    assert_true(want && json_equal(json_object_get(header, "routes"), want));
    assert_null(json_object_get(header, "normaliser"));
    config_destroy(config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_the_secrets_that_were_wiped),
        TEST(changes_nothing_in_the_environment),
        TEST(a_secrets_file_is_read_again),
        TEST(warns_again),
        TEST(names_what_changed_and_what_waits_for_a_restart),
        TEST(what_is_held_outlives_its_owner),
        TEST(a_fault_keeps_nothing),
        TEST(the_composer_is_told_of_every_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
