#include "tests/unit/templates/renderer_fixture.h"

#define LOGIN "types/login_code_valid/"

// folder_write() makes one level of folders.
static void write_own(struct fixture *fixture, const char *type, const char *file, const char *text)
{
    char path[FOLDER_PATH_SIZE + 64];
    char name[128];
    snprintf(path, sizeof(path), "%s/types", fixture->dir);
    mkdir(path, 0700);
    snprintf(name, sizeof(name), "types/%s/%s", type, file);
    folder_write(fixture->dir, name, text);
}

static void remove_own(const struct fixture *fixture, const char *name)
{
    char path[FOLDER_PATH_SIZE + 128];
    snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
    folder_remove(path);
}

static struct rendered render_type(struct fixture *fixture, const char *template)
{
    json_auto_t *data = json_pack("{s:s, s:s}", "code", CODE, "url", URL);
    struct render_request request = {.template = template, .data = data, .text = "Own words"};
    return render(fixture->renderer, &request);
}

// A partial that the shared frame names is the type's own as well.
static void writes_a_type_with_what_it_has_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    write_own(fixture, "login_code_valid", "head.text.mustache", "Own head {{>rest}}\n");
    write_own(fixture, "login_code_valid", "rest.text.mustache", "and rest");
    write_own(fixture, "login_code_valid", "rest.text.mustache~", "and what an editor keeps");
    write_own(fixture, "recovery_invalid", "frame.html.mustache", "<b>{{intro}}</b>");
    load(fixture);
    assert_no_fault(fixture->faults);

    struct rendered login AUTO_RENDERED = render_type(fixture, "login_code_valid");
    assert_string_equal(login.text, "Own head and rest\n# Sign in\nHi, Enter it.\nCode: 750046\n");
    assert_memory_equal(login.html, "<html lang", 10);
    struct rendered recovery AUTO_RENDERED = render_type(fixture, "recovery_invalid");
    assert_memory_equal(recovery.text, "Brand y\n", 8);
    assert_string_equal(recovery.html, "<b>No account.</b>");
    struct rendered other AUTO_RENDERED = render_type(fixture, "verification_code_valid");
    assert_memory_equal(other.text, "Brand y\n", 8);

    // A missing language takes another language, never another type.
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {
        .template = "login_code_valid", .data = data, .accept_language = "ar"};
    struct rendered arabic AUTO_RENDERED = render(fixture->renderer, &request);
    assert_memory_equal(arabic.text, "Own head and rest\n", 18);
    request.accept_language = "xx";
    struct rendered unknown AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(unknown.text, login.text);
}

// Which file a value names is not known before there is a mail.
static void takes_any_file_where_a_value_names_one(void **state)
{
    struct fixture *fixture = *state;
    write_own(fixture, "login_code_valid", "login_code_valid.text.mustache", "own");
    load(fixture);
    assert_true(has_fault(fixture->faults, LOGIN "login_code_valid.text.mustache",
                          "is used by no other file"));
    assert_int_equal(json_array_size(fixture->faults), 1);
    write_own(fixture, "login_code_valid", "head.text.mustache", "{{>*template}} head\n");
    load(fixture);
    assert_no_fault(fixture->faults);
    struct rendered mail AUTO_RENDERED = render_type(fixture, "login_code_valid");
    assert_memory_equal(mail.text, "own head\n", 9);
}

static void writes_kratos_own_words_with_the_shared_files(void **state)
{
    struct fixture *fixture = *state;
    write_own(fixture, "login_code_valid", "frame.text.mustache", "{{code}}");
    write_own(fixture, "login_code_valid", "frame.html.mustache", "{{code}}");
    load(fixture);
    assert_no_fault(fixture->faults);
    struct render_request request = {.template = "login_code_valid", .text = "Own words"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.text, "Brand y\n\nOwn words\n");
    assert_non_null(strstr(mail.html, "<i>Own words</i>"));
}

static void writes_subjects_on_one_line(void **state)
{
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "frame.html.mustache",
                 "<title>{{subject}}</title>{{code}}{{link.url}}{{#own.lines}}{{text}}"
                 "{{/own.lines}}");
    folder_write(fixture->dir, "subject.text.mustache", "[{{brand.name}}]\r\n\t {{subject}}\n\n");
    write_own(fixture, "recovery_invalid", "subject.text.mustache",
              "{{#code}}never{{/code}}\n \x01\x7f\n");
    write_own(fixture, "recovery_valid", "subject.text.mustache", "{{link.host}}\x0b\nBcc: x");
    load(fixture);
    assert_no_fault(fixture->faults);
    static const struct {
        const char *template, *want;
    } cases[] = {
        {"login_code_valid", "[Brand] 750046 for Brand"},
        {"recovery_valid", "auth.example.org Bcc: x"},
        {"recovery_invalid", "Nobody"}, // nothing is no subject
        {"unknown", "[Brand] From Brand"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rendered mail AUTO_RENDERED = render_type(fixture, cases[i].template);
        char title[100];
        snprintf(title, sizeof(title), "<title>%s</title>", cases[i].want);
        assert_string_equal(mail.subject, cases[i].want);
        assert_non_null(strstr(mail.html, title));
    }
}

