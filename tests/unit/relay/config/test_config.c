// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "relay/base/clock.h"
#include "tests/unit/relay/config/folder.h"

static void three_settings_are_enough(void **state)
{
    (void)state;
    set_needed();
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 0);
    assert_string_equal(config->listen.host, "0.0.0.0");
    assert_int_equal(config->listen.port, 8080);
    assert_false(config->admin_off);
    assert_int_equal(config->admin_listen.port, 8081);
    assert_null(config->admin_keys);
    assert_string_equal(config->queue_dir, "./var");
    assert_null(config->queue_key);
    assert_int_equal(config->smarthost_count, 1);
    assert_true(strlen(config->smtp_helo) > 0);
    assert_string_equal(config->mail_from, "Acme <no-reply@acme.example>");
    assert_null(config->reply_to);
    assert_int_equal(config->lifetime_count, 0);
    assert_string_equal(config->locale, "en");
    assert_string_equal(config->timezone, "UTC");
    assert_int_equal(config->log_format, LOG_JSON);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->body_limit_bytes, 1048576);
    assert_int_equal(config->shutdown_grace_ms, 2000);
    assert_int_equal(config->connections, 64);
    assert_int_equal(config->transaction_timeout_ms, 60000);
    assert_int_equal(config->deadline_margin_ms, 15000);
    assert_int_equal(config->rate_recipient.count, 2);
    assert_int_equal(config->rate_total.count, 0);
    assert_int_equal(config->retention_ms, INT64_C(30) * 24 * 3600 * 1000);
    assert_non_null(strstr(config->templates_dir, "/templates"));
    assert_non_null(strstr(config->normaliser, "/jsonnet/kratos_courier.jsonnet"));
    assert_int_equal(config->route_count, 1);
    assert_string_equal(config->routes[0].name, "kratos");
    assert_string_equal(config->routes[0].path, "/kratos/webhook");
    assert_string_equal(config->routes[0].normaliser, config->normaliser);
    assert_string_equal(config->routes[0].samples_dir, config->samples_dir);
    assert_null(config->routes[0].keys);
    assert_null(config->routes[0].defaults);
    assert_null(config->file);
    config_destroy(config);
    config_report_finish(&report);
}

