#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "templates/fault.h"

static const char *text_at(const json_t *faults, const char *key)
{
    assert_int_equal(json_array_size(faults), 1);
    return json_string_value(json_object_get(json_array_get(faults, 0), key));
}

static void says_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t line;
        const char *what, *want_where, *want_what;
    } cases[] = {
        {"hu.json", 12, "lacks x", "hu.json:12", "lacks x"},
        {"hu.json", 0, "", "hu.json", ""},
        {"h\xff.json", 3, "\"a\xe1\" is é", "h\ufffd.json:3", "\"a\ufffd\" is é"},
        {"a\nb", 0, "a\x1b[31m\xc2\x9b", "a\ufffdb", "a\ufffd[31m\ufffd"},
        {"\xc3", 1, "\xe2\x82", "\ufffd:1", "\ufffd\ufffd"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *faults = json_array();
        assert_false(fault_at(faults, cases[i].file, cases[i].line, "%s", cases[i].what));
        assert_string_equal(text_at(faults, "where"), cases[i].want_where);
        assert_string_equal(text_at(faults, "what"), cases[i].want_what);
    }
}

static void leaves_out_the_middle_of_what_is_long(void **state)
{
    (void)state;
    char quoted[4000];
    for (size_t shift = 0; shift < 4; shift++) { // cuts in every place of a character
        memset(quoted, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof(quoted); i += 4)
            memcpy(quoted + i, "\U0001f600", 5);
        json_auto_t *faults = json_array();
        fault_at(faults, "a.json", 1, "before \"%s\" behind", quoted);
        const char *what = text_at(faults, "what");
        assert_non_null(what);
        assert_ptr_equal(strstr(what, "before \""), what);
        assert_string_equal(what + strlen(what) - 8, "\" behind");
        assert_non_null(strstr(what, "\U0001f600…\U0001f600"));
        assert_null(strstr(what, "\ufffd"));
        assert_in_range(strlen(what), 400, 520);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_and_what),
        cmocka_unit_test(leaves_out_the_middle_of_what_is_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
