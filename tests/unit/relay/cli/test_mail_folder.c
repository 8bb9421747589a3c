// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/file.h"
#include "relay/cli/mail_folder.h"
#include "tests/support/folder.h"

static char dir[FOLDER_PATH_SIZE];

static int set_up(void **state)
{
    (void)state;
    folder_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(dir);
    return 0;
}

static void in_dir(const char *name, char ret_path[2 * FOLDER_PATH_SIZE])
{
    snprintf(ret_path, 2 * FOLDER_PATH_SIZE, "%s/%s", dir, name);
}

static void assert_holds(const char *name, const char *wanted)
{
    char path[2 * FOLDER_PATH_SIZE];
    struct buffer bytes;
    struct error err;
    in_dir(name, path);
    buffer_init(&bytes, 1024 * 1024);
    if (!file_read(path, FILE_REGULAR, &bytes, NULL, &err))
        fail_msg("%s: %s", path, err.message);
    assert_string_equal(bytes.data ? bytes.data : "", wanted);
    buffer_finish(&bytes);
}

static void a_path_stays_below_the_folder_whatever_the_names_are(void **state)
{
    (void)state;
    static const struct {
        const char *brand, *locale, *type, *wanted;
    } cases[] = {
        {"default", "hu-x-formal", "login_code_valid", "default/hu-x-formal/login_code_valid"},
        {"..", "../..", "/etc/passwd", "~2e~2e/~2e~2e~2f~2e~2e/~2fetc~2fpasswd"},
        {"é", "a b", "~new", "~c3~a9/a~20b/~7enew"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[MAIL_FOLDER_PATH_SIZE];
        struct error err;
        assert_true(mail_folder_path(cases[i].brand, cases[i].locale, cases[i].type, path, &err));
        assert_string_equal(path, cases[i].wanted);
    }
}

static void a_name_too_long_or_empty_is_refused(void **state)
{
    (void)state;
    char longest[234], path[MAIL_FOLDER_PATH_SIZE];
    struct error err;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[232] = '\0';
    assert_true(mail_folder_path(longest, longest, longest, path, &err));
    assert_int_equal(strlen(path), 3 * 232 + 2);
    longest[232] = 'a';
    longest[233] = '\0';
    assert_false(mail_folder_path("b", "l", longest, path, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.message, "too long"));
    assert_false(mail_folder_path("", "l", "t", path, &err));
    memset(longest, '.', 78);
    longest[78] = '\0'; // each of three bytes: 234
    assert_false(mail_folder_path("b", "l", longest, path, &err));
}

static void fills_a_folder_that_is_new_or_its_own(void **state)
{
    (void)state;
    char path[2 * FOLDER_PATH_SIZE];
    in_dir("mails", path);
    static const char *const texts[] = {"first", "second"};
    for (size_t i = 0; i < 2; i++) {
        struct mail_folder folder;
        struct error err;
        if (!mail_folder_open(&folder, path, &err))
            fail_msg("%s", err.message);
        assert_true(mail_folder_write(&folder, "b/l/t", ".html", texts[i], strlen(texts[i]), &err));
        assert_true(mail_folder_write(&folder, NULL, "index.html", "page", 4, &err));
        mail_folder_close(&folder);
        assert_holds("mails/b/l/t.html", texts[i]);
        assert_holds("mails/index.html", "page");
    }
    // What a run that was cut off has left is in nobody's way.
    folder_write(dir, "mails/b/l/~new", "half");
    struct mail_folder folder;
    struct error err;
    assert_true(mail_folder_open(&folder, path, &err));
    assert_true(mail_folder_write(&folder, "b/l/t", ".txt", "", 0, &err));
    mail_folder_close(&folder);
    assert_holds("mails/b/l/t.txt", "");
    in_dir("mails/b/l/~new", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void leaves_a_strangers_folder_alone(void **state)
{
    (void)state;
    folder_write(dir, "index.html", "mine");
    struct mail_folder folder;
    struct error err;
    assert_false(mail_folder_open(&folder, dir, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.message, dir));
    assert_non_null(strstr(err.message, "holds index.html"));
    assert_holds("index.html", "mine");
}

static void follows_no_link_out_of_the_folder(void **state)
{
    (void)state;
    char path[2 * FOLDER_PATH_SIZE], link[2 * FOLDER_PATH_SIZE];
    folder_write(dir, "outside/t.html", "mine");
    in_dir("mails", path);
    struct mail_folder folder;
    struct error err;
    assert_true(mail_folder_open(&folder, path, &err));
    in_dir("mails/b", link);
    assert_int_equal(symlink("../outside", link), 0);
    assert_false(mail_folder_write(&folder, "b/l/t", ".html", "x", 1, &err));
    assert_non_null(strstr(err.message, "mails/b/l/t.html: b: Not a directory"));
    // A link that stands where a file goes is replaced, not written through.
    assert_true(mail_folder_write(&folder, "c/l/t", ".html", "x", 1, &err));
    in_dir("mails/c/l/u.html", link);
    assert_int_equal(symlink("../../../outside/t.html", link), 0);
    assert_true(mail_folder_write(&folder, "c/l/u", ".html", "x", 1, &err));
    mail_folder_close(&folder);
    assert_holds("outside/t.html", "mine");
    assert_holds("mails/c/l/u.html", "x");
}

static void names_what_cannot_be_made(void **state)
{
    (void)state;
    char path[2 * FOLDER_PATH_SIZE];
    struct mail_folder folder;
    struct error err;
    in_dir("no/such", path);
    assert_false(mail_folder_open(&folder, path, &err));
    assert_non_null(strstr(err.message, "no/such cannot be made: No such file"));
    folder_write(dir, "file", "mine");
    in_dir("file", path);
    assert_false(mail_folder_open(&folder, path, &err));
    assert_non_null(strstr(err.message, "file: Not a directory"));
    // A folder stands where the file goes.
    in_dir("mails", path);
    assert_true(mail_folder_open(&folder, path, &err));
    assert_true(mail_folder_write(&folder, "b/l/t", ".html", "x", 1, &err));
    assert_false(mail_folder_write(&folder, NULL, "b", "x", 1, &err));
    assert_non_null(strstr(err.message, "mails/b: cannot be replaced: Is a directory"));
    mail_folder_close(&folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_stays_below_the_folder_whatever_the_names_are),
        TEST(a_name_too_long_or_empty_is_refused),
        TEST(fills_a_folder_that_is_new_or_its_own),
        TEST(leaves_a_strangers_folder_alone),
        TEST(follows_no_link_out_of_the_folder),
        TEST(names_what_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