static void reads_every_setting(void **state)
{
    (void)state;
    set_needed();
    static const char *const settings[][2] = {
        {"RELAY_LISTEN", "[::]:0"},
        {"RELAY_ADMIN_LISTEN", "off"},
        {"RELAY_ADMIN_KEY", "ops:operate:0123456789abcdef"},
        {"RELAY_QUEUE_DIR", "/q"},
        {"RELAY_QUEUE_KEY", "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"},
        {"RELAY_SMTP_HELO", "relay.acme.example"},
        {"RELAY_LIFETIME", "login_code_valid=15m, recovery_valid=1h"},
        {"RELAY_MAIL_REPLY_TO", "help@acme.example"},
        {"RELAY_MAIL_HEADERS", "{\"X-Tag\": \"mail\"}"},
        {"RELAY_TEMPLATES_DIR", "/t"},
        {"RELAY_NORMALISER", "/n.jsonnet"},
        {"RELAY_ROUTES", "{\"kratos\": {\"path\": \"/mail\"}}"},
        {"RELAY_LOCALE", "hu"},
        {"RELAY_TIMEZONE", "Europe/Budapest"},
        {"RELAY_LOG_FORMAT", "text"},
        {"RELAY_LOG_LEVEL", "warning"},
        {"RELAY_BODY_LIMIT", "2048"},
        {"RELAY_SHUTDOWN_GRACE", "500ms"},
        {"RELAY_CONNECTIONS", "4"},
        {"RELAY_TRANSACTION_TIMEOUT", "5s"},
        {"RELAY_DEADLINE_MARGIN", "0s"},
        {"RELAY_RATE_RECIPIENT", "10/1m"},
        {"RELAY_RATE_TOTAL", "100/1s,1000/1h"},
        {"RELAY_RETENTION", "7d"},
    };
    // With the three that are needed: no setting is forgotten here.
    assert_int_equal(COUNT(settings) + 3, SETTING_COUNT);
    for (size_t i = 0; i < COUNT(settings); i++)
        setenv(settings[i][0], settings[i][1], 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_string_equal(config->listen.host, "::");
    assert_int_equal(config->listen.port, 0);
    assert_true(config->admin_off);
    assert_non_null(config->admin_keys);
    assert_string_equal(config->queue_dir, "/q");
    assert_int_equal(strlen(config->queue_key), 64);
    assert_string_equal(config->smtp_helo, "relay.acme.example");
    assert_int_equal(config->lifetime_count, 2);
    assert_string_equal(config->lifetimes[1].type, "recovery_valid");
    assert_int_equal(config->lifetimes[1].ms, 3600000);
    assert_string_equal(config->reply_to, "help@acme.example");
    assert_string_equal(config->mail_headers, "{\"X-Tag\": \"mail\"}");
    assert_string_equal(config->templates_dir, "/t");
    assert_string_equal(config->normaliser, "/n.jsonnet");
    assert_int_equal(config->route_count, 1);
    assert_string_equal(config->routes[0].path, "/mail");
    assert_string_equal(config->locale, "hu");
    assert_string_equal(config->timezone, "Europe/Budapest");
    assert_int_equal(config->log_format, LOG_TEXT);
    assert_int_equal(config->log_level, LOG_WARNING);
    assert_int_equal(config->body_limit_bytes, 2048);
    assert_int_equal(config->shutdown_grace_ms, 500);
    assert_int_equal(config->connections, 4);
    assert_int_equal(config->transaction_timeout_ms, 5000);
    assert_int_equal(config->deadline_margin_ms, 0);
    assert_int_equal(config->rate_recipient.rate[0].count, 10);
    assert_int_equal(config->rate_total.count, 2);
    assert_int_equal(config->retention_ms, INT64_C(7) * 24 * 3600 * 1000);
    config_destroy(config);
    config_report_finish(&report);
}

// The deliverer would refuse it, and every message wait.
static void a_greeting_is_a_host_name_of_bounded_length(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *what; // NULL: nothing
    } cases[] = {{1, "is no host name"},
                 {2, "is no host name"},
                 {3, NULL},
                 {255, NULL},
                 {256, "has more than 255 characters"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[257] = {0};
        memset(name, '.', cases[i].size);
        if (cases[i].size > 2)
            name[0] = 'a';
        set_needed();
        setenv("RELAY_SMTP_HELO", name, 1);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        assert_int_equal(config != NULL, cases[i].what == NULL);
        assert_true(!cases[i].what || reports(&report, true, "RELAY_SMTP_HELO", cases[i].what));
        config_destroy(config);
        config_report_finish(&report);
    }
}

static void names_every_fault_at_once(void **state)
{
    (void)state;
    setenv("RELAY_LISTEN", "nowhere", 1);
    setenv("RELAY_SMTP_URI", "gopher://u:S3CRET@mail.example", 1);
    setenv("RELAY_API_KEY", "na me:S3CRET", 1);
    setenv("RELAY_QUEUE_KEY", "S3CRET", 1);
    setenv("RELAY_LIFETIME", "login_code_valid=soon", 1);
    setenv("RELAY_LOG_LEVEL", "loud", 1);
    setenv("RELAY_BODY_LIMIT", "1", 1);
    setenv("RELAY_SHUTDOWN_GRACE", "2", 1);
    setenv("RELAY_RETENTION", "30s", 1);
    setenv("RELAY_SMTP_HELO", "..", 1);
    setenv("RELAY_DEADLINE_MARGIN", "2h", 1);
    setenv("RELAY_MAIL_FORM", "a@b.example", 1);
    setenv("RELAY_XYZZY", "1", 1);
    setenv("RELAY_LOCALE", "e\nn", 1);
    setenv("RELAY_NORMALISER", "n\n.jsonnet", 1);
    setenv("RELAY_ROUTES", "[]", 1);
    struct config_report report;
    assert_null(config_load(NULL, CONFIG_FOR_RELAY, &report));
    assert_true(reports(&report, true, "RELAY_LISTEN", "host:port"));
    assert_true(reports(&report, true, "RELAY_SMTP_URI", "smarthost 1"));
    assert_true(reports(&report, true, "RELAY_API_KEY", "key 1"));
    assert_true(reports(&report, true, "RELAY_QUEUE_KEY", "64 hexadecimal"));
    assert_true(reports(&report, true, "RELAY_LIFETIME", "login_code_valid=soon"));
    assert_true(reports(&report, true, "RELAY_LOG_LEVEL", "debug"));
    assert_true(reports(&report, true, "RELAY_BODY_LIMIT", "from 1024"));
    assert_true(reports(&report, true, "RELAY_SHUTDOWN_GRACE", "15s"));
    assert_true(reports(&report, true, "RELAY_RETENTION", "is not from 1h to 365d"));
    assert_true(reports(&report, true, "RELAY_SMTP_HELO", "is no host name"));
    assert_true(reports(&report, true, "RELAY_DEADLINE_MARGIN", "is not from 0s to 1h"));
    assert_true(reports(&report, true, "RELAY_MAIL_FORM", "did you mean RELAY_MAIL_FROM"));
    assert_true(reports(&report, true, "RELAY_XYZZY", "not known"));
    assert_true(reports(&report, true, "RELAY_LOCALE", "control"));
    assert_true(reports(&report, true, "RELAY_NORMALISER", "control"));
    assert_true(reports(&report, true, "RELAY_ROUTES", "object of routes"));
    assert_true(reports(&report, true, "RELAY_MAIL_FROM", "is needed"));
    for (size_t i = 0; i < report.count; i++)
        assert_null(strstr(report.findings[i].what, "S3CRET"));
    config_report_finish(&report);
}

static void a_command_needs_nothing(void **state)
{
    (void)state;
    setenv("STATE_DIRECTORY", "/var/lib/relay:/var/lib/other", 1);
    setenv("RELAY_MAIL_REPLY_TO", "", 1); // empty is not set
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_COMMAND, &report);
    assert_non_null(config);
    assert_string_equal(config->queue_dir, "/var/lib/relay");
    assert_null(config->reply_to);
    assert_null(config->api_keys);
    config_destroy(config);
    config_report_finish(&report);
}

