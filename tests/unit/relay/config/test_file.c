// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "tests/unit/relay/config/folder.h"

// A stand-in for the composer gives the file back as it is, so it is JSON here.
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
        " \"routes\": {\"crm\": {\"keys\": [\"a\"], \"defaults\": {\"expires_in_minutes\": 1.5}}},"
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
    assert_string_equal(value_of(&values, "routes"),
                        "{\"crm\":{\"keys\":[\"a\"],\"defaults\":{\"expires_in_minutes\":1.5}}}");
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
        {"{\"RELAY_LISTEN\": \":1\"}", "relay.jsonnet: RELAY_LISTEN", "did you mean listen?"},
        {"{\"Relay_mail_form\": \"\"}", "relay.jsonnet", "did you mean mail_from?"},
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

#define ROUTES(prefix)                                                                             \
    "{\"a\":{\"normaliser\":\"" prefix "n\",\"samples\":\"" prefix "s/t\"},"                       \
    "\"b\":{\"normaliser\":\"/n\",\"samples\":null},\"c\":5,\"kratos\":{\"path\":\"p\"}}"

// Names of files are seen from the folder of the file they stand in; other texts are no names.
static void a_files_name_is_relative_to_the_file_that_names_it(void **state)
{
    static const char text[] =
        "{\"queue_dir\": \"q\", \"templates_dir\": \"../t\", \"normaliser\": \"/n\","
        " \"mail_from\": \"f\", \"api_key_file\": \"secret\", \"routes\": " ROUTES("") "}";
    const char *dir = *state;
    char *secret = write_file(dir, "secret", KEY, 0400);
    struct setting_values values;
    struct config_report report;
    read_config_file(dir, text, &values, &report);
    assert_int_equal(report.count, 0);
    char want[3][256];
    snprintf(want[0], sizeof(want[0]), "%s/q", dir);
    snprintf(want[1], sizeof(want[1]), "%s/../t", dir);
    snprintf(want[2], sizeof(want[2]),
             "{\"a\":{\"normaliser\":\"%s/n\",\"samples\":\"%s/s/t\"},"
             "\"b\":{\"normaliser\":\"/n\",\"samples\":null},\"c\":5,\"kratos\":{\"path\":\"p\"}}",
             dir, dir);
    assert_string_equal(value_of(&values, "queue_dir"), want[0]);
    assert_string_equal(value_of(&values, "templates_dir"), want[1]);
    assert_string_equal(value_of(&values, "normaliser"), "/n");
    assert_string_equal(value_of(&values, "mail_from"), "f");
    assert_string_equal(value_of(&values, "api_key"), KEY);
    assert_string_equal(value_of(&values, "routes"), want[2]);
    setting_values_finish(&values);
    config_report_finish(&report);

    // The same from within that folder.
    char *before = get_current_dir_name();
    assert_int_equal(chdir(dir), 0);
    config_read_file("relay.jsonnet", "./composer", &values, &report);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(report.count, 0);
    assert_string_equal(value_of(&values, "queue_dir"), "q");
    assert_string_equal(value_of(&values, "api_key"), KEY);
    assert_string_equal(value_of(&values, "routes"), ROUTES(""));
    setting_values_finish(&values);
    config_report_finish(&report);
    free(before);
    free(secret);
}

// What is wrong with what nobody asked for is told, but is no fault.
static void only_what_is_wanted_can_be_at_fault(void **state)
{
    char *composer = write_file(*state, "composer", composer_script, 0700);
    char *path = write_file(*state, "relay.jsonnet",
                            "{\"queue_dir\": \"/q\", \"lisen\": 1, \"listen\": {},"
                            " \"api_key_file\": \"/nonexistent/key\"}",
                            0600);
    struct setting_values values = {.purpose = CONFIG_FOR_QUEUE};
    struct config_report report = {0};
    config_read_file(path, composer, &values, &report);
    assert_int_equal(report.count, 1);
    assert_true(reports(&report, false, "relay.jsonnet: lisen", "did you mean listen?"));
    assert_string_equal(value_of(&values, "queue_dir"), "/q");
    assert_null(value_of(&values, "api_key"));
    setting_values_finish(&values);
    config_report_finish(&report);
    free(composer);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_the_file_as_the_environment),
        TEST(names_faults_of_the_file_by_key),
        TEST(a_files_name_is_relative_to_the_file_that_names_it),
        TEST(only_what_is_wanted_can_be_at_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
