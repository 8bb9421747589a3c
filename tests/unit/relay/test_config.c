// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/config.h"
#include "relay/config_parts.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "key-0123456789abcdef"

static void clear_environment(void)
{
    for (size_t i = 0; environ[i];) {
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "RELAY_", 6) == 0 || strcmp(name, "STATE_DIRECTORY") == 0)
            unsetenv(name);
        else
            i++;
    }
}

// A fresh folder, gone again after the test.
static int set_up(void **state)
{
    clear_environment();
    char *dir = strdup("/tmp/test_config.XXXXXX");
    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"secret", "composer", "relay.jsonnet"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
        unlink(path);
    }
    int status = rmdir(*state);
    free(*state);
    return status;
}

static char *write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void set_needed(void)
{
    setenv("RELAY_API_KEY", KEY, 1);
    setenv("RELAY_SMTP_URI", "smtp://mail.example:25/?disable_starttls=true", 1);
    setenv("RELAY_MAIL_FROM", "Acme <no-reply@acme.example>", 1);
}

// Is there a finding with that place and that text in it?
static bool reports(const struct config_report *report, bool fault, const char *where,
                    const char *what)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        if (finding->fault == fault && strstr(finding->where, where) && strstr(finding->what, what))
            return true;
    }
    for (size_t i = 0; i < report->count; i++)
        print_message("%s: %s\n", report->findings[i].where, report->findings[i].what);
    return false;
}

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
    assert_int_equal(config->connections, 16);
    assert_int_equal(config->transaction_timeout_ms, 60000);
    assert_int_equal(config->deadline_margin_ms, 15000);
    assert_non_null(strstr(config->templates_dir, "/templates"));
    assert_non_null(strstr(config->normaliser, "/jsonnet/kratos_courier.jsonnet"));
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
        {"RELAY_TEMPLATES_DIR", "/t"},
        {"RELAY_NORMALISER", "/n.jsonnet"},
        {"RELAY_LOCALE", "hu"},
        {"RELAY_TIMEZONE", "Europe/Budapest"},
        {"RELAY_LOG_FORMAT", "text"},
        {"RELAY_LOG_LEVEL", "warning"},
        {"RELAY_BODY_LIMIT", "2048"},
        {"RELAY_SHUTDOWN_GRACE", "500ms"},
        {"RELAY_CONNECTIONS", "4"},
        {"RELAY_TRANSACTION_TIMEOUT", "5s"},
        {"RELAY_DEADLINE_MARGIN", "0s"},
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
    assert_string_equal(config->templates_dir, "/t");
    assert_string_equal(config->normaliser, "/n.jsonnet");
    assert_string_equal(config->locale, "hu");
    assert_string_equal(config->timezone, "Europe/Budapest");
    assert_int_equal(config->log_format, LOG_TEXT);
    assert_int_equal(config->log_level, LOG_WARNING);
    assert_int_equal(config->body_limit_bytes, 2048);
    assert_int_equal(config->shutdown_grace_ms, 500);
    assert_int_equal(config->connections, 4);
    assert_int_equal(config->transaction_timeout_ms, 5000);
    assert_int_equal(config->deadline_margin_ms, 0);
    config_destroy(config);
    config_report_finish(&report);
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
    setenv("RELAY_MAIL_FORM", "a@b.example", 1);
    setenv("RELAY_XYZZY", "1", 1);
    setenv("RELAY_LOCALE", "e\nn", 1);
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
    assert_true(reports(&report, true, "RELAY_MAIL_FORM", "did you mean RELAY_MAIL_FROM"));
    assert_true(reports(&report, true, "RELAY_XYZZY", "not known"));
    assert_true(reports(&report, true, "RELAY_LOCALE", "control"));
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
    assert_null(config_load(NULL, CONFIG_FOR_COMMAND, &report));
    assert_true(reports(&report, true, "RELAY_API_KEY_FILE", "/nonexistent/key"));
    assert_true(reports(&report, true, "RELAY_LISTEN_FILE", "did you mean RELAY_LISTEN?"));
    config_report_finish(&report);
    free(path);
}

static void warns_of_what_is_weak(void **state)
{
    (void)state;
    set_needed();
    setenv("RELAY_API_KEY", "kratos:short", 1);
    setenv("RELAY_SMTP_URI",
           "smtp://u:p@a.example:25?disable_starttls=true,smtps://b.example?skip_ssl_verify=true",
           1);
    struct config_report report;
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
    assert_non_null(config);
    assert_true(reports(&report, false, "RELAY_API_KEY", "kratos has fewer than 16"));
    assert_true(reports(&report, false, "RELAY_SMTP_URI", "a.example:25 in the clear"));
    assert_true(reports(&report, false, "RELAY_SMTP_URI", "b.example:465 is not checked"));
    config_destroy(config);
    config_report_finish(&report);
}