static void leaves_service_links_alone(void **state)
{
    (void)state;
    setenv("RELAY_SERVICE_HOST", "10.0.0.7", 1);
    setenv("RELAY_SERVICE_PORT_HTTP", "8080", 1);
    setenv("RELAY_PORT", "tcp://10.0.0.7:8080", 1);
    setenv("RELAY_PORT_8080_TCP_ADDR", "10.0.0.7", 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_COMMAND, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 0);
    config_destroy(config);
    config_report_finish(&report);
}

static void wipes_secrets_from_the_environment(void **state)
{
    (void)state;
    set_needed();
    static char entry[] = "RELAY_API_KEY=" KEY;
    putenv(entry); // the environment's own memory, as execve() laid it out
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_null(getenv("RELAY_API_KEY"));
    assert_null(getenv("RELAY_SMTP_URI"));
    assert_non_null(getenv("RELAY_MAIL_FROM"));
    for (size_t i = strlen("RELAY_API_KEY="); i < sizeof(entry); i++)
        assert_int_equal(entry[i], 0);
    assert_string_equal(config->clear_api_key, KEY);

    // The next incarnation gets them again.
    char **environment = config_exec_environment(config);
    assert_non_null(environment);
    bool has_key = false, has_from = false;
    for (char **at = environment; *at; at++) {
        has_key |= strcmp(*at, "RELAY_API_KEY=" KEY) == 0;
        has_from |= strncmp(*at, "RELAY_MAIL_FROM=", 16) == 0;
    }
    assert_true(has_key && has_from);
    free(environment);
    config_destroy(config);
    config_report_finish(&report);
}

