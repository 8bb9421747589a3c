// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <string.h>

#include "relay/base/error.h"

static void names_what_failed_and_why(void **state)
{
    (void)state;
    struct error err = {0};
    errno = ENOENT;
    assert_false(error_errno(&err, ERR_IO, "open %s", "/queue/x"));
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(err.message, "open /queue/x: No such file or directory");
    assert_int_equal(errno, ENOENT);
}

static void a_prefix_keeps_code_and_text(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERR_CORRUPT, "line %d", 3);
    assert_false(error_prefix(&err, "%s", "hu.json"));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_string_equal(err.message, "hu.json: line 3");
}

static void cuts_what_is_too_long(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct error err = {0};
    error_set(&err, ERR_INPUT, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    errno = EIO;
    error_errno(&err, ERR_INPUT, "%s", text);
    error_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

static void nobody_has_to_listen(void **state)
{
    (void)state;
    assert_false(error_set(NULL, ERR_INPUT, "x"));
    assert_false(error_errno(NULL, ERR_INPUT, "x"));
    assert_false(error_prefix(NULL, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_failed_and_why),
        cmocka_unit_test(a_prefix_keeps_code_and_text),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(nobody_has_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
