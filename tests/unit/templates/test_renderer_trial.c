// What a load finds out by writing mails on trial.
#include "tests/unit/templates/shipped_fixture.h"

static void write_template(const struct fixture *fixture, const char *name, const char *text)
{
    static const char *const folders[] = {"types", "types/login_code_valid",
                                          "types/verification_code_valid", "types/recovery_valid"};
    char path[FOLDER_PATH_SIZE * 2];
    for (size_t i = 0; i < 4 && strncmp(name, "types/", 6) == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", fixture->dir, folders[i]);
        if (i == 0 || strncmp(name, folders[i], strlen(folders[i])) == 0)
            mkdir(path, 0700);
    }
    folder_write(fixture->dir, name, text);
}

// Title and hidden preheader have the code where the brand wants it there, and the address of a
// link may stand where nobody can follow it.
static void wants_code_and_link_where_a_reader_sees_them(void **state)
{
    static const struct {
        const char *file, *text;
        const char *what; // NULL: it is good
    } cases[] = {
        {"types/login_code_valid/body.html.mustache", "hello",
         "login_code_valid comes out in its HTML without its code: "},
        {"types/login_code_valid/body.html.mustache", "<!-- {{code}} --><p title=\"{{code}}\">a",
         "login_code_valid comes out in its HTML without its code: "},
        {"types/login_code_valid/body.html.mustache", "<style>{{code}}</style>a",
         "login_code_valid comes out in its HTML without its code: "},
        {"types/login_code_valid/body.html.mustache", "<p>{{code}}", NULL},
        {"types/login_code_valid/body.text.mustache", "{{subject}} {{preheader}}",
         "login_code_valid comes out in its text without its code: "},
        {"types/recovery_valid/body.html.mustache", "<!-- {{link.url}} -->{{link.host}}",
         "recovery_valid comes out in its HTML without its link: "},
        {"types/recovery_valid/body.html.mustache", "<a href=\"{{link.url}}\">here</a>", NULL},
        // Only where more is known, or less.
        {"types/login_code_valid/body.html.mustache", "{{^expiry}}{{code}}{{/expiry}}",
         "login_code_valid comes out in its HTML without its code: "},
        {"types/login_code_valid/body.text.mustache", "{{#context}}{{code}}{{/context}}",
         "login_code_valid comes out in its text without its code: "},
        {"types/verification_code_valid/body.text.mustache", "{{#link}}{{code}}{{/link}}",
         "verification_code_valid comes out in its text without its code: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *fixture = NULL;
        make_copy((void **)&fixture);
        assert_non_null(fixture);
        if (!fixture)
            return; // for analysers, which do not know that an assertion ends it
        write_template(fixture, cases[i].file, cases[i].text);
        load_named(fixture);
        if (!cases[i].what)
            assert_no_fault(fixture->faults);
        else if (json_array_size(fixture->faults) != 1 ||
                 !has_fault(fixture->faults, cases[i].file, cases[i].what))
            fail_msg("case %zu", i);
        remove_small((void **)&fixture);
    }
    (void)state;
}

static void blames_no_subject_for_what_a_body_lacks(void **state)
{
    struct fixture *fixture = *state;
    write_template(fixture, "types/login_code_valid/subject.text.mustache", "Hello");
    write_template(fixture, "types/login_code_valid/body.text.mustache", "hello");
    load_named(fixture);
    assert_true(has_fault(fixture->faults, "types/login_code_valid/body.text.mustache",
                          "in its text without its code: see {{code}}"));
}

// Told once, with the place in the frame, though all mails of all languages fail on it.
static void tries_every_branch_and_tells_each_fault_once(void **state)
{
    static const char *const names[] = {
        "heading", "greeting", "intro",     "expiry",     "context", "happened", "outro",
        "not_you", "code",     "preheader", "link",       "footer",  "own",      "own_html",
        "subject", "brand",    "link.hint", "code_label", "lang",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture *fixture = NULL;
        make_copy((void **)&fixture);
        assert_non_null(fixture);
        if (!fixture)
            return; // for analysers, which do not know that an assertion ends it
        char text[200];
        static char frame[FILE_SIZE_MAX];
        char path[FOLDER_PATH_SIZE * 2];
        snprintf(path, sizeof(path), "%s/frame.html.mustache", fixture->dir);
        read_file(path, frame);
        size_t size = strlen(frame);
        snprintf(frame + size, sizeof(frame) - size, "{{> round}}");
        folder_write(fixture->dir, "frame.html.mustache", frame);
        snprintf(text, sizeof(text), "\n{{#%s}}{{> round}}{{/%s}}", names[i], names[i]);
        folder_write(fixture->dir, "round.html.mustache", text);
        load_named(fixture);
        assert_null(fixture->renderer);
        if (json_array_size(fixture->faults) != 1 ||
            !has_fault(fixture->faults, "/round.html.mustache:2", "within each other"))
            fail_msg("%s", names[i]);
        remove_small((void **)&fixture);
    }
    (void)state;
}

static void tries_what_is_there_where_a_value_is_not(void **state)
{
    static const char *const names[] = {"expiry", "context", "happened", "link",
                                        "code",   "own",     "own_html"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture *fixture = NULL;
        make_copy((void **)&fixture);
        assert_non_null(fixture);
        if (!fixture)
            return; // for analysers, which do not know that an assertion ends it
        char text[200];
        snprintf(text, sizeof(text),
                 "{{#code}}{{code}}{{/code}}{{link.url}}{{#own.lines}}{{text}}"
                 "{{/own.lines}}{{^%s}}{{> frame}}{{/%s}}",
                 names[i], names[i]);
        folder_write(fixture->dir, "frame.text.mustache", text);
        load_named(fixture);
        assert_null(fixture->renderer);
        if (json_array_size(fixture->faults) != 1 ||
            !has_fault(fixture->faults, "/frame.text.mustache:1", "within each other"))
            fail_msg("%s", names[i]);
        remove_small((void **)&fixture);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wants_code_and_link_where_a_reader_sees_them),
        cmocka_unit_test_setup_teardown(blames_no_subject_for_what_a_body_lacks, make_copy,
                                        remove_small),
        cmocka_unit_test(tries_every_branch_and_tells_each_fault_once),
        cmocka_unit_test(tries_what_is_there_where_a_value_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