static void takes_a_secret_from_a_file(void **state)
{
    set_needed();
    unsetenv("RELAY_API_KEY");
    char *path = write_file(*state, "secret", KEY "\r\n", 0400);
    setenv("RELAY_API_KEY_FILE", path, 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 0);
    assert_string_equal(config->clear_api_key, KEY);
    config_destroy(config);
    config_report_finish(&report);

    assert_int_equal(chmod(path, 0444), 0);
    config = config_load(NULL, CONFIG_FOR_COMMAND, &report);
    assert_non_null(config);
    assert_true(reports(&report, false, "RELAY_API_KEY_FILE", "open to every user"));
    config_destroy(config);
    config_report_finish(&report);

    setenv("RELAY_API_KEY", KEY, 1);
    assert_null(config_load(NULL, CONFIG_FOR_COMMAND, &report));
    assert_true(reports(&report, true, "RELAY_API_KEY", "says it already"));
    config_report_finish(&report);

    // Only secrets have files; a missing one is named.
    unsetenv("RELAY_API_KEY");
    setenv("RELAY_API_KEY_FILE", "/nonexistent/key", 1);
    setenv("RELAY_LISTEN_FILE", path, 1);
    setenv("RELAY_API_KEY_FIL", path, 1);
    assert_null(config_load(NULL, CONFIG_FOR_COMMAND, &report));
    assert_true(reports(&report, true, "RELAY_API_KEY_FILE", "/nonexistent/key"));
    assert_true(reports(&report, true, "RELAY_LISTEN_FILE", "did you mean RELAY_LISTEN?"));
    assert_true(reports(&report, true, "RELAY_API_KEY_FIL", "did you mean RELAY_API_KEY_FILE?"));
    unsetenv("RELAY_API_KEY_FIL");
    config_report_finish(&report);
    free(path);
}