static void names_what_is_wrong_in_the_folder_of_a_type(void **state)
{
    static const struct {
        const char *type, *file, *text;
        const char *where, *what;
    } cases[] = {
        {"login_code_vaild", "body.text.mustache", "x", "types/login_code_vaild",
         "no catalog has a type login_code_vaild"},
        {"login_code_valid", ".gitkeep", "", "types/login_code_valid", "is empty"},
        {"login_code_valid", "README.md", "", LOGIN "README.md", "must end in"},
        {"login_code_valid", "body.mustache", "", LOGIN "body.mustache", "must end in"},
        {"login_code_valid", "subject.html.mustache", "", LOGIN "subject.html.mustache",
         "a subject is text"},
        {"login_code_valid", "hed.text.mustache", "", LOGIN "hed.text.mustache",
         "is no shared file; did you mean head.text.mustache"},
        {"login_code_valid", "Head.text.mustache", "", LOGIN "Head.text.mustache",
         "did you mean head.text.mustache"},
        {"login_code_valid", "subjct.text.mustache", "", LOGIN "subjct.text.mustache",
         "did you mean subject.text.mustache"},
        {"login_code_valid", "haed.text.mustache", "", LOGIN "haed.text.mustache",
         "did you mean head.text.mustache"},
        {"login_code_valid", "subjecxx.text.mustache", "", LOGIN "subjecxx.text.mustache",
         "did you mean subject.text.mustache"},
        // Too unlike: of a short name one letter, of a long one two may differ.
        {"login_code_valid", "hexx.text.mustache", "", LOGIN "hexx.text.mustache",
         "is used by no other file"},
        {"login_code_valid", "subjexxx.text.mustache", "", LOGIN "subjexxx.text.mustache",
         "is used by no other file"},
        {"login_code_valid", "whatever.text.mustache", "", LOGIN "whatever.text.mustache",
         "is used by no other file"},
        {"login_code_valid", "head.html.mustache", "", LOGIN "head.html.mustache",
         "is used by no other file"},
        {"login_code_valid", "again.text.mustache", "{{#code}}{{>again}}{{/code}}",
         LOGIN "again.text.mustache", "is used by no other file"},
        {"login_code_valid", "head.text.mustache", "\n\n{{cod}}", LOGIN "head.text.mustache:3",
         "no value named cod"},
        {"login_code_valid", "head.text.mustache", "\n{{>nothing}}", LOGIN "head.text.mustache:2",
         "no partial named nothing"},
        {"login_code_valid", "head.text.mustache", "{{#code}}", LOGIN "head.text.mustache:1",
         "never ended"},
        {"login_code_valid", "frame.text.mustache", "{{intro}}", "types/login_code_valid",
         "login_code_valid comes out in its text without its code: "},
        {"login_code_valid", "frame.html.mustache", "{{intro}}", "types/login_code_valid",
         "login_code_valid comes out in its HTML without its code: "},
        {"verification_code_valid", "subject.text.mustache", "{{code}}",
         "types/verification_code_valid", "with the code in its subject, against the brand other"},
    };
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "brands/other.json", "{\"code_in_subject\": false}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_own(fixture, cases[i].type, cases[i].file, cases[i].text);
        load(fixture);
        assert_null(fixture->renderer);
        assert_true(has_fault(fixture->faults, cases[i].where, cases[i].what));
        remove_own(fixture, "types");
    }
    folder_write(fixture->dir, "types/README.md", "");
    load(fixture);
    assert_true(has_fault(fixture->faults, "types/README.md", "cannot be read: Not a directory"));
    remove_own(fixture, "types");
    folder_write(fixture->dir, "types", "a file");
    load(fixture);
    assert_true(has_fault(fixture->faults, "types", "cannot be read: Not a directory"));
}

static void reports_a_fault_of_a_shared_file_once(void **state)
{
    struct fixture *fixture = *state;
    write_own(fixture, "login_code_valid", "note.text.mustache", "{{cod}}");
    write_own(fixture, "recovery_valid", "note.text.mustache", "x");
    folder_write(fixture->dir, "frame.text.mustache", "{{nam}}{{>absent}}");
    load(fixture);
    assert_true(has_fault(fixture->faults, "/frame.text.mustache:1", "no value named nam"));
    assert_true(has_fault(fixture->faults, "/frame.text.mustache:1", "no partial named absent"));
    assert_true(has_fault(fixture->faults, LOGIN "note.text.mustache:1", "no value named cod"));
    assert_int_equal(json_array_size(fixture->faults), 3);
}

static void says_which_types_have_files_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    write_own(fixture, "recovery_invalid", "note.text.mustache", "x");
    write_own(fixture, "recovery_invalid", "frame.text.mustache", "{{>note}}");
    load(fixture);
    assert_no_fault(fixture->faults);
    json_auto_t *described = renderer_describe(fixture->renderer);
    json_auto_t *want =
        json_loads("[{\"name\": \"login_code_valid\", \"need\": \"code\", \"overrides\": []},"
                   "{\"name\": \"verification_code_valid\", \"need\": \"code\", \"overrides\": []},"
                   "{\"name\": \"recovery_valid\", \"need\": \"link\", \"overrides\": []},"
                   "{\"name\": \"recovery_invalid\", \"need\": \"nothing\", \"overrides\": "
                   "[\"frame.text.mustache\", \"note.text.mustache\"]}]",
                   0, NULL);
    assert_true(json_equal(json_object_get(described, "types"), want));
    assert_string_equal(json_string_value(json_object_get(described, "default_locale")), "en");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_small, remove_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_a_type_with_what_it_has_of_its_own),
        TEST(takes_any_file_where_a_value_names_one),
        TEST(writes_kratos_own_words_with_the_shared_files),
        TEST(writes_subjects_on_one_line),
        TEST(names_what_is_wrong_in_the_folder_of_a_type),
        TEST(reports_a_fault_of_a_shared_file_once),
        TEST(says_which_types_have_files_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