static void a_folder_for_mails_must_be_there(void **state)
{
    set_needed();
    char *file = write_file(*state, "secret", "x", 0600), *uri = NULL;
    const struct {
        const char *dir, *what; // NULL: no fault
    } cases[] = {
        {*state, NULL},
        {"/nonexistent/mails", "No such file"},
        {file, "is no folder"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_report report;
        assert_true(asprintf(&uri, "smtp://mail.example,file:%s", cases[i].dir) > 0);
        setenv("RELAY_SMTP_URI", uri, 1); // reading it takes it out again
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        assert_true(cases[i].what ? !config : config != NULL);
        assert_true(!cases[i].what || reports(&report, true, "RELAY_SMTP_URI", cases[i].what));
        config_destroy(config);
        config_report_finish(&report);

        // Whoever only looks or posts need not have the relay's folders.
        setenv("RELAY_SMTP_URI", uri, 1);
        config = config_load(NULL, CONFIG_FOR_COMMAND, &report);
        assert_non_null(config);
        config_destroy(config);
        config_report_finish(&report);
        free(uri);
    }
    free(file);
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
}

// ---- the file: a stand-in for the composer gives it back as it is, so it is JSON here

static const char composer_script[] =
    "#!/usr/bin/python3\n"
    "import json, os, struct\n"
    "def read(size):\n"
    "    data = b''\n"
    "    while len(data) < size: data += os.read(3, size - len(data))\n"
    "    return data\n"
    "magic, head, count = struct.unpack('<4sII', read(12))\n"
    "sizes = struct.unpack('<%dI' % count, read(4 * count))\n"
    "header = json.loads(read(head))\n"
    "text = read(sizes[0])\n"
    "assert header['op'] == 'evaluate' and header['file'] == 'relay.jsonnet', header\n"
    "if text.startswith(b'!'):\n"
    "    answer, blobs = {'op': 'failed', 'detail': 'relay.jsonnet:1:1 syntax error'}, []\n"
    "else:\n"
    "    answer, blobs = {'op': 'evaluated'}, [text]\n"
    "if text.startswith(b'?'): os._exit(3)\n"
    "answer = json.dumps(answer).encode()\n"
    "frame = struct.pack('<4sII', b'CRf1', len(answer), len(blobs))\n"
    "frame += b''.join(struct.pack('<I', len(blob)) for blob in blobs) + answer\n"
    "os.write(3, frame + b''.join(blobs))\n"
    "os.read(3, 1)\n";

static void read_config_file(const char *dir, const char *text, struct setting_values *values,
                             struct config_report *report)
{
    char *composer = write_file(dir, "composer", composer_script, 0700);
    char *path = write_file(dir, "relay.jsonnet", text, 0600);
    *values = (struct setting_values){0};
    *report = (struct config_report){0};
    config_read_file(path, composer, values, report);
    free(composer);
    free(path);
}

static const char *value_of(const struct setting_values *values, const char *name)
{
    bool is_file;
    int place = setting_find(name, &is_file);
    assert_true(place >= 0);
    return values->of[place].text;
}

static void reads_the_file_as_the_environment(void **state)
{
    char *secret = write_file(*state, "secret", "smtps://u:p@mail.example\n", 0400);
    char text[1024];
    snprintf(
        text, sizeof(text),
        "{\"listen\": \":9\", \"connections\": 4, \"lifetime\": {\"a\": \"1m\", \"b\": \"2m\"},"
        " \"api_key\": {\"kratos\": \"" KEY "\"}, \"mail_reply_to\": null,"
        " \"admin_key\": [\"a:read:k\", \"b:operate:l\"], \"smtp_uri_file\": \"%s\"}",
        secret);
    struct setting_values values;
    struct config_report report;
    read_config_file(*state, text, &values, &report);
    assert_int_equal(report.count, 0);
    assert_string_equal(value_of(&values, "listen"), ":9");
    assert_string_equal(value_of(&values, "connections"), "4");
    assert_string_equal(value_of(&values, "lifetime"), "a=1m,b=2m");
    assert_string_equal(value_of(&values, "api_key"), "kratos:" KEY);
    assert_string_equal(value_of(&values, "admin_key"), "a:read:k,b:operate:l");
    assert_string_equal(value_of(&values, "smtp_uri"), "smtps://u:p@mail.example");
    assert_null(value_of(&values, "mail_reply_to"));
    setting_values_finish(&values);
    config_report_finish(&report);
    free(secret);
}

static void names_faults_of_the_file_by_key(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"{\"lisen\": \":1\"}", "relay.jsonnet: lisen", "did you mean listen?"},
        {"{\"listen\": {\"a\": 1}}", "relay.jsonnet: listen", "wrong type"},
        {"{\"listen\": 1.5}", "relay.jsonnet: listen", "wrong type"},
        {"{\"listen\": \"a\\u0000b\"}", "relay.jsonnet", "object of settings"},
        {"{\"api_key\": [[]]}", "relay.jsonnet: api_key", "wrong type"},
        {"[]", "relay.jsonnet", "object of settings"},
        {"! local", "relay.jsonnet", "relay.jsonnet:1:1 syntax error"},
        {"?", "relay.jsonnet", "the composer has ended"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct setting_values values;
        struct config_report report;
        read_config_file(*state, cases[i].text, &values, &report);
        assert_int_equal(report.count, 1);
        assert_true(reports(&report, true, cases[i].where, cases[i].what));
        setting_values_finish(&values);
        config_report_finish(&report);
    }
    struct setting_values values = {0};
    struct config_report report = {0};
    config_read_file("/nonexistent/relay.jsonnet", "/nonexistent/composer", &values, &report);
    assert_true(reports(&report, true, "/nonexistent/relay.jsonnet", "No such file"));
    config_report_finish(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_settings_are_enough),         TEST(reads_every_setting),
        TEST(names_every_fault_at_once),         TEST(a_command_needs_nothing),
        TEST(leaves_service_links_alone),        TEST(wipes_secrets_from_the_environment),
        TEST(takes_a_secret_from_a_file),        TEST(warns_of_what_is_weak),
        TEST(reads_the_file_as_the_environment), TEST(names_faults_of_the_file_by_key),
        TEST(a_folder_for_mails_must_be_there),  TEST(a_fault_is_reported_once),
        TEST(knows_where_a_setting_was_made),    TEST(warns_of_types_that_kratos_does_not_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