static void takes_several_queue_keys_apart_by_commas_blanks_or_lines(void **state)
{
#define QUEUE_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {QUEUE_KEY "," QUEUE_KEY, true},        {QUEUE_KEY ", " QUEUE_KEY, true},
        {QUEUE_KEY "\n" QUEUE_KEY "\n", true},  {QUEUE_KEY "\r\n" QUEUE_KEY "\r\n", true},
        {QUEUE_KEY "\t" QUEUE_KEY, true},       {QUEUE_KEY "\n\n" QUEUE_KEY, true},
        {QUEUE_KEY "\v" QUEUE_KEY "\n", false}, {QUEUE_KEY "\nS3CRET\n", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_needed();
        char *path = write_file(*state, "keys", cases[i].text, 0400);
        setenv("RELAY_QUEUE_KEY_FILE", path, 1);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        if ((config != NULL) != cases[i].ok)
            fail_msg("case %zu", i);
        if (config)
            assert_memory_equal(config->queue_key, QUEUE_KEY, strlen(QUEUE_KEY));
        else
            assert_true(reports(&report, true, "RELAY_QUEUE_KEY_FILE", "64 hexadecimal"));
        config_destroy(config);
        config_report_finish(&report);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
}

static void warns_of_what_is_weak(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_API_KEY", "kratos:short", 1);
    setenv("RELAY_SMTP_URI",
           "smtp://u:p@a.example:25?disable_starttls=true,smtps://b.example?skip_ssl_verify=true",
           1);
    setenv("RELAY_LISTEN", ":8080", 1);
    setenv("RELAY_ADMIN_LISTEN", "127.0.0.1:8080", 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_true(reports(&report, false, "RELAY_ADMIN_LISTEN", "has the port of RELAY_LISTEN"));
    assert_true(reports(&report, false, "RELAY_API_KEY", "kratos has fewer than 16"));
    assert_true(reports(&report, false, "RELAY_SMTP_URI", "a.example:25 in the clear"));
    assert_true(reports(&report, false, "RELAY_SMTP_URI", "b.example:465 is not checked"));
    config_destroy(config);
    config_report_finish(&report);
}

static void warns_of_keys_that_end(void **state)
{
    (void)state;
    static const int64_t DAY_MS = INT64_C(24) * 60 * 60 * 1000;
    static const struct {
        const char *name;
        int64_t days;     // from now
        const char *what; // NULL: no warning
    } cases[] = {
        {"old", -1, "the key old has ended at "},
        {"soon", 13, "the key soon ends soon, at "},
        {"late", 15, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char end[CLOCK_RFC3339_SIZE], text[160];
        clock_rfc3339(clock_wall_ms() + cases[i].days * DAY_MS, end);
        snprintf(text, sizeof(text), "%s:" KEY "%zu;not_after=%s", cases[i].name, i, end);
        set_needed();
        setenv("RELAY_API_KEY", text, 1);
        snprintf(text, sizeof(text), "%s:read:" KEY "%zu;not_after=%s", cases[i].name, i, end);
        setenv("RELAY_ADMIN_KEY", text, 1);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        assert_non_null(config);
        assert_int_equal(report.count, cases[i].what ? 2 : 0);
        if (cases[i].what) {
            assert_true(reports(&report, false, "RELAY_API_KEY", cases[i].what));
            assert_true(reports(&report, false, "RELAY_API_KEY", end));
            assert_true(reports(&report, false, "RELAY_ADMIN_KEY", cases[i].what));
        }
        // A command has no use for a key that is refused.
        assert_true(cases[i].days < 0 ? !config->clear_api_key : config->clear_api_key != NULL);
        config_destroy(config);
        config_report_finish(&report);
    }
}

static void a_fault_is_reported_once(void **state)
{
    (void)state;
    setenv("RELAY_SMTP_URI", "smtp://mail.example", 1);
    setenv("RELAY_MAIL_FROM", "a@b.example", 1);
    setenv("RELAY_API_KEY_FILE", "/nonexistent/key", 1);
    struct config_report report;
    assert_null(config_load(NULL, CONFIG_FOR_RELAY, &report));
    assert_int_equal(report.count, 1);
    config_report_finish(&report);

    // What is needed may stand in the file that cannot be read.
    clear_environment();
    assert_null(config_load("/nonexistent/relay.jsonnet", CONFIG_FOR_RELAY, &report));
    assert_int_equal(report.count, 1);
    config_report_finish(&report);
}

static void knows_where_a_setting_was_made(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_LOCALE", "hu", 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_string_equal(config_place(config, "locale"), "RELAY_LOCALE");
    assert_string_equal(config_place(config, "timezone"), "RELAY_TIMEZONE");
    assert_string_equal(config_place(config, "hu.json:3"), "hu.json:3");
    config_destroy(config);
    config_report_finish(&report);
}

static void warns_of_types_that_kratos_does_not_have(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_LIFETIME", "login_code_vald=15m,recovery_valid=1h,welcome=2h", 1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 2);
    assert_true(reports(&report, false, "RELAY_LIFETIME",
                        "login_code_vald is no type of Kratos'; did you mean login_code_valid?"));
    assert_true(reports(&report, false, "RELAY_LIFETIME", "welcome is no type"));
    config_destroy(config);
    config_report_finish(&report);

    // Further routes bring types of their own; what looks misspelt is still worth a word.
    setenv("RELAY_ROUTES", "{\"crm\": {\"path\": \"/crm\", \"normaliser\": \"/n\"}}", 1);
    set_needed();
    config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, false, "RELAY_LIFETIME", "did you mean login_code_valid?"));
    config_destroy(config);
    config_report_finish(&report);
}

static void warns_of_a_margin_that_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *margin;
        size_t want; // warnings
        const char *what;
    } cases[] = {
        {"299s", 0, NULL},
        {"5m", 1, "is not shorter than the lifetime of login_code_valid"},
        {"899s", 1, "is not shorter than the lifetime of login_code_valid"},
        {"15m", 2, "a mail that is good for 15 minutes is never sent"},
        {"1h", 3, "is not shorter than the lifetime of recovery_valid"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_needed();
        setenv("RELAY_LIFETIME", "login_code_valid=5m,recovery_valid=1h", 1);
        setenv("RELAY_DEADLINE_MARGIN", cases[i].margin, 1);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        assert_non_null(config);
        assert_int_equal(report.count, cases[i].want);
        if (cases[i].what)
            assert_true(reports(&report, false, "RELAY_DEADLINE_MARGIN", cases[i].what));
        config_destroy(config);
        config_report_finish(&report);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_settings_are_enough),
        TEST(reads_every_setting),
        TEST(a_greeting_is_a_host_name_of_bounded_length),
        TEST(names_every_fault_at_once),
        TEST(a_command_needs_nothing),
        TEST(leaves_service_links_alone),
        TEST(wipes_secrets_from_the_environment),
        TEST(takes_a_secret_from_a_file),
        TEST(takes_several_queue_keys_apart_by_commas_blanks_or_lines),
        TEST(warns_of_what_is_weak),
        TEST(a_fault_is_reported_once),
        TEST(warns_of_keys_that_end),
        TEST(knows_where_a_setting_was_made),
        TEST(warns_of_types_that_kratos_does_not_have),
        TEST(warns_of_a_margin_that_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
