// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "tests/unit/relay/config/folder.h"

static void a_look_at_the_queue_needs_only_its_folder(void **state)
{
    (void)state;
    setenv("RELAY_QUEUE_DIR", "/q", 1);
    setenv("RELAY_API_KEY", "two words", 1);
    setenv("RELAY_SMTP_URI_FILE", "/nonexistent/uri", 1);
    setenv("RELAY_LISTEN", "nowhere", 1);
    setenv("RELAY_ROUTES", "[]", 1);
    setenv("RELAY_XYZZY", "1", 1);
    struct config_report report;
    // Nor is a file needed where the environment says it already.
    struct config *config = config_load("/nonexistent/relay", CONFIG_FOR_QUEUE, &report);
    assert_non_null(config);
    assert_string_equal(config->queue_dir, "/q");
    assert_string_equal(config_place(config, "queue_dir"), "RELAY_QUEUE_DIR");
    assert_string_equal(config_place(config, "listen"), "listen");
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, false, "RELAY_XYZZY", "not known"));
    assert_null(getenv("RELAY_API_KEY")); // wiped all the same
    config_destroy(config);
    config_report_finish(&report);

    // Which folder it is must be known.
    unsetenv("RELAY_QUEUE_DIR");
    assert_null(config_load("/nonexistent/relay", CONFIG_FOR_QUEUE, &report));
    assert_true(reports(&report, true, "/nonexistent/relay", "No such file"));
    config_report_finish(&report);
    setenv("RELAY_QUEUE_DIR", "/q\n", 1);
    assert_null(config_load(NULL, CONFIG_FOR_QUEUE, &report));
    assert_true(reports(&report, true, "RELAY_QUEUE_DIR", "control"));
    config_report_finish(&report);
}

static void asking_for_health_needs_only_where_the_relay_listens(void **state)
{
    (void)state;
    setenv("RELAY_LISTEN", "[::1]:8025", 1);
    setenv("RELAY_API_KEY", "two words", 1);
    setenv("RELAY_QUEUE_DIR", "/q\n", 1);
    setenv("RELAY_XYZZY", "1", 1);
    struct config_report report;
    struct config *config = config_load("/nonexistent/relay", CONFIG_FOR_HEALTH, &report);
    assert_non_null(config);
    assert_string_equal(config->listen.host, "::1");
    assert_int_equal(config->listen.port, 8025);
    config_destroy(config);
    config_report_finish(&report);

    unsetenv("RELAY_LISTEN"); // what the file has cannot be guessed
    assert_null(config_load("/nonexistent/relay", CONFIG_FOR_HEALTH, &report));
    assert_true(reports(&report, true, "/nonexistent/relay", "No such file"));
    config_report_finish(&report);
    config = config_load(NULL, CONFIG_FOR_HEALTH, &report);
    assert_non_null(config);
    assert_int_equal(config->listen.port, 8080);
    config_destroy(config);
    config_report_finish(&report);
}

static void looking_at_mails_needs_only_what_mails_are_made_of(void **state)
{
    (void)state;
    static const struct {
        enum config_purpose purpose;
        const char *normaliser; // RELAY_NORMALISER's, or another
        size_t route_count;
    } cases[] = {{CONFIG_FOR_MAILS, "/n.jsonnet", 2}, {CONFIG_FOR_TEMPLATES, NULL, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        setenv("RELAY_API_KEY", "two words", 1);
        setenv("RELAY_SMTP_URI_FILE", "/nonexistent/uri", 1);
        setenv("RELAY_LISTEN", "nowhere", 1);
        setenv("RELAY_QUEUE_DIR", "/q\n", 1);
        setenv("RELAY_LOCALE", "hu", 1);
        setenv("RELAY_NORMALISER", "/n.jsonnet", 1);
        setenv("RELAY_ROUTES",
               "{\"crm\": {\"path\": \"/crm\", \"normaliser\": \"/c\", \"keys\": [\"crm\"]}}", 1);
        struct config_report report;
        struct config *config = config_load(NULL, cases[i].purpose, &report);
        assert_non_null(config);
        assert_int_equal(report.count, 0);
        assert_string_equal(config->mail_from, "Example <no-reply@example.com>");
        assert_string_equal(config->locale, "hu");
        assert_string_equal(config->timezone, "UTC");
        assert_int_equal(config->route_count, cases[i].route_count);
        if (cases[i].normaliser)
            assert_string_equal(config->normaliser, cases[i].normaliser);
        else
            assert_string_not_equal(config->normaliser, "/n.jsonnet");
        assert_null(config->queue_dir);
        assert_null(getenv("RELAY_API_KEY")); // wiped all the same
        config_destroy(config);
        config_report_finish(&report);
    }
}

static void looking_at_mails_takes_the_sender_that_is_set_and_finds_faults(void **state)
{
    (void)state;
    setenv("RELAY_MAIL_FROM", "Acme <no-reply@acme.example>", 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_TEMPLATES, &report);
    assert_non_null(config);
    assert_string_equal(config->mail_from, "Acme <no-reply@acme.example>");
    config_destroy(config);
    config_report_finish(&report);

    setenv("RELAY_LIFETIME", "login_code_valid=soon", 1);
    setenv("RELAY_TEMPLATE_DIR", "/t", 1);
    assert_null(config_load(NULL, CONFIG_FOR_TEMPLATES, &report));
    assert_int_equal(report.count, 2);
    assert_true(reports(&report, true, "RELAY_LIFETIME", "soon"));
    assert_true(reports(&report, true, "RELAY_TEMPLATE_DIR", "did you mean RELAY_TEMPLATES_DIR?"));
    config_report_finish(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_look_at_the_queue_needs_only_its_folder),
        TEST(asking_for_health_needs_only_where_the_relay_listens),
        TEST(looking_at_mails_needs_only_what_mails_are_made_of),
        TEST(looking_at_mails_takes_the_sender_that_is_set_and_finds_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
