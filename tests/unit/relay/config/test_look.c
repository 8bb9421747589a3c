// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
// clang-format on
#include "relay/config/look.h"
#include "tests/unit/relay/config/folder.h"

// What a look at config finds, of a setting and in all: the shipped files are not where the tests
// are, so templates and normaliser are always given.
static void look(struct config_report *ret_report, bool is_running)
{
    set_needed();
    struct config *config = config_load(NULL, CONFIG_FOR_RELAY, ret_report);
    if (!config)
        fail_msg("%s: %s", ret_report->findings[0].where, ret_report->findings[0].what);
    config_look(config, is_running, ret_report);
    config_destroy(config);
}

static int set_up_files(void **state)
{
    if (set_up(state) != 0)
        return -1;
    free(write_file(*state, "secret", "x", 0600));
    free(write_file(*state, "empty", "", 0600));
    free(write_file(*state, "ca.pem", "# ours\n-----BEGIN CERTIFICATE-----\n", 0600));
    char path[128];
    snprintf(path, sizeof(path), "%s/pipe", (char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/secret", (char *)*state);
    setenv("RELAY_NORMALISER", path, 1);
    setenv("RELAY_TEMPLATES_DIR", *state, 1);
    setenv("RELAY_QUEUE_DIR", *state, 1);
    return 0;
}

// '%' stands for the test's folder, in which there are the files of set_up_files().
static char *in_folder(const char *text, const char *dir)
{
    char *whole = NULL;
    const char *mark = strchr(text, '%');
    int size = mark ? asprintf(&whole, "%.*s%s%s", (int)(mark - text), text, dir, mark + 1)
                    : asprintf(&whole, "%s", text);
    assert_true(size > 0);
    return whole;
}

static void says_what_cannot_be_used(void **state)
{
    static const struct {
        const char *variable, *value, *what; // NULL: nothing
    } cases[] = {
        {"RELAY_QUEUE_DIR", "%", NULL},
        {"RELAY_QUEUE_DIR", "%/new", NULL},
        {"RELAY_QUEUE_DIR", "%/new/", NULL},
        {"RELAY_QUEUE_DIR", "%/secret", "/secret is no folder"},
        {"RELAY_QUEUE_DIR", "%/secret/new", "Not a directory"},
        {"RELAY_QUEUE_DIR", "%/new/new", "/new: No such file"},
        {"RELAY_QUEUE_DIR", "/proc/x", "/proc/x cannot be made in /proc: "},
        {"RELAY_QUEUE_DIR", "/sys/x", "/sys/x cannot be made in /sys: "},
        {"RELAY_TEMPLATES_DIR", "%/new", "/new: No such file"},
        {"RELAY_TEMPLATES_DIR", "%/secret", "/secret is no folder"},
        {"RELAY_NORMALISER", "%/new", "/new: No such file"},
        {"RELAY_NORMALISER", "%", " is a folder"},
        {"RELAY_SMTP_URI", "smtp://mail.example,file:%", NULL},
        {"RELAY_SMTP_URI", "smtp://mail.example,file:%/new", "/new: No such file"},
        {"RELAY_SMTP_URI", "file:%/secret", "/secret is no folder"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/ca.pem", NULL},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/secret", "ca_file "},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/secret", "/secret holds no certificate"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/empty", "/empty is empty"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/pipe", "/pipe: is no regular file"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=/dev/null", "/null: is no regular file"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%", " is a folder"},
        {"RELAY_SMTP_URI", "smtp://u@mail.example?auth=xoauth2&token_file=%/empty", " is empty"},
        {"RELAY_SMTP_URI", "smtp://u@mail.example?auth=xoauth2&token_file=%/pipe", "no regular"},
        {"RELAY_SMTP_URI", "smtp://mail.example?ca_file=%/new", "/new: No such file"},
        {"RELAY_SMTP_URI", "smtp://u@mail.example?auth=xoauth2&token_file=%/secret", NULL},
        {"RELAY_SMTP_URI", "smtp://u@mail.example?auth=xoauth2&token_file=%/new", "/new: No such"},
        {"RELAY_SMTP_URI", "smtp://u@mail.example?auth=xoauth2&token_file=%", " is a folder"},
        {"RELAY_ROUTES", "{\"crm\":{\"path\":\"/c\",\"normaliser\":\"%/secret\"}}", NULL},
        {"RELAY_ROUTES", "{\"crm\":{\"path\":\"/c\",\"normaliser\":\"%/new\"}}",
         "crm.normaliser: "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *value = in_folder(cases[i].value, *state);
        const char *set = getenv(cases[i].variable);
        char *was = set ? strdup(set) : NULL;
        set_needed();
        setenv(cases[i].variable, value, 1);
        struct config_report report;
        struct config *config = config_load(NULL, CONFIG_FOR_RELAY, &report);
        assert_non_null(config);
        config_look(config, false, &report);
        if (report.count != (cases[i].what != NULL))
            fail_msg("%s=%s: %zu findings", cases[i].variable, value, report.count);
        assert_true(!cases[i].what || reports(&report, true, cases[i].variable, cases[i].what));
        config_destroy(config);
        config_report_finish(&report);
        unsetenv(cases[i].variable);
        if (was)
            setenv(cases[i].variable, was, 1);
        free(was);
        free(value);
    }
    char path[128];
    snprintf(path, sizeof(path), "%s/new", (char *)*state);
    assert_int_equal(access(path, F_OK), -1); // nothing was made
}

static void a_folder_of_others_is_no_queues(void **state)
{
    char *dir = *state, full[PATH_MAX]; // what realpath() wants
    static const mode_t modes[] = {0755, 0750, 0701};
    assert_non_null(realpath(dir, full));
    for (size_t i = 0; i < COUNT(modes); i++) {
        char mode[16];
        struct config_report report;
        assert_int_equal(chmod(dir, modes[i]), 0);
        look(&report, false);
        snprintf(mode, sizeof(mode), "%04o", (unsigned)modes[i]);
        assert_int_equal(report.count, 1);
        assert_true(reports(&report, true, "RELAY_QUEUE_DIR", mode));
        assert_true(reports(&report, true, "RELAY_QUEUE_DIR", full));
        assert_true(reports(&report, true, "RELAY_QUEUE_DIR", "must have 0700"));
        assert_true(reports(&report, true, "RELAY_QUEUE_DIR", "$STATE_DIRECTORY"));
        config_report_finish(&report);
    }
    chmod(dir, 0700);
}

// Kratos' own normaliser may be named in two places.
static void a_normaliser_is_blamed_on_what_named_it(void **state)
{
    (void)state;
    unsetenv("RELAY_NORMALISER");
    setenv("RELAY_ROUTES", "{\"kratos\": {\"normaliser\": \"/nonexistent/n\"}}", 1);
    struct config_report report;
    look(&report, false);
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, true, "RELAY_ROUTES", "kratos.normaliser: /nonexistent/n: No"));
    config_report_finish(&report);
}

static void a_running_relay_looks_only_at_what_it_takes_over(void **state)
{
    (void)state;
    setenv("RELAY_QUEUE_DIR", "/nonexistent/queue", 1);
    setenv("RELAY_TEMPLATES_DIR", "/nonexistent/templates", 1);
    struct config_report report;
    look(&report, true);
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, true, "RELAY_TEMPLATES_DIR", "No such file"));
    config_report_finish(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_files, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_what_cannot_be_used),
        TEST(a_folder_of_others_is_no_queues),
        TEST(a_normaliser_is_blamed_on_what_named_it),
        TEST(a_running_relay_looks_only_at_what_it_takes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
